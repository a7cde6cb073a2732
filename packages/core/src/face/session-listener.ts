import type { Peers } from "../words/broadcast.ts";
import type { Capabilities } from "../words/capabilities.ts";
import type { Channel } from "../words/channel.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import type { Compression } from "../words/compression.ts";
import type { ListenerCredentials } from "../words/credentials.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import { resolveLimits } from "../words/limits.ts";
import type { ProofCrypto } from "../words/proof-crypto.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CloseOptions, Handler, Listener, ListenerEvents } from "../words/transport.ts";
import { Emitter } from "../tools/emitter.ts";
import { webCrypto } from "../tools/proof.ts";
import { Doorkeeper } from "../machines/acceptor-handshake.ts";
import { Reception } from "../machines/reception.ts";
import { Session } from "../machines/session.ts";
import type { SessionOptions } from "../machines/session-options.ts";
import { checkBinding } from "./binding.ts";
import type { GuardOptions } from "./guarded.ts";
import { PeerSet } from "./broadcast.ts";
import type { Gauge, MetricsSource } from "./observe/metrics.ts";
import { SERVING_PARTS } from "./serving-parts.ts";
import { sessionGauges } from "./session-gauges.ts";
import { peerClientFactory } from "./peer-clients.ts";
import { sessionCapabilities } from "./session-capabilities.ts";
import { DEFAULT_COMPRESS_FROM_BYTES, type SessionLimitOptions } from "./session-transport.ts";

/** What a user may say about the sessions of a serving end, beside their limits. */
export interface ListenerSessionOptions extends SessionLimitOptions, ListenerCredentials, GuardOptions {
  readonly clock?: Clock | undefined;
  /** Messages from this size on are compressed, where both ends can; in bytes. Default: 1,024. */
  readonly compressFromBytes?: number | undefined;
  /** Whether handlers' stack traces travel to callers. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Errors that no caller hears of: broken protocol, failed notifications. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/** What a listener over channels is made of. */
export interface SessionListenerOptions extends ListenerSessionOptions {
  /** What clients dial, with the real port. */
  readonly endpoint: string;
  readonly handler: Handler;
  readonly codec: EnvelopeCodec;
  /** Stops accepting; open channels are not its business. Called once. */
  stopAccepting(): Promise<void>;
  /** Differences from what the session gives. */
  readonly capabilities?: Partial<Capabilities> | undefined;
  /** Compressions that this end can do, the best one first. Default: none. */
  readonly compressions?: readonly Compression[] | undefined;
  /** What proofs are made with. Default: the platform's WebCrypto. */
  readonly crypto?: ProofCrypto | undefined;
}

/** A listener that is given its channels. */
export interface SessionListener extends Listener, MetricsSource {
  /**
   * Takes a new channel and speaks with its far end until it closes. `codec`: how envelopes are written on this very channel, where the
   * wire negotiates that; each form of writing needs one instance, because a session goes on only with the one it began with. Default: the
   * listener's.
   */
  accept(channel: Channel, codec?: EnvelopeCodec): void;
  /** Sessions that are open or wait for their peers, and channels whose handshake is under way. */
  readonly connectionCount: number;
}

/** Makes the serving half of a wire from channels. */
export function createSessionListener(options: SessionListenerOptions): SessionListener {
  return new ChannelListener(options);
}

class ChannelListener implements SessionListener {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly #options: SessionListenerOptions;
  readonly #emitter: Emitter<ListenerEvents>;
  readonly #sessions = new Set<Session>();
  readonly #peers: PeerSet;
  readonly #reception: Reception;
  // Shared by all sessions: with ten thousand of them it counts.
  readonly #sessionOptions: SessionOptions;
  readonly #otherOptions = new Map<EnvelopeCodec, SessionOptions>();
  #closing: Promise<void> | undefined = undefined;

