import type { CallContext } from "../words/call-context.ts";
import type { Capabilities } from "../words/capabilities.ts";
import type { Compression } from "../words/compression.ts";
import type { CallerCredentials } from "../words/credentials.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import { COPY, MADE_BY } from "../words/copy.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import { resolveLimits, type SessionLimits } from "../words/limits.ts";
import type { Peer } from "../words/peer.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { TopicPort } from "../words/topics.ts";
import type { CloseOptions, Handler, ServingHalf, Transport } from "../words/transport.ts";
import type { WorkQueue } from "../words/work-queue.ts";
import { Backoff, type BackoffOptions } from "../tools/backoff.ts";
import { noteCallError } from "../tools/call-errors.ts";
import { Emitter } from "../tools/emitter.ts";
import { webCrypto } from "../tools/proof.ts";
import type { Connection } from "../machines/connection.ts";
import { type Dial, Dialer } from "../machines/dialer.ts";
import type { Agreement } from "../machines/handshake.ts";
import { CallerIdentity, InitiatorHandshake } from "../machines/initiator-handshake.ts";
import type { OutgoingCall } from "../machines/outgoing-call.ts";
import { Session } from "../machines/session.ts";
import type { SessionOptions } from "../machines/session-options.ts";
import { UnservedCalls } from "../machines/unserved-calls.ts";
import { checkBinding } from "./binding.ts";
import type { GuardOptions } from "./guarded.ts";
import type { Gauge, MetricsSource } from "./observe/metrics.ts";
import { sessionGauges } from "./session-gauges.ts";
import { peerClientFactory } from "./peer-clients.ts";
import { servingHalfOf } from "./serving-half.ts";
import { sessionCapabilities } from "./session-capabilities.ts";

/** Session options that a user of any channel transport may set; see {@link SessionLimits} for units and defaults. */
export type SessionLimitOptions = { readonly [Name in keyof SessionLimits]?: number | undefined };

