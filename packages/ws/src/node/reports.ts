import type { Clock } from "@rpc/core";
import { RpcError } from "@rpc/core";
import { errorFromNode } from "./status.ts";

/** What a listener says about strangers, once per second at most: a peer must not fill the log. */
export class Reports {
  readonly #endpoint: string;
  readonly #clock: Clock;
  readonly #onError: (error: RpcError) => void;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  constructor(endpoint: string, clock: Clock, onError: (error: RpcError) => void) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#onError = onError;
  }

  add(error: Error): void {
    const now = this.#clock.now();
    if (now - this.#reportedAt < 1_000) {
      this.#unreported++;
      return;
    }
    const { code, message, reason } = errorFromNode(error, "listen", this.#endpoint);
    const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more since the last report)`;
    this.#reportedAt = now;
    this.#unreported = 0;
    this.#onError(new RpcError(code, message + more, { reason, cause: error }));
  }
}
