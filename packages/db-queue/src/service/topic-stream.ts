import { type CallContext, RpcError } from "@rpc/core";
import type { Caller } from "./rights.ts";
import type { TopicChange, WokenTopics } from "./store-contract.ts";
import { closedError, type TopicWaiter, type WakeHub } from "./wake-hub.ts";

/** Of one stream. */
const MAX_TOPICS = 200_000;

/** Pushes wake-ups of the topics that its caller adds, those of a turn of the loop together. */
export async function* topicStream(
  hub: WakeHub,
  caller: Caller,
  changes: AsyncIterable<TopicChange>,
  { signal }: CallContext,
): AsyncIterable<WokenTopics> {
  const leave = hub.enter(caller.key);
  const stream = new TopicStream(hub, caller);
  const gone = (): void => stream.end(RpcError.from(signal.reason));
  signal.addEventListener("abort", gone);
  try {
    await hub.listen();
    yield { seq: hub.position, topics: [] };
    void stream.follow(changes);
    for (;;) {
      const topics = await stream.next();
      if (topics === undefined) return;
      if (hub.isClosed) throw closedError();
      yield { seq: hub.position, topics };
    }
  } finally {
    signal.removeEventListener("abort", gone);
    stream.close();
    leave();
  }
}

class TopicStream implements TopicWaiter {
  readonly #hub: WakeHub;
  readonly #caller: Caller;
  readonly #topics = new Set<string>();
  #woken = new Set<string>();
  #news: PromiseWithResolvers<void> = Promise.withResolvers();
  #isTold = false;
  #isEnded = false;
  #error: RpcError | undefined = undefined;

  constructor(hub: WakeHub, caller: Caller) {
    this.#hub = hub;
    this.#caller = caller;
  }

  woken(topic: string): void {
    this.#woken.add(topic);
    if (this.#isTold) return;
    this.#isTold = true;
    // The next turn: wake-ups come in swarms.
    setImmediate(() => this.#news.resolve());
  }

  end(error: RpcError | undefined): void {
    this.#isEnded = true;
    this.#error ??= error;
    this.#news.resolve();
  }

  /** Undefined: the caller has ended it. */
  async next(): Promise<readonly string[] | undefined> {
    await this.#news.promise;
    if (this.#error !== undefined) throw this.#error;
    if (this.#isEnded) return undefined;
    const topics = [...this.#woken];
    this.#woken = new Set();
    this.#isTold = false;
    this.#news = Promise.withResolvers();
    return topics;
  }

  /** Never rejects. */
  async follow(changes: AsyncIterable<TopicChange>): Promise<void> {
    try {
      for await (const change of changes) this.#change(change);
      this.end(undefined);
    } catch (thrown) {
      this.end(RpcError.from(thrown));
    }
  }

  close(): void {
    for (const topic of this.#topics) this.#hub.remove(topic, this);
    this.#topics.clear();
  }

  #change({ add = [], remove = [], since }: TopicChange): void {
    for (const topic of remove) {
      this.#topics.delete(topic);
      this.#hub.remove(topic, this);
    }
    for (const topic of add) {
      if (!this.#caller.mayWaitFor(topic)) throw this.#caller.denied(`wait for "${topic}"`);
      this.#topics.add(topic);
      this.#hub.add(topic, this);
    }
    if (this.#topics.size > MAX_TOPICS) {
      throw new RpcError("RESOURCE_EXHAUSTED", `no more than ${MAX_TOPICS} topics can be watched at once`, {
        reason: "maxTopics",
      });
    }
    if (since !== undefined) for (const topic of this.#hub.wokenSince(add, since)) this.woken(topic);
  }
}
