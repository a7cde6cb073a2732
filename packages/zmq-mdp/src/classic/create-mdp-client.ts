import { type CloseOptions, RpcError } from "@rpc/core";
import { shown } from "@rpc/core/transport";
import { readData } from "../calls/body.ts";
import { refused, wholeNumber } from "../calls/errors.ts";
import { errorIn } from "../calls/reply.ts";
import type { Frames } from "../frames/words.ts";
import { clientSettings, type ClientSettings, type MdpClientOptions } from "../client/options.ts";
import { type MdpClientCounters, Requester } from "../client/requester.ts";
import { MqMessage } from "./mq-message.ts";

/** Options of `createMdpClient`. */
export interface MdpMessageClientOptions extends MdpClientOptions {
  /**
   * How often a request is sent again that was not answered in time, each time on another socket: for services that bear to do a thing twice.
   * Then the next of several brokers is asked, as often. Default: 0, nothing is sent twice.
   */
  readonly retries?: number | undefined;
}

/** What may be said about one request. */
export interface MdpRequestOptions {
  /** How long to wait for the reply, each time it is sent. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  /** How long all tries may take together. Default: each as long as it may. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Asks services with messages, as Domogik's programs do. */
export interface MdpClient extends AsyncDisposable {
  readonly endpoint: string;
  readonly counters: MdpClientCounters;
  /** Asks, and gives the reply, also one whose `status` is false. Rejects what the broker says by itself, a time-out, a lost connection. */
  request(service: string, message: MqMessage, options?: MdpRequestOptions): Promise<MqMessage>;
  /** The same with the frames of a body as they are. */
  rawRequest(service: string, body: Frames, options?: MdpRequestOptions): Promise<Frames>;
  /** Whether a worker of the service is there now (`mmi.service`). */
  isServed(service: string, options?: MdpRequestOptions): Promise<boolean>;
  /** The services that have workers, each once (`mmi.services`). Rejects UNIMPLEMENTED at a broker that does not say. */
  services(options?: MdpRequestOptions): Promise<readonly string[]>;
  /** Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}

/** A client for messages. Creating it connects to nothing. Throws INVALID_ARGUMENT for an endpoint or an option that cannot be right. */
export function createMdpClient(
  endpoint: string | readonly string[],
  options: MdpMessageClientOptions = {},
): MdpClient {
  const retries = wholeNumber("retries", options.retries, 0, 0, 1_000_000);
  return new MessageClient({ ...clientSettings(endpoint, options), silentTries: retries + 1 }, retries);
}

class MessageClient implements MdpClient {
  readonly #settings: ClientSettings;
  readonly #retries: number;
  #requester: Requester;
  #closed: Promise<void> | undefined = undefined;

  constructor(settings: ClientSettings, retries: number) {
    this.#settings = settings;
    this.#retries = retries;
    this.#requester = new Requester(settings);
  }

  get endpoint(): string {
    return this.#requester.endpoint;
  }

  get counters(): MdpClientCounters {
    return this.#requester.counters;
  }

  async request(service: string, message: MqMessage, options: MdpRequestOptions = {}): Promise<MqMessage> {
    return MqMessage.from(await this.rawRequest(service, message.get(), options));
  }

  async rawRequest(service: string, body: Frames, options: MdpRequestOptions = {}): Promise<Frames> {
    const { clock, brokers } = this.#settings;
    const { signal, deadlineMs } = options;
    const until =
      deadlineMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + checkedMs("deadlineMs", deadlineMs);
    let asked = this.#requester.endpoint;
    let tries = 0;
    let left = brokers.length;
    for (;;) {
      const { era } = this.#requester;
      try {
        return await this.#once(service, body, until, options);
      } catch (thrown) {
        const { code } = RpcError.from(thrown);
        const isLost = code === "DEADLINE_EXCEEDED" || code === "UNAVAILABLE";
        tries += 1;
        // It may have left a broker by itself that cannot be reached, or says nothing at all.
        if (isLost && this.#retries > 0 && tries > this.#retries) this.#requester.leave(asked);
        if (this.#requester.endpoint !== asked) {
          left -= 1;
          tries = 0;
          asked = this.#requester.endpoint;
        } else if (tries > this.#retries) left = 0;
        const isOver = this.#retries === 0 || left <= 0 || clock.now() >= until;
        if (!isLost || isOver || this.#closed !== undefined || signal?.aborted === true) throw thrown;
        this.#requester.renew(era);
      }
    }
  }

  async isServed(service: string, options: MdpRequestOptions = {}): Promise<boolean> {
    const [status] = await this.rawRequest("mmi.service", [Buffer.from(service)], options);
    return textOf(status) === "200";
  }

  async services(options: MdpRequestOptions = {}): Promise<readonly string[]> {
    const [names] = await this.rawRequest("mmi.services", [Buffer.alloc(0)], options);
    const text = textOf(names);
    if (text === "501")
      throw new RpcError("UNIMPLEMENTED", `${this.endpoint} does not say which services it has`, { reason: "MMI" });
    return [...new Set(text.split(", ").filter((name) => name !== ""))];
  }

  close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#requester.drain(drainMs).then(() => this.#requester.destroy());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #once(
    service: string,
    body: Frames,
    until: number,
    { timeoutMs = this.#settings.timeoutMs, signal }: MdpRequestOptions,
  ): Promise<Frames> {
    const { clock } = this.#settings;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(RpcError.from(signal.reason));
      const done = (): void => signal?.removeEventListener("abort", abort);
      const patient =
        timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + checkedMs("timeoutMs", timeoutMs);
      const deadline = Math.min(patient, until);
      const exchange = this.#requester.request(shown(service, 200), service, body, deadline, {
        partial: () => undefined,
        final: (frames) => {
          done();
          const error = brokersOwn(service, frames);
          if (error === undefined) resolve(frames);
          else reject(error);
        },
        failed: (error) => {
          done();
          reject(error);
        },
      });
      const abort = (): void => this.#requester.abandon(exchange, RpcError.from(signal?.reason));
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** What the broker says by itself about a request that came to nothing. */
function brokersOwn(service: string, [action, data]: Frames): RpcError | undefined {
  if (data === undefined || textOf(action) !== "error") return undefined;
  try {
    const error = errorIn({ action: "error", data: readData(data) }, undefined, shown(service, 200));
    return error?.reason === "COMMAND_FAILURE" ? undefined : error;
  } catch {
    return undefined;
  }
}

/** Not a number would wait for ever, and say nothing. */
function checkedMs(name: string, ms: number): number {
  if (typeof ms === "number" && !Number.isNaN(ms)) return ms;
  throw refused(`${name} is a number of milliseconds, got ${String(ms)}`);
}

function textOf(frame: Uint8Array | undefined): string {
  return Buffer.from(frame ?? []).toString("utf8");
}
