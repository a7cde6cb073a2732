import { type Clock, type RpcError, systemClock } from "@rpc/core";
import { XPublisher } from "zeromq";
import { refused, wholeNumber } from "../calls/errors.ts";
import { writeDomogikJson } from "../frames/domogik-json.ts";
import { checkedCredentials, type MdpCredentials, notLetIn, securityOf } from "../link/credentials.ts";
import { heartbeatsOf, LINK_HEARTBEAT_MS } from "../link/heartbeats.ts";
import { isIpv6 } from "../link/ipv6.ts";
import { checkedEndpoint } from "../worker/options.ts";
import { writeEventId } from "./event-id.ts";

export interface MdpPublisherOptions {
  /** How long to wait for the first subscription after connecting: what is published before would reach nobody. Default: 10. */
  readonly settleMs?: number | undefined;
  /** Events that wait for the connection; of too many the oldest are dropped and counted. Default: 10,000. */
  readonly maxUnsent?: number | undefined;
  /** How often ZeroMQ itself looks whether the connection is there; lost after two misses, and made again. 0: not at all. Default: 5,000. */
  readonly linkHeartbeatMs?: number | undefined;
  readonly credentials?: MdpCredentials | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

/** Publishes events at a forwarder. */
export interface MdpPublisher extends AsyncDisposable {
  readonly endpoint: string;
  /** Settles when what is published goes out at once; before that it waits. Rejects UNAUTHENTICATED when the forwarder does not let us in. */
  readonly ready: Promise<void>;
  /** Events that were dropped because the forwarder was not there, or did not read. */
  readonly droppedCount: number;
  /**
   * Publishes one event: hands it over and returns. Its content is JSON; numbers that JSON does not have become null. Throws INVALID_ARGUMENT
   * for a category that cannot be.
   */
  publish(category: string, content: unknown): void;
  /** Idempotent. Waits until the connection has settled, so that what was published may leave; a forwarder that is not there is not waited for. */
  close(): Promise<void>;
}

/** A publisher: `tcp://host:40411`. It connects at once. Throws INVALID_ARGUMENT for an endpoint or an option that cannot be right. */
export function createMdpPublisher(endpoint: string, options: MdpPublisherOptions = {}): MdpPublisher {
  return new Publisher(checkedEndpoint(endpoint), options);
}

const LINGER_MS = 1_000;

class Publisher implements MdpPublisher {
  readonly endpoint: string;
  readonly ready: Promise<void>;
  readonly #socket: XPublisher;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #maxUnsent: number;
  #settle: () => void = () => undefined;
  #refuse: (error: RpcError) => void = () => undefined;
  #timer: unknown = undefined;
  #waiting: [string, string][] | undefined = [];
  #isConnected = false;
  #closed: Promise<void> | undefined = undefined;
  droppedCount = 0;

  constructor(endpoint: string, options: MdpPublisherOptions) {
    this.endpoint = endpoint;
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
    this.#maxUnsent = wholeNumber("maxUnsent", options.maxUnsent, 10_000, 0);
    const settleMs = wholeNumber("settleMs", options.settleMs, 10, 0);
    const sendHighWaterMark = Math.max(1, this.#maxUnsent);
    this.#socket = new XPublisher({
      linger: LINGER_MS,
      sendTimeout: 0,
      sendHighWaterMark,
      // There is one reader, and what it has no room for is to be told, not left out in silence.
      noDrop: true,
      ipv6: isIpv6(endpoint),
      ...heartbeatsOf(wholeNumber("linkHeartbeatMs", options.linkHeartbeatMs, LINK_HEARTBEAT_MS, 0, 1_000_000_000)),
      ...securityOf(checkedCredentials(options.credentials)),
    });
    this.ready = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#refuse = reject;
    });
    // Not everybody waits for it.
    this.ready.catch(() => undefined);
    this.#socket.events.on("handshake:error:auth", () => this.#refuse(notLetIn(endpoint)));
    this.#socket.events.on("handshake", () => {
      this.#isConnected = true;
      if (this.#waiting !== undefined && this.#closed === undefined)
        this.#timer ??= this.#clock.setTimeout(() => this.#open(), settleMs);
    });
    this.#socket.connect(endpoint);
    void this.#read();
  }

  publish(category: string, content: unknown): void {
    if (category === "" || category.length > 1_000 || !category.isWellFormed() || category.includes("\0"))
      throw refused(`a category is text without NUL, got ${JSON.stringify(category.slice(0, 100))}`);
    if (this.#closed !== undefined) throw refused(`${category}: the publisher is closed`);
    const message: [string, string] = [writeEventId(category, this.#now()), writeDomogikJson(content)];
    if (this.#waiting === undefined) return this.#send(message);
    this.#waiting.push(message);
    if (this.#waiting.length <= this.#maxUnsent) return;
    this.#waiting.shift();
    this.droppedCount += 1;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#isConnected) await this.ready.catch(() => undefined);
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.droppedCount += this.#waiting?.length ?? 0;
    this.#socket.close();
  }

  #open(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#socket.closed) return;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = undefined;
    for (const message of waiting) this.#send(message);
    this.#settle();
  }

  #send(message: [string, string]): void {
    this.#socket.send(message).catch(() => (this.droppedCount += 1));
  }

  /** Subscriptions that come down the line: the first one ends the waiting. */
  async #read(): Promise<void> {
    for (;;) {
      try {
        await this.#socket.receive();
      } catch {
        if (this.#socket.closed) return;
        continue;
      }
      this.#open();
    }
  }
}
