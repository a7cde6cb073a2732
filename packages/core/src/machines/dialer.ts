import type { Channel } from "../words/channel.ts";
import type { Clock } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";

/**
 * What became of the channel that was dialed before: `none` was · it `stood`, so that whoever it led to may still have the session · or it
 * was `refused`, which means that it never got through its handshake.
 */
export type DialOutcome = "none" | "stood" | "refused";

/** Dials once. */
export type Dial = (signal: AbortSignal, previous: DialOutcome) => Promise<Channel>;

/** Opens channels, one at a time, each within its time. */
export class Dialer {
  readonly #dial: Dial;
  readonly #endpoint: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #controller: AbortController | undefined = undefined;
  #outcome: DialOutcome = "none";

  constructor(dial: Dial, endpoint: string, timeoutMs: number, clock: Clock) {
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
      const channel = await this.#dial(controller.signal, this.#outcome);
      this.#outcome = "refused";
      return channel;
    } catch (thrown) {
      // Aborted by the timeout or from outside: that is the reason, whatever the dial makes of it.
      throw RpcError.from(controller.signal.aborted ? controller.signal.reason : thrown);
    } finally {
      this.#clock.clearTimeout(timer);
      if (this.#controller === controller) this.#controller = undefined;
    }
  }

  /** The channel that was opened last is through its handshake. */
  stood(): void {
    this.#outcome = "stood";
  }

  get busy(): boolean {
    return this.#controller !== undefined;
  }

  /** Gives up the dial that is under way. */
  abort(reason: RpcError): void {
    this.#controller?.abort(reason);
  }
}
