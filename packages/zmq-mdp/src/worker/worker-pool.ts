import { RpcError } from "@rpc/core";
import { serviceFrame, type WorkerSettings } from "./options.ts";
import { Registration, type RequestSink, type WorkerRequest } from "./registration.ts";
import { bytesIn } from "../calls/body.ts";

/** All sockets of a worker, and the one timer that beats for them. */
export class WorkerPool {
  readonly settings: WorkerSettings;
  readonly #registrations: readonly Registration[];
  #timer: unknown = undefined;

  constructor(services: readonly string[], settings: WorkerSettings, sink: RequestSink) {
    this.settings = settings;
    this.#registrations = services.flatMap((service) => {
      const frame = serviceFrame(service);
      return Array.from({ length: settings.concurrency }, () => new Registration(service, frame, settings, sink));
    });
    try {
      for (const registration of this.#registrations) registration.start();
    } catch (thrown) {
      for (const registration of this.#registrations) registration.close();
      const { message } = RpcError.from(thrown);
      const text = `cannot open ${this.#registrations.length} sockets to ${settings.broker}: ${message}`;
      throw new RpcError("RESOURCE_EXHAUSTED", text, { reason: "SOCKETS", cause: thrown });
    }
    this.#arm();
  }

  isTooLarge(request: WorkerRequest): boolean {
    return bytesIn(request.body) > this.settings.maxMessageBytes;
  }

  /** Takes nothing new: each place at the broker is given up as soon as it has nothing in hand. */
  leave(): void {
    for (const registration of this.#registrations) registration.leave();
  }

  close(): void {
    this.settings.clock.clearTimeout(this.#timer);
    for (const registration of this.#registrations) registration.close();
  }

  #arm(): void {
    const { clock, heartbeatMs } = this.settings;
    this.#timer = clock.setTimeout(() => {
      for (const registration of this.#registrations) registration.beat();
      this.#arm();
    }, heartbeatMs);
  }
}
