import { Context, XPublisher, XSubscriber } from "zeromq";
import type { MdpAuth } from "../broker/auth.ts";
import { checkDoor } from "../broker/doors.ts";
import { closeBound } from "../link/close-bound.ts";
import { ZapHandler } from "../broker/zap.ts";
import { bytesIn } from "../calls/body.ts";
import { wholeNumber } from "../calls/errors.ts";
import { isIpv6 } from "../link/ipv6.ts";
import { MAX_EVENT_ID_BYTES, parseEventId } from "./event-id.ts";
import { type Asked, readProbe } from "./probe.ts";

export interface MdpForwarderOptions {
  /** Where publishers connect to: `tcp://127.0.0.1:40411`; port `*` takes a free one. */
  readonly publishers: string;
  /** Where subscribers connect to: `tcp://127.0.0.1:40412`. */
  readonly subscribers: string;
  /**
   * What publishers are asked for. `all`: everything, so that a subscription is in effect as soon as the forwarder has it; `subscribed`: what
   * somebody is subscribed to, as a bare proxy does. Default: `all`.
   */
  readonly upstream?: "all" | "subscribed" | undefined;
  /** Whether the last event of every category is kept for those who subscribe later and ask for it; needs `upstream: all`. Default: false. */
  readonly lastValues?: boolean | undefined;
  /** Categories that are kept; of too many the one that was silent longest is dropped. Default: 10,000. */
  readonly maxLastValues?: number | undefined;
  /** Their bytes, all together. Default: 64 MiB. */
  readonly maxLastBytes?: number | undefined;
  /** Messages that wait for a subscriber that does not read; more are dropped for it. Default: 1,000. */
  readonly maxUnsent?: number | undefined;
  /** Largest frame. Default: 16 MiB. */
  readonly maxFrameBytes?: number | undefined;
  /** Who is let in on either side. Default: everybody who reaches it. */
  readonly auth?: MdpAuth | undefined;
  /** Lets everybody who can reach a public address in. Default: false. */
  readonly allowInsecure?: boolean | undefined;
}

/** What a forwarder has counted. */
export interface MdpForwarderCounters {
  readonly forwarded: number;
  /** Messages that are no event, where last values are kept; they are forwarded all the same. */
  readonly unreadable: number;
}

export interface MdpForwarder extends AsyncDisposable {
  /** Where publishers connect to, with the real port. */
  readonly publishers: string;
  readonly subscribers: string;
  readonly counters: MdpForwarderCounters;
  /** Idempotent. */
  close(): Promise<void>;
}

const ZAP_DOMAIN = "forwarder";
const LINGER_MS = 500;
/** Messages of one publisher that have come and are not read yet; then it waits, or leaves some out. */
const MOST_UNREAD = 10_000;
/** Last values that are sent at once; never more than half of what a subscriber's queue holds. */
const PAGE = 500;

/** Starts a forwarder: what publishers send goes to all who are subscribed. Rejects when an endpoint cannot be bound. */
export async function runForwarder(options: MdpForwarderOptions): Promise<MdpForwarder> {
  const { publishers, subscribers, auth, allowInsecure = false } = options;
  for (const endpoint of [publishers, subscribers]) checkDoor({ endpoint, auth: auth ?? null, allowInsecure });
  const context = auth === undefined ? undefined : new Context();
  const shared = {
    linger: LINGER_MS,
    maxMessageSize: wholeNumber("maxFrameBytes", options.maxFrameBytes, 16 * 1024 * 1024, 1),
    ...(context !== undefined && { context, zapDomain: ZAP_DOMAIN }),
    ...(auth?.mechanism === "curve" && { curveServer: true, curveSecretKey: auth.secretKey }),
    ...(auth?.mechanism === "plain" && { plainServer: true }),
  };
  const maxUnsent = wholeNumber("maxUnsent", options.maxUnsent, 1_000, 1);
  const near = new XSubscriber({ ...shared, ipv6: isIpv6(publishers), receiveHighWaterMark: MOST_UNREAD });
  const far = new XPublisher({
    ...shared,
    ipv6: isIpv6(subscribers),
    sendHighWaterMark: maxUnsent,
    sendTimeout: 0,
  });
  const zap =
    context === undefined || auth === undefined
      ? undefined
      : new ZapHandler(context, new Map([[ZAP_DOMAIN, auth]]), () => undefined);
  try {
    await zap?.start();
    await near.bind(publishers);
    await far.bind(subscribers);
  } catch (thrown) {
    near.close();
    far.close();
    zap?.close();
    throw thrown;
  }
  return new Forwarder(near, far, zap, options);
}

class Forwarder implements MdpForwarder {
  readonly publishers: string;
  readonly subscribers: string;
  readonly #near: XSubscriber;
  readonly #far: XPublisher;
  readonly #zap: ZapHandler | undefined;
  readonly #copies: boolean;
  readonly #last: Map<string, Kept> | undefined;
  readonly #page: number;
  #keptCount = 0;
  readonly #maxLast: number;
  readonly #maxLastBytes: number;
  #lastBytes = 0;
  #closed: Promise<unknown> | undefined;
  #forwarded = 0;
  #unreadable = 0;

