import type { ClientOf } from "@rpc/core";
import type { StoreService } from "../service/store-contract.ts";
import { ANY_TOPIC } from "../service/wake-hub.ts";
import type { Position } from "./topics.ts";
import type { LineOwner, WakeLine } from "./wake-ups.ts";

const WAIT_MS = 25_000;
/** Of one wait; with more, all is looked at in this rhythm. */
const MAX_TOPICS = 1000;
const LOOK_MS = 1000;
/** Beyond the wait itself: then the answer is lost. */
const GRACE_MS = 10_000;

/** Wake-ups over a transport of calls alone: one long wait after the other, begun anew when topics are added. */
export class PolledLine implements WakeLine {
  readonly #client: Pick<ClientOf<typeof StoreService>, "wait">;
  /** A wait that is begun anew ends the one before also where the service does not hear that that was left, such as behind a broker. */
  readonly #watcher = crypto.randomUUID();
  #owner: LineOwner | undefined = undefined;
  /** The earliest position of what was added since the last answer. */
  #since: Position | undefined = undefined;
  #isUnsure = false;
  #change: AbortController | undefined = undefined;
  #isScheduled = false;

  constructor(client: Pick<ClientOf<typeof StoreService>, "wait">) {
    this.#client = client;
  }

  async run(owner: LineOwner, signal: AbortSignal): Promise<void> {
    const { seq } = await this.#client.wait({ topics: [], timeoutMs: 0 }, { signal, timeoutMs: WAIT_MS });
    this.#owner = owner;
    this.#since = undefined;
    this.#isUnsure = false;
    owner.begin(seq);
    try {
      while (!signal.aborted) await this.#wait(owner, signal);
    } finally {
      this.#owner = undefined;
      this.#change = undefined;
    }
  }

  topicsAdded(_topics: readonly string[], since: Position | undefined): void {
    if (this.#owner === undefined) return;
    if (since === undefined) this.#isUnsure = true;
    else if (this.#since === undefined || since.order < this.#since.order) this.#since = since;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // The next turn: claims and inserts come in swarms.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#change?.abort();
    });
  }

  topicsRemoved(): void {
    // The next wait is without them; that this one still has them does no harm.
  }

  async #wait(owner: LineOwner, signal: AbortSignal): Promise<void> {
    const change = new AbortController();
    this.#change = change;
    const both = AbortSignal.any([signal, change.signal]);
    const topics = [...owner.topics].slice(0, MAX_TOPICS);
    if (topics.length === 0) return aborted(both);
    const isAll = owner.topics.size <= MAX_TOPICS;
    const timeoutMs = isAll ? WAIT_MS : LOOK_MS;
    const since = this.#isUnsure ? "unknown" : earlier(this.#since, owner.position)?.seq;
    const asked = { since: this.#since, isUnsure: this.#isUnsure };
    this.#since = undefined;
    this.#isUnsure = false;
    try {
      const options = { signal: both, timeoutMs: timeoutMs + GRACE_MS };
      const answer = await this.#client.wait({ topics, since, timeoutMs, watcher: this.#watcher }, options);
      owner.woken(isAll ? answer.topics : [ANY_TOPIC], answer.seq);
    } catch (thrown) {
      if (!change.signal.aborted || signal.aborted) throw thrown;
      // Begun anew, from where this one had begun.
      this.#since = earlier(asked.since, this.#since);
      this.#isUnsure ||= asked.isUnsure;
    }
  }
}

function earlier(one: Position | undefined, other: Position | undefined): Position | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.order < other.order ? one : other;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