/** What a user may say about the sessions of a dialing end, beside their limits. */
export interface CallerSessionOptions extends SessionLimitOptions, CallerCredentials, GuardOptions {
  /** What the server may call here. Default: nothing. */
  readonly serve?: Handler | undefined;
  /** Waits between tries to get a lost connection back: at first none, then these. Default: `{ minMs: 100, maxMs: 5_000, factor: 2 }`. */
  readonly reconnect?: BackoffOptions | undefined;
  /** What becomes of calls that are made while the connection is lost: `wait` for it, or `fail` UNAVAILABLE at once. Default: `wait`. */
  readonly whenDown?: "wait" | "fail" | undefined;
  readonly clock?: Clock | undefined;
  /** Time to connect, over all addresses. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Messages from this size on are compressed, where both ends can; in bytes. Default: 1,024. */
  readonly compressFromBytes?: number | undefined;
  /** Whether stack traces of handlers served here travel to the server. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Errors that no caller hears of. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/** What a channel transport is made of. */
export interface SessionTransportOptions extends CallerSessionOptions {
  /** For messages and logs; must not hold a secret. */
  readonly endpoint: string;
  /** Connects once; with several places to dial, `previous` says whether to go on with the last one. Rejects UNAVAILABLE (nobody there), UNAUTHENTICATED (certificates) or CANCELLED (the signal). */
  readonly dial: Dial;
  readonly codec: EnvelopeCodec;
  /** Compressions that this end can do, the best one first. Default: none. */
  readonly compressions?: readonly Compression[] | undefined;
  /** What proofs are made with. Default: the platform's WebCrypto. */
  readonly crypto?: ProofCrypto | undefined;
  /** What serves a handler that is written by hand: `servingHalf`, which all other handlers bring along. Default: none, so that a page has it only where it serves something. */
  readonly serving?: ServingHalf | undefined;
  /** Differences from what the session gives. */
  readonly capabilities?: Partial<Capabilities> | undefined;
}

/** What happens to a transport's connection. */
export interface TransportEvents {
  /** A session has begun. */
  connected: [];
  /** The connection is lost; calls under way wait for it to come back. */
  suspended: [reason: RpcError];
  /** It is back, and everything goes on where it was. */
  resumed: [];
  /** The session is over; the next call dials again. */
  disconnected: [reason: RpcError];
}

/** `idle`: nobody has called yet, or the session is over · `suspended`: the connection is lost and being dialed again. */
export type TransportStatus = "idle" | "connecting" | "open" | "suspended" | "closed";

/** A transport over channels. */
export interface SessionTransport extends Transport, MetricsSource {
  on<Name extends keyof TransportEvents>(event: Name, listen: (...values: TransportEvents[Name]) => void): () => void;
  /** Whether the handshake with a server is done and the connection stands. */
  readonly connected: boolean;
  readonly status: TransportStatus;
  /** The server, while there is a session with it. */
  readonly peer: Peer | undefined;
}

/** Makes the calling half of a wire from a way to open channels. Lazy: nothing happens before the first call. */
export function createSessionTransport(options: SessionTransportOptions): SessionTransport {
  return new ChannelTransport(options);
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_RECONNECT: BackoffOptions = { minMs: 100, maxMs: 5_000, factor: 2 };
/** A connection that is lost sooner is not dialed again at once. */
const MIN_STAND_MS = 1_000;
export const DEFAULT_COMPRESS_FROM_BYTES = 1024;

class ChannelTransport implements SessionTransport {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  declare readonly [MADE_BY]: object;
  readonly #sessionOptions: SessionOptions;
  readonly #identity: CallerIdentity;
  readonly #emitter: Emitter<TransportEvents>;
  readonly #dialer: Dialer;
  readonly #backoff: Backoff;
  #session: Session | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  /** Sessions that finish their calls while a new one takes over. */
  readonly #draining = new Set<Session>();
  #retryTimer: unknown = undefined;
  /** A connection stands, or has stood until just now. */
  #stands = false;
  #dialedAt = Number.NEGATIVE_INFINITY;
  /** The last dial has failed. */
  #isDown = false;

  constructor(options: SessionTransportOptions) {
    const limits = resolveLimits(options);
    this.clock = options.clock ?? systemClock;
    this.endpoint = options.endpoint;
    this.capabilities = sessionCapabilities(limits, options.compressions, options.capabilities);
    this[MADE_BY] = COPY;
    for (const contract of options.serve?.contracts ?? []) checkBinding(contract, this.capabilities, this.endpoint);
    this.#emitter = new Emitter((thrown) => options.onError?.(RpcError.from(thrown)));
    this.#identity = new CallerIdentity(credentialsIn(options), options.crypto ?? webCrypto);
    this.#backoff = new Backoff({ ...DEFAULT_RECONNECT, ...options.reconnect });
    const { serve } = options;
    const serving = serve === undefined ? undefined : servingHalfOf(serve, options.serving);
    const timeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#dialer = new Dialer(
      (signal, previous) => options.dial(signal, previous),
      this.endpoint,
      timeoutMs,
      this.clock,
    );
    this.#sessionOptions = {
      role: "initiator",
      codec: options.codec,
      compressions: options.compressions ?? [],
      crypto: options.crypto ?? webCrypto,
      compressFromBytes: options.compressFromBytes ?? DEFAULT_COMPRESS_FROM_BYTES,
      handler: serve === undefined ? undefined : serving?.guarded(serve, options, this.clock),
      Incoming: serving?.Incoming ?? UnservedCalls,
      limits,
      clock: this.clock,
      exposeStacks: options.exposeStacks ?? false,
      traffic: { sentMessages: 0, sentBytes: 0, receivedMessages: 0, receivedBytes: 0 },
      failsWhenDown: options.whenDown === "fail",
      createPeerClient: peerClientFactory(this.capabilities, this.endpoint, this.clock),
      events: {
        opened: () => this.#stand("connected"),
        suspended: (session, reason) => this.#fall(session, reason),
        resumed: () => this.#stand("resumed"),
        replaced: (_session, connection, agreement, calls) => this.#replace(connection, agreement, calls),
        draining: (session) => this.#letDrain(session),
        closed: (session, reason) => this.#lose(session, reason),
        report: (error) => options.onError?.(error),
      },
    };
  }

