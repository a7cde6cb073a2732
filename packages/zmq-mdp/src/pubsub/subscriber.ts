import { type Clock, RpcError, systemClock } from "@rpc/core";
import { Subscriber } from "zeromq";
import { wholeNumber } from "../calls/errors.ts";
import { parseDomogikJson } from "../frames/domogik-json.ts";
import { checkedCredentials, type MdpCredentials, notLetIn, securityOf } from "../link/credentials.ts";
import { heartbeatsOf, LINK_HEARTBEAT_MS } from "../link/heartbeats.ts";
import { isIpv6 } from "../link/ipv6.ts";
import { checkedEndpoint } from "../worker/options.ts";
import { MAX_EVENT_ID_BYTES, parseEventId } from "./event-id.ts";
import { writeProbe } from "./probe.ts";

/** An event as its subscriber sees it. */
export interface MdpEvent {
  /** As it travelled: `plugin.status.1371476851_54.0_1`. */
  readonly id: string;
  readonly category: string;
  /** When it was published, in milliseconds since 1970, as its publisher's clock has it. */
  readonly time: number;
  readonly content: unknown;
  /** It was kept by the forwarder, and is older than the subscription. */
  readonly isLastValue: boolean;
}

export interface MdpSubscriberOptions {
  /** What categories begin with: `device` takes `device.new` and `device-stats` as well. Default: everything. */
  readonly filters?: readonly string[] | undefined;
  /** Whether a filter is the whole category. Default: false. */
  readonly exact?: boolean | undefined;
  /** Whether the forwarder's last event of each category comes first, where it keeps them; after a lost connection again. Default: false. */
  readonly lastValues?: boolean | undefined;
  /** Called with every event, in order; without it events wait to be read. */
  readonly onEvent?: ((event: MdpEvent) => void) | undefined;
  /** Told what `onEvent` throws, and the next event comes all the same; and when the forwarder does not let us in. Default: nobody is. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** Told when the connection was lost, each time: events may be missing from then on. It is made again by itself. */
  readonly onGap?: (() => void) | undefined;
  /** Events that wait to be read; of too many the oldest are dropped and counted. Default: 10,000. */
  readonly maxUnread?: number | undefined;
  /** How long after connecting a subscription counts as being in effect at a forwarder that does not say. Default: 100. */
  readonly settleMs?: number | undefined;
  /** Largest frame. Default: 16 MiB. */
  readonly maxFrameBytes?: number | undefined;
  /** How often ZeroMQ itself looks whether the connection is there; lost after two misses, and made again. 0: not at all. Default: 5,000. */
  readonly linkHeartbeatMs?: number | undefined;
  readonly credentials?: MdpCredentials | undefined;
  /** Default: the process's clock. */
  readonly clock?: Clock | undefined;
}

/** Events of a forwarder. There is one reader: the callback, the loop, or whoever waits. */
export interface MdpSubscriber extends AsyncIterable<MdpEvent>, AsyncDisposable {
  readonly endpoint: string;
  /**
   * Settles when nothing published from then on is missed, once last values have come; at a foreign forwarder, after `settleMs`. Rejects
   * UNAUTHENTICATED when the forwarder does not let us in, and so does whoever waits for an event.
   */
  readonly ready: Promise<void>;
  /** Events that were dropped because nobody read them. */
  readonly droppedCount: number;
  /** Messages that were no events: their id or their JSON was not readable. */
  readonly unreadableCount: number;
  /** The next event. Rejects DEADLINE_EXCEEDED when there is none in time, CANCELLED when the subscriber is closed. */
  waitForEvent(options?: { readonly timeoutMs?: number | undefined }): Promise<MdpEvent>;
  /** Idempotent; ends the loop. */
  close(): Promise<void>;
}

const MOST_CURSOR_BYTES = 100;

/** A subscriber: `tcp://host:40412`. It connects at once. Throws INVALID_ARGUMENT for an endpoint or an option that cannot be right. */
export function createMdpSubscriber(endpoint: string, options: MdpSubscriberOptions = {}): MdpSubscriber {
  return new EventSubscriber(checkedEndpoint(endpoint), options);
}

class EventSubscriber implements MdpSubscriber {
  readonly endpoint: string;
  readonly ready: Promise<void>;
  readonly #socket: Subscriber;
  readonly #clock: Clock;
  readonly #filters: readonly string[];
  readonly #exact: boolean;
  readonly #onEvent: ((event: MdpEvent) => void) | undefined;
  readonly #onError: MdpSubscriberOptions["onError"];
  readonly #maxUnread: number;
  readonly #unread: MdpEvent[] = [];
  /** Undefined once it is answered. */
  #probe: Buffer | undefined = undefined;
  #settle: () => void = () => undefined;
  #refuse: (error: RpcError) => void = () => undefined;
  #failure: RpcError | undefined = undefined;
  #timer: unknown = undefined;
  readonly #waiters = new Set<() => void>();
  #isConnected = false;
  #closed = false;
  droppedCount = 0;
  unreadableCount = 0;

