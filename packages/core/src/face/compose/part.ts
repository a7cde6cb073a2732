import type { Clock } from "../../words/clock.ts";
import type { Transport } from "../../words/transport.ts";
import { Availability } from "../../tools/availability.ts";
import { Backoff, type BackoffOptions } from "../../tools/backoff.ts";

/** One of several transports that calls may go to. */
export class Part {
  readonly transport: Transport;
  /** What its calls have shown. */
  readonly availability: Availability;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #connecting = false;
  #notBefore = 0;

  constructor(transport: Transport, clock: Clock, backoff: BackoffOptions, random: (() => number) | undefined) {
    this.transport = transport;
    this.availability = new Availability(clock, new Backoff(backoff, random));
    this.#clock = clock;
    this.#backoff = new Backoff(backoff, random);
  }

  /**
   * False: the transport says that a call would have to wait for its other end. Then no call may go there to find out, so it is connected
   * from here, now and then.
   */
  reachable(): boolean {
    if (this.transport.isDown !== true) return true;
    if (!this.#connecting && this.#clock.now() >= this.#notBefore) void this.#connect(); // Never rejects.
    return false;
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    try {
      await this.transport.ready();
      this.#backoff.reset();
    } catch {
      // It goes on saying that it is down.
    }
    this.#connecting = false;
    this.#notBefore = this.#clock.now() + this.#backoff.nextMs();
  }
}
