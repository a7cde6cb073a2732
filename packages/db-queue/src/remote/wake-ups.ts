import { type Clock, RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import { holdProcess } from "../held-timer.ts";
import { ANY_TOPIC } from "../service/wake-hub.ts";
import type { WakeListener, Watch } from "../store/store.ts";
import { type Position, Topics, type TopicsListener } from "./topics.ts";

/** How wake-ups come: pushed, or asked for. */
export interface WakeLine extends TopicsListener {
  /**
   * Listens until it is lost, or the signal aborts. Tells `begin` once nothing can be missed any more, and `woken` from then on. Rejects when
   * it is lost.
   */
  run(line: LineOwner, signal: AbortSignal): Promise<void>;
}

export interface LineOwner {
  readonly topics: ReadonlySet<string>;
  readonly position: Position | undefined;
  begin(seq: string): void;
  woken(topics: readonly string[], seq: string): void;
}

export interface WakeUpsOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly lasting: readonly string[];
  readonly onError: (error: RpcError) => void;
}

/** Wake-ups of a service, for as long as somebody listens. After a loss it listens again, and then all are woken, as any may have been meant. */
export class RemoteWakeUps implements LineOwner {
  readonly known: Topics;
  readonly #line: WakeLine;
  readonly #options: WakeUpsOptions;
  readonly #listeners = new Set<WakeListener>();
  #running: AbortController | undefined = undefined;
  #ready: PromiseWithResolvers<void> = Promise.withResolvers();
  #position: Position | undefined = undefined;
  #order = 0;
  /** There was a line before this one. */
  #hasBegun = false;

  constructor(line: WakeLine, options: WakeUpsOptions) {
    this.#line = line;
    this.#options = options;
    this.known = new Topics(options.lasting, line);
  }

  get topics(): ReadonlySet<string> {
    return this.known.all;
  }

  /** As far as was heard; undefined: nobody listens. */
  get position(): Position | undefined {
    return this.#position;
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  watch(listener: WakeListener): Watch {
    this.#listeners.add(listener);
    if (this.#running === undefined) this.#start();
    return {
      ready: this.#ready.promise,
      close: () => {
        if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.close();
      },
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#running?.abort(new RpcError("CANCELLED", "nobody listens any more", { reason: "CANCELLED" }));
    this.#running = undefined;
    this.#position = undefined;
    this.#hasBegun = false;
    this.known.rest();
  }

  // ---- what the line tells

  begin(seq: string): void {
    this.#moveTo(seq);
    this.#ready.resolve();
    if (this.#hasBegun) this.#wakeAll();
    this.#hasBegun = true;
  }

  woken(topics: readonly string[], seq: string): void {
    this.#moveTo(seq);
    this.known.woken(topics);
    if (topics.includes(ANY_TOPIC)) return this.#wakeAll();
    for (const topic of topics) this.#each((listener) => listener.wake(topic));
  }

  #moveTo(seq: string): void {
    this.#position = { seq, order: ++this.#order };
  }

  #wakeAll(): void {
    this.#each((listener) => listener.wakeAll());
  }

  #each(tell: (listener: WakeListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        tell(listener);
      } catch {
        // A listener's fault is its own: the others are still to be told.
      }
    }
  }

  #start(): void {
    const running = new AbortController();
    this.#running = running;
    this.#ready = Promise.withResolvers();
    // Who does not ask for it is not to fall over it.
    this.#ready.promise.catch(() => undefined);
    void this.#run(running.signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, onError } = this.#options;
    const backoff = new Backoff({ minMs: 100, maxMs: 10_000 }, random);
    while (!signal.aborted) {
      const before = this.#order;
      try {
        await this.#line.run(this, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = RpcError.from(thrown);
        // What came meanwhile was missed, whether or not it had begun.
        this.#position = undefined;
        this.#hasBegun = true;
        this.#ready.reject(error);
        onError(new RpcError(error.code, `no wake-ups: ${error.message}`, { reason: error.reason, cause: error }));
      }
      if (this.#order > before) backoff.reset();
      await paused(backoff.nextMs(), clock, signal);
    }
  }
}

/** Ends early when the signal aborts. */
function paused(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = clock.setTimeout(over, ms);
    holdProcess(timer, false);
    signal.addEventListener("abort", over);
    if (signal.aborted) over();
  });
}
