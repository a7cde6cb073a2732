import type { Channel } from "../words/channel.ts";
import type { Clock } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";

/** Opens channels, one at a time, each within its time. */
export class Dialer {
  readonly #dial: (signal: AbortSignal) => Promise<Channel>;
  readonly #endpoint: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #controller: AbortController | undefined = undefined;

  constructor(dial: (signal: AbortSignal) => Promise<Channel>, endpoint: string, timeoutMs: number, clock: Clock) {
    this.#dial = dial;
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** Rejects with an RpcError. */
  async open(): Promise<Channel> {
    const controller = new AbortController();
    this.#controller = controller;
    const timer = this.#clock.setTimeout(() => {
      const message = `${this.#endpoint} did not answer within ${this.#timeoutMs} ms`;
      controller.abort(new RpcError("UNAVAILABLE", message, { reason: "connectTimeoutMs", delivered: "no" }));
    }, this.#timeoutMs);
    try {
      return await this.#dial(controller.signal);
    } catch (thrown) {
      // Aborted by the timeout or from outside: that is the reason, whatever the dial makes of it.
      throw RpcError.from(controller.signal.aborted ? controller.signal.reason : thrown);
    } finally {
      this.#clock.clearTimeout(timer);
      if (this.#controller === controller) this.#controller = undefined;
    }
  }

  get busy(): boolean {
    return this.#controller !== undefined;
  }

  /** Gives up the dial that is under way. */
  abort(reason: RpcError): void {
    this.#controller?.abort(reason);
  }
}