  constructor(near: XSubscriber, far: XPublisher, zap: ZapHandler | undefined, options: MdpForwarderOptions) {
    this.#near = near;
    this.#far = far;
    this.#zap = zap;
    this.publishers = near.lastEndpoint ?? options.publishers;
    this.subscribers = far.lastEndpoint ?? options.subscribers;
    this.#copies = options.upstream === "subscribed";
    this.#last = options.lastValues === true ? new Map<string, Kept>() : undefined;
    this.#maxLast = wholeNumber("maxLastValues", options.maxLastValues, 10_000, 0);
    this.#page = Math.max(1, Math.min(PAGE, Math.floor(wholeNumber("maxUnsent", options.maxUnsent, 1_000, 1) / 2)));
    this.#maxLastBytes = wholeNumber("maxLastBytes", options.maxLastBytes, 64 * 1024 * 1024, 0);
    if (!this.#copies) near.send(Buffer.of(1)).catch(nothing);
    void this.#forward();
    void this.#subscriptions();
  }

  get counters(): MdpForwarderCounters {
    return { forwarded: this.#forwarded, unreadable: this.#unreadable };
  }

  async close(): Promise<void> {
    this.#closed ??= Promise.all([closeBound(this.#near, this.publishers), closeBound(this.#far, this.subscribers)]);
    await this.#closed;
    this.#zap?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #forward(): Promise<void> {
    const near = this.#near;
    const far = this.#far;
    const keeps = this.#last !== undefined;
    for (;;) {
      let frames: Buffer[];
      try {
        frames = await near.receive();
      } catch {
        if (near.closed) return;
        continue;
      }
      // Closing one socket leaves the other's last message on its way here.
      if (far.closed) return;
      // Topics of our own are made here and nowhere else.
      if (frames[0]?.[0] === 0) continue;
      this.#forwarded += 1;
      if (keeps) this.#keep(frames);
      far.send(frames).catch(nothing);
    }
  }

  #keep(frames: readonly Buffer[]): void {
    const id = parseEventId(frames[0]?.toString("utf8", 0, MAX_EVENT_ID_BYTES + 1) ?? "");
    const last = this.#last;
    if (id === undefined || frames.length < 2 || last === undefined) {
      this.#unreadable += 1;
      return;
    }
    this.#forget(last, id.category);
    const bytes = bytesIn(frames);
    this.#keptCount += 1;
    last.set(id.category, { frames, bytes, number: this.#keptCount });
    this.#lastBytes += bytes;
    while (last.size > this.#maxLast || this.#lastBytes > this.#maxLastBytes) {
      const [oldest] = last.keys();
      if (oldest === undefined) return;
      this.#forget(last, oldest);
    }
  }

  #forget(last: Map<string, Kept>, category: string): void {
    const kept = last.get(category);
    if (kept === undefined) return;
    this.#lastBytes -= kept.bytes;
    last.delete(category);
  }

  async #subscriptions(): Promise<void> {
    const far = this.#far;
    for (;;) {
      let frames: Buffer[];
      try {
        frames = await far.receive();
      } catch {
        if (far.closed) return;
        continue;
      }
      if (far.closed) return;
      const [change] = frames;
      if (change === undefined || change.length === 0) continue;
      const topic = change.subarray(1);
      const asked = topic[0] === 0 ? readProbe(topic) : undefined;
      if (asked !== undefined) {
        if (change[0] === 1) this.#answer(topic, asked);
      } else if (this.#copies) this.#near.send(change).catch(nothing);
    }
  }

  /** One page of last values, and where it ended; or the last page, and that it is the last. */
  #answer(topic: Buffer, { last: prefixes, after }: Asked): void {
    const until = after?.until ?? this.#keptCount;
    let left = this.#page;
    if (prefixes.length > 0)
      for (const [category, { frames, number }] of this.#last ?? []) {
        // Whoever asks is subscribed already: what has come since the first page is on its way.
        if (number <= (after?.seen ?? 0) || number > until) continue;
        // Subscribed is who asks for the beginning of an id, which goes on behind the category.
        const id = frames[0]?.toString() ?? "";
        if (!prefixes.some((prefix) => `${category}.`.startsWith(prefix) || id.startsWith(prefix))) continue;
        this.#far.send([topic, ...frames]).catch(nothing);
        left -= 1;
        if (left > 0) continue;
        this.#far.send([topic, `${number}-${until}`]).catch(nothing);
        return;
      }
    this.#far.send([topic]).catch(nothing);
  }
}

interface Kept {
  readonly frames: readonly Buffer[];
  readonly bytes: number;
  /** Counts up with each event that is kept, and so the categories stand in its order. */
  readonly number: number;
}

function nothing(): void {
  return undefined;
}