  constructor(endpoint: string, options: MdpSubscriberOptions) {
    this.endpoint = endpoint;
    this.#clock = options.clock ?? systemClock;
    this.#filters = options.filters === undefined || options.filters.length === 0 ? [""] : options.filters;
    this.#exact = options.exact ?? false;
    this.#onEvent = options.onEvent;
    this.#onError = options.onError;
    this.#maxUnread = wholeNumber("maxUnread", options.maxUnread, 10_000, 1);
    const settleMs = wholeNumber("settleMs", options.settleMs, 100, 0);
    this.#socket = new Subscriber({
      linger: 0,
      receiveHighWaterMark: 0,
      maxMessageSize: wholeNumber("maxFrameBytes", options.maxFrameBytes, 16 * 1024 * 1024, 1),
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
    const { onGap, lastValues = false } = options;
    let hadGap = false;
    this.#socket.events.on("handshake", () => {
      if (this.#closed) return;
      this.#isConnected = true;
      // What has happened meanwhile is known by what is last now.
      if (hadGap && lastValues) {
        if (this.#probe !== undefined) this.#socket.unsubscribe(this.#probe);
        this.#ask(true);
      }
      hadGap = false;
      if (this.#probe !== undefined) this.#timer ??= this.#clock.setTimeout(() => this.#settled(), settleMs);
    });
    this.#socket.events.on("disconnect", () => {
      // ZeroMQ tells of a connection that never shook hands too.
      if (this.#closed || !this.#isConnected) return;
      this.#isConnected = false;
      hadGap = true;
      onGap?.();
    });
    this.#socket.events.on("handshake:error:auth", () => this.#fail(notLetIn(endpoint)));
    // The probe is the last one: when it is answered, those before it are in effect.
    for (const filter of this.#filters) this.#socket.subscribe(filter);
    this.#ask(lastValues);
    this.#socket.connect(endpoint);
    void this.#read();
  }

  async waitForEvent({ timeoutMs }: { readonly timeoutMs?: number | undefined } = {}): Promise<MdpEvent> {
    const until = timeoutMs === undefined ? undefined : this.#clock.now() + timeoutMs;
    for (;;) {
      const event = this.#unread.shift();
      if (event !== undefined) return event;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closed)
        throw new RpcError("CANCELLED", `the subscription at ${this.endpoint} is closed`, { reason: "CLOSED" });
      const leftMs = until === undefined ? undefined : until - this.#clock.now();
      if (leftMs !== undefined && leftMs <= 0)
        throw new RpcError("DEADLINE_EXCEEDED", `no event came in ${timeoutMs} ms`, { reason: "DEADLINE" });
      await this.#news(leftMs);
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<MdpEvent> {
    try {
      for (;;) {
        const event = this.#unread.shift();
        if (event !== undefined) yield event;
        else if (this.#failure !== undefined) throw this.#failure;
        else if (this.#closed) return;
        else await this.#news(undefined);
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
    this.#socket.close();
    this.#settle();
    this.#wake();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #news(timeoutMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiters.delete(done);
        if (timer !== undefined) this.#clock.clearTimeout(timer);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : this.#clock.setTimeout(done, timeoutMs);
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  #ask(lastValues: boolean, after?: string): void {
    this.#probe = writeProbe(lastValues ? this.#filters : undefined, after);
    this.#socket.subscribe(this.#probe);
  }

  #fail(error: RpcError): void {
    if (this.#closed) return;
    this.#failure = error;
    this.#refuse(error);
    this.#onError?.(error);
    void this.close();
  }

  async #read(): Promise<void> {
    for (;;) {
      let frames: Buffer[];
      try {
        frames = await this.#socket.receive();
      } catch {
        if (this.#socket.closed) return;
        continue;
      }
      if (this.#closed) return;
      const [topic] = frames;
      if (topic === undefined) continue;
      if (topic[0] !== 0) this.#take(topic, frames[1], false);
      else if (this.#probe?.equals(topic) === true) this.#answered(frames);
    }
  }

  #answered([topic, id, content]: readonly Buffer[]): void {
    if (id === undefined) return this.#settled();
    if (content !== undefined) return this.#take(id, content, true);
    // One page is over: the answer to the next one takes its place.
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (topic !== undefined) this.#socket.unsubscribe(topic);
    this.#ask(true, id.toString("latin1", 0, MOST_CURSOR_BYTES));
  }

  #settled(): void {
    const probe = this.#probe;
    if (probe === undefined) return;
    this.#probe = undefined;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.unsubscribe(probe);
    this.#settle();
  }

  #call(listen: (event: MdpEvent) => void, event: MdpEvent): void {
    try {
      listen(event);
    } catch (thrown) {
      this.#onError?.(RpcError.from(thrown));
    }
  }

  #take(idFrame: Buffer, json: Buffer | undefined, isLastValue: boolean): void {
    const id = idFrame.toString("utf8", 0, MAX_EVENT_ID_BYTES + 1);
    const parsed = parseEventId(id);
    let content: unknown;
    try {
      if (parsed === undefined || json === undefined) throw new SyntaxError();
      content = parseDomogikJson(json.toString());
    } catch {
      this.unreadableCount += 1;
      return;
    }
    if (this.#exact && !this.#filters.includes(parsed.category) && !this.#filters.includes("")) return;
    const event: MdpEvent = { id, category: parsed.category, time: parsed.time, content, isLastValue };
    if (this.#onEvent !== undefined) return this.#call(this.#onEvent, event);
    this.#unread.push(event);
    if (this.#unread.length > this.#maxUnread) {
      this.#unread.shift();
      this.droppedCount += 1;
    }
    this.#wake();
  }
}
