import { RpcError } from "../words/rpc-error.ts";

/** How much may be tried again when much fails. */
export interface RetryBudgetOptions {
  /** Tokens at the start, and at most; each failed try takes one. No call is tried again while half of them or less are left. Default: 100. */
  readonly maxTokens?: number | undefined;
  /** What each call that was answered gives back, above 0. At 0.1, in the long run one try in ten is a repeated one. Default: 0.1. */
  readonly tokenRatio?: number | undefined;
}

/**
 * Keeps retries from multiplying the load of a server that fails because of its load.
 * Source: retry throttling of gRPC, https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
 */
export class RetryBudget {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  #tokens: number;

  /** Throws INVALID_ARGUMENT for options that cannot be. */
  constructor({ maxTokens = 100, tokenRatio = 0.1 }: RetryBudgetOptions = {}) {
    if (!(maxTokens > 0)) throw refused(`maxTokens must be above 0, got ${String(maxTokens)}`);
    if (!(tokenRatio > 0)) throw refused(`tokenRatio must be above 0, got ${String(tokenRatio)}`);
    this.#maxTokens = maxTokens;
    this.#tokenRatio = tokenRatio;
    this.#tokens = maxTokens;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Whether a call may be tried once more. */
  get allows(): boolean {
    return this.#tokens > this.#maxTokens / 2;
  }

  /** A try has failed in a way that is worth another one. */
  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  /** A try was answered. */
  answered(): void {
    this.#tokens = Math.min(this.#maxTokens, this.#tokens + this.#tokenRatio);
  }
}

function refused(what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `retry budget: ${what}`, { reason: "INVALID_ARGUMENT" });
}
