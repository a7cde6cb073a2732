import { type Clock, MAX_TIMER_MS } from "../words/clock.ts";

/** Something that ends at an instant. */
export interface Expiring {
  readonly deadline: number | undefined;
  /** Called once, when the instant has come. */
  expire(): void;
}

/**
 * One timer for all calls of a session. A timer per call would cost more than the call itself; instead the earliest known
 * deadline is armed, and when it comes whoever is due is found by looking at all of them. Most calls are long gone by then.
 */
export class DeadlineSweep {
  readonly #clock: Clock;
  /** Everything that may expire; read only when the timer fires. */
  readonly #all: () => Iterable<Expiring>;
  #timer: unknown = undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, all: () => Iterable<Expiring>) {
    this.#clock = clock;
    this.#all = all;
  }

  /** Makes sure that a deadline will be noticed. */
  watch(deadline: number): void {
    if (deadline >= this.#armedFor) return;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#armedFor = deadline;
    const delayMs = Math.min(Math.max(0, deadline - this.#clock.now()), MAX_TIMER_MS);
    // Timers may fire up to a millisecond early (they count whole milliseconds), hence the ceiling.
    this.#timer = this.#clock.setTimeout(() => this.#sweep(), Math.ceil(delayMs));
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    const due: Expiring[] = [];
    for (const expiring of this.#all()) {
      const { deadline } = expiring;
      if (deadline === undefined) continue;
      if (deadline <= now) due.push(expiring);
      else if (deadline < next) next = deadline;
    }
    if (next !== Number.POSITIVE_INFINITY) this.watch(next);
    for (const expiring of due) expiring.expire();
  }
}