  constructor(options: SessionListenerOptions) {
    this.#options = options;
    const limits = resolveLimits(options);
    const clock = options.clock ?? systemClock;
    this.#peers = new PeerSet(clock);
    this.endpoint = options.endpoint;
    this.capabilities = sessionCapabilities(limits, options.compressions, options.capabilities);
    for (const contract of options.handler.contracts) checkBinding(contract, this.capabilities, this.endpoint);
    SERVING_PARTS.check(options.handler);
    const report = (error: RpcError): void => options.onError?.(error);
    this.#emitter = new Emitter((thrown) => report(RpcError.from(thrown)));
    this.#sessionOptions = {
      role: "acceptor",
      codec: options.codec,
      compressions: options.compressions ?? [],
      crypto: options.crypto ?? webCrypto,
      compressFromBytes: options.compressFromBytes ?? DEFAULT_COMPRESS_FROM_BYTES,
      handler: SERVING_PARTS.guarded(options.handler, options, clock),
      Incoming: SERVING_PARTS.Incoming,
      limits,
      clock,
      exposeStacks: options.exposeStacks ?? false,
      traffic: { sentMessages: 0, sentBytes: 0, receivedMessages: 0, receivedBytes: 0 },
      failsWhenDown: false,
      createPeerClient: peerClientFactory(this.capabilities, this.endpoint, clock),
      events: {
        opened: (session) => this.#open(session),
        suspended: (session, reason) => {
          this.#reception.suspend(session);
          this.#emitter.emit("client-suspended", session.peer, reason);
        },
        resumed: (session) => {
          this.#reception.resumed(session);
          this.#emitter.emit("client-resumed", session.peer);
        },
        // An acceptor waits to be dialed.
        replaced: () => undefined,
        draining: () => undefined,
        closed: (session, reason) => this.#lose(session, reason),
        report,
      },
    };
    this.#reception = new Reception(
      this.#sessionOptions,
      new Doorkeeper(credentialsIn(options), this.#sessionOptions.crypto),
      {
        createSession: (codec) => {
          const session = new Session(this.#optionsFor(codec));
          this.#sessions.add(session);
          return session;
        },
        refused: (endpoint, error) => {
          if (error.code === "UNAUTHENTICATED") this.#emitter.emit("client-refused", endpoint, error);
        },
        report,
      },
    );
  }

  get peers(): Peers {
    return this.#peers;
  }

  get connectionCount(): number {
    return this.#sessions.size + this.#reception.waitingCount;
  }

  read(): readonly Gauge[] {
    return sessionGauges(this.endpoint, this.#sessions, this.#sessionOptions.traffic, this.#reception.waitingCount);
  }

  accept(channel: Channel, codec: EnvelopeCodec = this.#options.codec): void {
    if (this.#closing !== undefined)
      return channel.close(new RpcError("UNAVAILABLE", `${this.endpoint} is closing`, { reason: "DRAINING" }));
    this.#reception.accept(channel, codec);
  }

  /** One object for all sessions that write alike. */
  #optionsFor(codec: EnvelopeCodec): SessionOptions {
    if (codec === this.#sessionOptions.codec) return this.#sessionOptions;
    let options = this.#otherOptions.get(codec);
    if (options === undefined) {
      options = { ...this.#sessionOptions, codec };
      this.#otherOptions.set(codec, options);
    }
    return options;
  }

  #open(session: Session): void {
    this.#reception.keep(session);
    this.#peers.add(session.peer);
    this.#emitter.emit("client-connected", session.peer);
  }

  #lose(session: Session, reason: RpcError): void {
    this.#reception.forget(session);
    this.#sessions.delete(session);
    if (this.#peers.delete(session.peer)) this.#emitter.emit("client-disconnected", session.peer, reason);
  }

  on<Name extends keyof ListenerEvents>(event: Name, listen: (...values: ListenerEvents[Name]) => void): () => void {
    return this.#emitter.on(event, listen);
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(options: CloseOptions): Promise<void> {
    // Not awaited first: a server socket may report "closed" only when its last connection is gone.
    const stopped = this.#options.stopAccepting();
    this.#reception.close(new RpcError("UNAVAILABLE", `${this.endpoint} is closing`, { reason: "DRAINING" }));
    await Promise.all([...this.#sessions].map((session) => session.close(options)));
    await stopped;
  }
}

const CREDENTIALS = ["secret", "secrets", "authenticate", "channelBinding"] as const;

/** The credentials among other options. What was not said stays unsaid: a secret that is undefined is refused. */
function credentialsIn(options: ListenerCredentials): ListenerCredentials {
  const entries = CREDENTIALS.filter((name) => name in options).map((name) => [name, options[name]]);
  return Object.fromEntries(entries) as ListenerCredentials;
}
