import type { ClientOf } from "@rpc/core";
import { RpcError } from "@rpc/core";
import type { TopicChange, WakeUpService } from "../service/store-contract.ts";
import type { Position } from "./topics.ts";
import type { LineOwner, WakeLine } from "./wake-ups.ts";

const MAX_TOPICS = 1000;

/** Wake-ups over a transport that streams. */
export class PushedLine implements WakeLine {
  readonly #client: ClientOf<typeof WakeUpService>;
  #changes: Changes | undefined = undefined;

  constructor(client: ClientOf<typeof WakeUpService>) {
    this.#client = client;
  }

  async run(owner: LineOwner, signal: AbortSignal): Promise<void> {
    const changes = new Changes();
    let hasBegun = false;
    try {
      for await (const { seq, topics } of this.#client.watch(changes, { signal })) {
        if (hasBegun) owner.woken(topics, seq);
        else {
          hasBegun = true;
          this.#changes = changes;
          owner.begin(seq);
          // From this position on the service remembers what it wakes.
          changes.add([...owner.topics], owner.position);
        }
      }
    } finally {
      if (this.#changes === changes) this.#changes = undefined;
      changes.end();
    }
    throw new RpcError("UNAVAILABLE", "the service has ended its stream", { reason: "NO_ANSWER" });
  }

  topicsAdded(topics: readonly string[], since: Position | undefined): void {
    this.#changes?.add(topics, since);
  }

  topicsRemoved(topics: readonly string[]): void {
    this.#changes?.remove(topics);
  }
}

/** What the service is told, those of a turn of the loop together. */
class Changes implements AsyncIterable<TopicChange> {
  readonly #waiting = new Map<string, "add" | "remove">();
  /** The earliest position of what is added. */
  #since: Position | undefined = undefined;
  #isUnsure = false;
  #bell: PromiseWithResolvers<void> = Promise.withResolvers();
  #isEnded = false;

  add(topics: readonly string[], since: Position | undefined): void {
    for (const topic of topics) this.#waiting.set(topic, "add");
    if (since === undefined) this.#isUnsure = true;
    else if (this.#since === undefined || since.order < this.#since.order) this.#since = since;
    if (topics.length > 0) this.#bell.resolve();
  }

  remove(topics: readonly string[]): void {
    for (const topic of topics) this.#waiting.set(topic, "remove");
    this.#bell.resolve();
  }

  end(): void {
    this.#isEnded = true;
    this.#bell.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TopicChange> {
    for (;;) {
      await this.#bell.promise;
      if (this.#isEnded) return;
      // The next turn: claims and inserts come in swarms.
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      yield this.#take();
    }
  }

  #take(): TopicChange {
    const add: string[] = [];
    const remove: string[] = [];
    for (const [topic, what] of this.#waiting) {
      if (add.length + remove.length === MAX_TOPICS) break;
      (what === "add" ? add : remove).push(topic);
      this.#waiting.delete(topic);
    }
    // Of no service's life: all that is added is woken.
    const since = this.#isUnsure ? "unknown" : this.#since?.seq;
    if (this.#waiting.size === 0) {
      this.#since = undefined;
      this.#isUnsure = false;
      this.#bell = Promise.withResolvers();
    }
    return { add, remove, ...(since !== undefined && { since }) };
  }
}
