import type { Clock } from "../words/clock.ts";

/** Wrong proofs of one address within a minute, after which it has to wait. */
const FREE_FAILURES = 5;
const MEMORY_MS = 60_000;
const DELAY_MS = 1_000;
/** Addresses that are remembered. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  count: number;
  since: number;
}

/** Slows down whoever guesses secrets: per address, without a timer, and without a memory that grows. */
export class FailureGate {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody at this endpoint could not prove who it is. */
  note(endpoint: string): void {
    const address = addressOf(endpoint);
    const now = this.#clock.now();
    const known = this.#failures.get(address);
    if (known !== undefined && now - known.since < MEMORY_MS) {
      known.count++;
      return;
    }
    this.#failures.delete(address);
    this.#failures.set(address, { count: 1, since: now });
    if (this.#failures.size <= MAX_ADDRESSES) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  /** How long an answer to this endpoint is held back, in milliseconds. */
  delayMs(endpoint: string): number {
    const known = this.#failures.get(addressOf(endpoint));
    if (known === undefined || known.count < FREE_FAILURES) return 0;
    return this.#clock.now() - known.since < MEMORY_MS ? DELAY_MS : 0;
  }
}

/** An endpoint without its port, which changes with each connection. */
function addressOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "");
}
