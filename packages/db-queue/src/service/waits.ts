import type { CallContext, Clock } from "@rpc/core";
import type { WokenTopics } from "./store-contract.ts";
import type { TopicWaiter, WakeHub } from "./wake-hub.ts";

/** Below the minute after which many a proxy gives up. */
const MAX_WAIT_MS = 55_000;
export const DEFAULT_WAIT_MS = 25_000;

export interface WaitOptions {
  /** Who is counted. */
  readonly caller: string;
  /** Of several waits of one watcher only the last goes on. */
  readonly watcher?: string | undefined;
  readonly topics: readonly string[];
  /** Undefined: only what is woken from now on, unless `isReady` knows better. */
  readonly since: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly context: CallContext;
  /** Asked once it is listened, by who has no position: whether there is something to do already. */
  readonly isReady?: (() => Promise<boolean>) | undefined;
}

/**
 * Answers when one of the topics is woken, at once when one was since then, and without any when the time is over. What is woken on the way
 * of the answer is after its position, so that the next wait hears of it.
 */
export async function waitForTopics(hub: WakeHub, clock: Clock, options: WaitOptions): Promise<WokenTopics> {
  const { topics, since, context } = options;
  const leave = hub.enter(options.caller);
  try {
    await hub.listen();
    const from = since ?? hub.position;
    const answer = (): WokenTopics => ({ topics: hub.wokenSince(topics, from), seq: hub.position });
    const early = answer();
    if (early.topics.length > 0) return early;
    const timeoutMs = Math.min(options.timeoutMs ?? DEFAULT_WAIT_MS, MAX_WAIT_MS);
    if (timeoutMs <= 0) return early;
    const wait = new Wait(hub, clock, topics, timeoutMs, context);
    const give = options.watcher === undefined ? undefined : hub.takeOver(`${options.caller} ${options.watcher}`, wait);
    try {
      // Waited for first, looked afterwards: what comes in between wakes.
      if (since === undefined && (await options.isReady?.()) === true) return { topics, seq: from };
      await wait.over;
      return answer();
    } finally {
      wait.end();
      give?.();
    }
  } finally {
    leave();
  }
}

/** Rejects with why the call was ended, when the caller has gone. */
class Wait implements TopicWaiter {
  readonly over: Promise<void>;
  readonly #hub: WakeHub;
  readonly #clock: Clock;
  readonly #topics: readonly string[];
  readonly #signal: AbortSignal;
  readonly #timer: unknown;
  #resolve: () => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;

  constructor(hub: WakeHub, clock: Clock, topics: readonly string[], timeoutMs: number, { signal }: CallContext) {
    this.#hub = hub;
    this.#clock = clock;
    this.#topics = topics;
    this.#signal = signal;
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may end before anybody waits for it.
    this.over.catch(() => undefined);
    this.#timer = clock.setTimeout(() => this.#resolve(), timeoutMs);
    for (const topic of topics) hub.add(topic, this);
    signal.addEventListener("abort", this.#gone);
    if (signal.aborted) this.#gone();
  }

  woken(): void {
    this.#resolve();
  }

  replaced(): void {
    this.#resolve();
  }

  end(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#gone);
    for (const topic of this.#topics) this.#hub.remove(topic, this);
  }

  readonly #gone = (): void => this.#reject(this.#signal.reason);
}
