import type { Clock } from "../words/clock.ts";
import type { Backoff } from "./backoff.ts";

/** A pass for one try at a part; what it learns counts only as long as nothing newer is known. */
export type Pass = number;

/**
 * Whether a part of a composition is there. One that is not is left alone for a while; then a single call finds out, while the others
 * still go elsewhere; another one does when that has no answer for as long as the next wait may be. No timer: the calls themselves ask.
 */
export class Availability {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** Grows with every change, so that calls from before it have no say. */
  #epoch: Pass = 0;
  #downUntil: number | undefined = undefined;
  #probing = false;

  constructor(clock: Clock, backoff: Backoff) {
    this.#clock = clock;
    this.#backoff = backoff;
  }

  get isDown(): boolean {
    return this.#downUntil !== undefined;
  }

  /** Whether a call may try it now. */
  get isOpen(): boolean {
    return this.#downUntil === undefined || this.#clock.now() >= this.#downUntil;
  }

  /** Time until a call may try it. */
  get opensInMs(): number {
    return this.#downUntil === undefined ? 0 : Math.max(0, this.#downUntil - this.#clock.now());
  }

  /** A call tries it. */
  enter(): Pass {
    if (this.#downUntil === undefined) return this.#epoch;
    this.#downUntil = this.#clock.now() + this.#backoff.boundMs;
    // Of several that find out, each may bring the good news.
    if (!this.#probing) this.#epoch++;
    this.#probing = true;
    return this.#epoch;
  }

  /** It answered that call. */
  worked(pass: Pass): void {
    if (pass !== this.#epoch) return;
    this.#probing = false;
    this.#downUntil = undefined;
    this.#backoff.reset();
  }

  /** It is not there. */
  failed(pass: Pass): void {
    if (pass !== this.#epoch) return;
    this.#epoch++;
    this.#probing = false;
    this.#downUntil = this.#clock.now() + this.#backoff.nextMs();
  }

  /** The caller of that call gave up. This says nothing about a part that is there, but one that was not has not come back either. */
  abandoned(pass: Pass): void {
    if (this.isDown) this.failed(pass);
  }
}
