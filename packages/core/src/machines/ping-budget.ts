import type { Clock } from "../words/clock.ts";

const PINGS_PER_PERIOD = 100;
const PERIOD_MS = 1_000;

/** Tells heartbeats from a flood. */
export class PingBudget {
  readonly #clock: Clock;
  #periodStart = Number.NEGATIVE_INFINITY;
  #spent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more ping is within reason. */
  spend(): boolean {
    const now = this.#clock.now();
    if (now - this.#periodStart > PERIOD_MS) {
      this.#periodStart = now;
      this.#spent = 0;
    }
    return ++this.#spent <= PINGS_PER_PERIOD;
  }
}
