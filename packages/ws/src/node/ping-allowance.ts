import type { Clock } from "@rpc/core";

/** Pings of the protocol beneath ours that are answered at once, and how many more each second: a proxy sends one in half a minute. */
const BURST = 20;
const PER_SECOND = 2;

/** Each ping makes us write: who sends them without end, and reads nothing, would have us keep the answers (H63). */
export class PingAllowance {
  readonly #clock: Clock;
  #left = BURST;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  /** Whether one more may be answered. */
  spend(): boolean {
    const now = this.#clock.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1_000) * PER_SECOND);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
