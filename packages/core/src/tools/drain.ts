import { type Clock, MAX_TIMER_MS } from "../words/clock.ts";

/** The wait for running calls to finish. Asked for again, it can only become shorter. */
export class Drain {
  readonly done: Promise<void>;
  readonly #clock: Clock;
  #resolve: () => void = () => undefined;
  #timer: unknown = undefined;
  #endsAt: number = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Gives up waiting after this time. */
  within(drainMs: number): void {
    const endsAt = this.#clock.now() + drainMs;
    if (this.#isOver || endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.finish(), Math.min(drainMs, MAX_TIMER_MS));
  }

  /** Nothing is left to wait for. */
  finish(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isOver = true;
    this.#resolve();
  }
}
