import { Context, XPublisher, XSubscriber } from "zeromq";
import type { MdpAuth } from "../broker/auth.ts";
import { checkDoor } from "../broker/doors.ts";
import { closeBound } from "../link/close-bound.ts";
import { ZapHandler } from "../broker/zap.ts";
import { wholeNumber } from "../calls/errors.ts";
import { parseEventId } from "./event-id.ts";
import { readProbe } from "./probe.ts";

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
  /** Messages that are no event; they are forwarded all the same. */
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
  const near = new XSubscriber({ ...shared, receiveHighWaterMark: 0 });
  const far = new XPublisher({ ...shared, sendHighWaterMark: maxUnsent, sendTimeout: 0 });
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
  readonly #last: Map<string, readonly Buffer[]> | undefined;
  readonly #maxLast: number;
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
    this.#last = options.lastValues === true ? new Map() : undefined;
    this.#maxLast = wholeNumber("maxLastValues", options.maxLastValues, 10_000, 0);
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
    const id = parseEventId(frames[0]?.toString() ?? "");
    const last = this.#last;
    if (id === undefined || last === undefined) {
      this.#unreadable += 1;
      return;
    }
    last.delete(id.category);
    last.set(id.category, frames);
    if (last.size <= this.#maxLast) return;
    const [oldest] = last.keys();
    if (oldest !== undefined) last.delete(oldest);
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

  #answer(topic: Buffer, asked: readonly string[]): void {
    if (this.#last !== undefined)
      for (const [category, frames] of this.#last) {
        // Subscribed is who asks for the beginning of an id, which goes on behind the category.
        if (
          asked.some((prefix) => `${category}.`.startsWith(prefix) || (frames[0]?.toString() ?? "").startsWith(prefix))
        )
          this.#far.send([topic, ...frames]).catch(nothing);
      }
    this.#far.send([topic]).catch(nothing);
  }
}

function nothing(): void {
  return undefined;
}
