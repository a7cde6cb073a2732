import type { Clock } from "@rpc/core";

/**
 * The pause between a failure and the next try. A wake-up in it may mean that the database is back, and ends it; not sooner than `leastMs`
 * after the failure, though: who is woken often would try as often.
 */
export class RetryPause {
  readonly #clock: Clock;
  readonly #leastMs: number;
  readonly #run: () => void;
  #timer: unknown = undefined;
  #beganAt = 0;
  #endsAt = 0;

  constructor(clock: Clock, leastMs: number, run: () => void) {
    this.#clock = clock;
    this.#leastMs = leastMs;
    this.#run = run;
  }

  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  begin(ms: number): void {
    this.#beganAt = this.#clock.now();
    this.#arm(this.#beganAt + ms, this.#beganAt);
  }

  /** There was a wake-up. */
  hurry(): void {
    const soonestAt = this.#beganAt + this.#leastMs;
    if (this.#timer !== undefined && soonestAt < this.#endsAt) this.#arm(soonestAt, this.#clock.now());
  }

  /** Without another try. */
  end(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(endsAt: number, now: number): void {
    this.end();
    this.#endsAt = endsAt;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#run();
      },
      Math.max(0, endsAt - now),
    );
  }
}
