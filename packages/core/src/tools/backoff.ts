import { MAX_TIMER_MS } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";

/** How long to wait between tries: exponential, with full jitter. */
export interface BackoffOptions {
  /** Bound of the first wait, above 0. Default: 500. */
  readonly minMs?: number | undefined;
  /** What the bound grows up to, at least `minMs`. Default: 30,000. */
  readonly maxMs?: number | undefined;
  /** What the bound is multiplied by each time, at least 1. Default: 2. */
  readonly factor?: number | undefined;
}

const DEFAULT_MIN_MS = 500;
const DEFAULT_MAX_MS = 30_000;
const DEFAULT_FACTOR = 2;

/**
 * Waits that grow, each drawn evenly between 0 and a bound: of all jitters this spreads a thousand callers that were cut off at the same
 * instant the best. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full jitter").
 * Throws INVALID_ARGUMENT for options that cannot be.
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #factor: number;
  readonly #random: () => number;
  #boundMs: number;

  /** `random` gives numbers from 0 up to, not including, 1. */
  constructor(options: BackoffOptions = {}, random: () => number = Math.random) {
    const { minMs = DEFAULT_MIN_MS, maxMs = Math.max(DEFAULT_MAX_MS, minMs), factor = DEFAULT_FACTOR } = options;
    // Negated, so that NaN is refused as well.
    if (!(minMs > 0)) throw refused(`minMs must be above 0, got ${String(minMs)}`);
    if (!(maxMs >= minMs)) throw refused(`maxMs must be at least minMs (${minMs}), got ${String(maxMs)}`);
    if (!(factor >= 1)) throw refused(`factor must be at least 1, got ${String(factor)}`);
    this.#minMs = Math.min(minMs, MAX_TIMER_MS);
    this.#maxMs = Math.min(maxMs, MAX_TIMER_MS);
    this.#factor = factor;
    this.#random = random;
    this.#boundMs = this.#minMs;
  }

  /** What the next wait will stay below. */
  get boundMs(): number {
    return this.#boundMs;
  }

  /** The next wait. */
  nextMs(): number {
    const waitMs = this.#random() * this.#boundMs;
    this.#boundMs = Math.min(this.#boundMs * this.#factor, this.#maxMs);
    return waitMs;
  }

  /** It worked: the next failure starts small again. */
  reset(): void {
    this.#boundMs = this.#minMs;
  }
}

function refused(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `backoff: ${what}`, { reason: "INVALID_ARGUMENT" });
}
