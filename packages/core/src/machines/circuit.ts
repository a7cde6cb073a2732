import type { Clock } from "../words/clock.ts";

export type CircuitState = "closed" | "open" | "half-open";

export interface CircuitLimits {
  readonly failures: number;
  readonly windowMs: number;
  readonly openMs: number;
  readonly halfOpenCalls: number;
}

/** Closed, open, half-open. It has no timer: an open circuit is half-open for the first call that comes after its time. */
export class Circuit {
  readonly #limits: CircuitLimits;
  readonly #clock: Clock;
  readonly #changed: (state: CircuitState) => void;
  #state: CircuitState = "closed";
  /** Grows with every change of state: calls from before it have no say. */
  #epoch = 0;
  /** When the last failures were, the oldest first; never more than it takes to open. */
  #failedAt: number[] = [];
  #openUntil = 0;
  /** Half-open: when another call is let through though those that run have no answer. */
  #probeAgainAt = 0;
  /** Half-open: calls that run, and calls that were answered. */
  #probing = 0;
  #answered = 0;

  constructor(limits: CircuitLimits, clock: Clock, changed: (state: CircuitState) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#changed = changed;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Time until an open circuit lets a call through; 0 when it would now, or when calls that find out are under way. */
  get opensInMs(): number {
    return this.#state === "open" ? Math.max(0, this.#openUntil - this.#clock.now()) : 0;
  }

  get #isFull(): boolean {
    return this.#probing + this.#answered >= this.#limits.halfOpenCalls;
  }

  /** A pass for one call, or undefined when none is let through. Each pass is given back by one of the three below. */
  enter(): number | undefined {
    if (this.#state === "closed") return this.#epoch;
    if (this.#state === "open") {
      if (this.#clock.now() < this.#openUntil) return undefined;
      this.#enterState("half-open");
    }
    const now = this.#clock.now();
    // A call without deadline that is never answered must not keep all others away.
    if (this.#isFull && now < this.#probeAgainAt) return undefined;
    this.#probing++;
    this.#probeAgainAt = now + this.#limits.openMs;
    return this.#epoch;
  }

  answered(pass: number): void {
    if (pass !== this.#epoch) return;
    this.#failedAt = [];
    if (this.#state !== "half-open") return;
    this.#probing--;
    this.#answered++;
    if (this.#answered >= this.#limits.halfOpenCalls) this.#enterState("closed");
  }

  failed(pass: number): void {
    if (pass !== this.#epoch) return;
    if (this.#state === "half-open") return this.#open();
    const now = this.#clock.now();
    this.#failedAt.push(now);
    if (this.#failedAt.length < this.#limits.failures) return;
    const [oldest = now] = this.#failedAt;
    if (now - oldest < this.#limits.windowMs) return this.#open();
    this.#failedAt.shift();
  }

  /** The caller did not wait for the answer. */
  abandoned(pass: number): void {
    if (pass === this.#epoch && this.#state === "half-open") this.#probing--;
  }

  #open(): void {
    this.#openUntil = this.#clock.now() + this.#limits.openMs;
    this.#enterState("open");
  }

  #enterState(state: CircuitState): void {
    this.#state = state;
    this.#epoch++;
    this.#failedAt = [];
    this.#probing = 0;
    this.#answered = 0;
    this.#changed(state);
  }
}
