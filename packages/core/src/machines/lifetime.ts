import type { Clock } from "../words/clock.ts";
import type { RpcError } from "../words/rpc-error.ts";
import { Pause } from "./course.ts";

/** Whether a composition still takes calls. When it is closed, what waits between two tries is told so, and nothing is tried again. */
export class Lifetime {
  readonly #waiting = new Set<TimedPause>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    for (const pause of this.#waiting) pause.cut();
  }

  add(pause: TimedPause): void {
    this.#waiting.add(pause);
  }

  delete(pause: TimedPause): void {
    this.#waiting.delete(pause);
  }
}

/** A wait of a certain length between two tries. */
export class TimedPause extends Pause {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #error: RpcError;
  readonly #lifetime: Lifetime;
  #timer: unknown = undefined;
  #wake: ((refusal: RpcError | undefined) => void) | undefined = undefined;

  /** `error`: how the last try has failed, and the call if there is no other. */
  constructor(clock: Clock, waitMs: number, error: RpcError, lifetime: Lifetime) {
    super();
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#error = error;
    this.#lifetime = lifetime;
  }

  begin(wake: (refusal: RpcError | undefined) => void): void {
    this.#wake = wake;
    this.#lifetime.add(this);
    this.#timer = this.#clock.setTimeout(() => {
      this.#lifetime.delete(this);
      wake(undefined);
    }, this.#waitMs);
  }

  end(): void {
    this.#lifetime.delete(this);
    this.#clock.clearTimeout(this.#timer);
  }

  /** No other try will follow. */
  cut(): void {
    this.end();
    this.#wake?.(this.#error);
  }
}