  // Arrow members: the client keeps them without the object, and the hot path has no bound copy in between.
  readonly call = (input: unknown, context: CallContext): Promise<unknown> => {
    const session = this.#session;
    if (session !== undefined) return session.call(input, context);
    try {
      return this.#connect(context.method.name).call(input, context);
    } catch (thrown) {
      return Promise.reject(RpcError.from(thrown));
    }
  };

  readonly stream = (input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> => {
    // The session is looked up when the stream is first read: that is when the call is made.
    let read = false;
    return {
      [Symbol.asyncIterator]: () => {
        if (read)
          throw new RpcError(
            "FAILED_PRECONDITION",
            `${context.method.name}: a stream is read once; call the method again`,
            { reason: "STREAM_READ" },
          );
        read = true;
        return this.#connect(context.method.name).stream(input, context)[Symbol.asyncIterator]();
      },
    };
  };

  readonly topicPort: TopicPort = {
    lasting: true,
    subscribe: (request, context, sink) =>
      this.#connect(context.method.name).peer.patterns.subscribe(request, context, sink),
  };

  readonly workQueue: WorkQueue = {
    lasting: true,
    submit: (request, context, submitter) => {
      try {
        return this.#connect(context.method.name).peer.patterns.submit(request, context, submitter);
      } catch (thrown) {
        submitter.failed(RpcError.from(thrown));
        return { detach: () => undefined };
      }
    },
    consume: (context, taker) => this.#connect(context.method.name).peer.patterns.consume(context, taker),
  };

  get connected(): boolean {
    return this.#session?.ready === true;
  }

  get isDown(): boolean {
    return this.#isDown || this.#session?.suspended === true;
  }

  get status(): TransportStatus {
    if (this.#closing !== undefined) return "closed";
    if (this.#session === undefined) return "idle";
    if (this.#session.ready) return "open";
    return this.#session.suspended ? "suspended" : "connecting";
  }

  get peer(): Peer | undefined {
    return this.#session?.peer;
  }

  on<Name extends keyof TransportEvents>(event: Name, listen: (...values: TransportEvents[Name]) => void): () => void {
    return this.#emitter.on(event, listen);
  }

  read(): readonly Gauge[] {
    const sessions = this.#session === undefined ? this.#draining : [this.#session, ...this.#draining];
    return sessionGauges(this.endpoint, sessions, this.#sessionOptions.traffic, 0);
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      let session = this.#connect("ready");
      if (session.ready) return resolve();
      const check = (): void => {
        // A session that the server had forgotten is replaced in the same turn.
        if (session.finished !== undefined) session = this.#session ?? session;
        if (!session.ready && session.finished === undefined) return;
        for (const take of off) take();
        if (session.finished === undefined) resolve();
        else reject(session.finished);
      };
      const checkSoon = (): void => queueMicrotask(check);
      const off = [this.on("connected", check), this.on("resumed", check), this.on("disconnected", checkSoon)];
    });
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: CloseOptions): Promise<void> {
    const sessions = [...this.#draining];
    if (this.#session !== undefined) sessions.push(this.#session);
    this.#session = undefined;
    const abortDial = (): void => {
      this.#stopRetry();
      if (!this.#dialer.busy) return;
      const message = `${this.endpoint}: the transport was closed`;
      this.#dialer.abort(new RpcError("CANCELLED", message, { reason: "CLOSED" }));
    };
    // With time to drain, calls that wait for this very dial may still be made.
    if ((options.drainMs ?? 0) <= 0) abortDial();
    await Promise.all(sessions.map((session) => session.close(options)));
    abortDial();
  }

  /** The session that calls go to, made and dialed when there is none. */
  #connect(what: string): Session {
    if (this.#closing !== undefined) {
      const message = `${what}: the transport to ${this.endpoint} is closed`;
      throw noteCallError(new RpcError("FAILED_PRECONDITION", message, { reason: "CLOSED", delivered: "no" }));
    }
    if (this.#session !== undefined) return this.#session;
    const session = this.#begin();
    this.#dial(session);
    return session;
  }

  #begin(): Session {
    const session = new Session(this.#sessionOptions);
    session.peer.endpoint = this.endpoint;
    this.#session = session;
    return session;
  }

  #dial(session: Session): void {
    this.#stopRetry();
    this.#dialedAt = this.clock.now();
    const handshake = (connection: Connection): InitiatorHandshake =>
      new InitiatorHandshake(this.#sessionOptions, connection, this.#identity, session.prepareResume());
    this.#dialer.open().then(
      (channel) => session.attach(channel, handshake),
      (thrown: unknown) => {
        const reason = RpcError.from(thrown);
        this.#isDown = true;
        // Only somebody who is not there now may be there later.
        if (!session.suspended || reason.code !== "UNAVAILABLE") return session.end(reason);
        this.#retry(() => this.#dial(session));
      },
    );
  }

  #stand(event: "connected" | "resumed"): void {
    this.#stands = true;
    this.#isDown = false;
    this.#dialer.stood();
    this.#emitter.emit(event);
  }

  /** The connection is lost, or another try to get it back has failed. */
  #fall(session: Session, reason: RpcError): void {
    const stood = this.#stands;
    this.#stands = false;
    if (stood) this.#emitter.emit("suspended", reason);
    // Whoever was told may have ended it.
    if (session.finished !== undefined || this.#session !== session) return;
    // A server that takes connections and drops them must not be dialed without a pause, nor with ever the same.
    if (!stood || this.clock.now() - this.#dialedAt < MIN_STAND_MS) return this.#retry(() => this.#dial(session));
    this.#backoff.reset();
    this.#dial(session);
  }

  #retry(run: () => void): void {
    this.#stopRetry();
    this.#retryTimer = this.clock.setTimeout(() => {
      this.#retryTimer = undefined;
      run();
    }, this.#backoff.nextMs());
  }

  #stopRetry(): void {
    if (this.#retryTimer !== undefined) this.clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }

  #replace(connection: Connection, agreement: Agreement, calls: readonly OutgoingCall[]): void {
    if (this.#closing !== undefined) {
      for (const call of calls) call.fail(new RpcError("UNAVAILABLE", "the transport was closed", { delivered: "no" }));
      return connection.leave(new RpcError("UNAVAILABLE", "the transport was closed", { reason: "CLOSED" }));
    }
    const isFirst = this.#session === undefined;
    const session = this.#session ?? this.#begin();
    if (isFirst) session.adopt(connection, agreement);
    else connection.leave(new RpcError("UNAVAILABLE", "another session has begun", { reason: "CLOSED" }));
    for (const call of calls) {
      call.move(session, session.outgoing);
      session.outgoing.start(call);
    }
  }

  #letDrain(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#draining.add(session);
  }

  #lose(session: Session, reason: RpcError): void {
    this.#draining.delete(session);
    if (this.#session === session) {
      this.#session = undefined;
      this.#stopRetry();
      this.#dialer.abort(reason);
    }
    this.#emitter.emit("disconnected", reason);
  }
}

const CREDENTIALS = ["secret", "identity", "token", "channelBinding"] as const;

/** The credentials among other options. What was not said stays unsaid: a secret that is undefined is refused. */
function credentialsIn(options: CallerCredentials): CallerCredentials {
  const entries = CREDENTIALS.filter((name) => name in options).map((name) => [name, options[name]]);
  return Object.fromEntries(entries) as CallerCredentials;
}
