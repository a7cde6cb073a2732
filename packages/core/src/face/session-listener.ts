import type { Capabilities } from "../words/capabilities.ts";
import type { Channel } from "../words/channel.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import { resolveLimits, type SessionLimits } from "../words/limits.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, CloseOptions, Handler, Listener, ListenerEvents } from "../words/transport.ts";
import { Emitter } from "../tools/emitter.ts";
import { Session } from "../machines/session.ts";
import type { SessionEvents } from "../machines/session-options.ts";
import { checkBinding } from "./binding.ts";
import { SESSION_CAPABILITIES } from "./session-capabilities.ts";
import { peerClientFactory, type SessionLimitOptions } from "./session-transport.ts";

/** What a listener over channels is made of. */
export interface SessionListenerOptions extends SessionLimitOptions {
  /** What clients dial, with the real port. */
  readonly endpoint: string;
  readonly handler: Handler;
  readonly codec: EnvelopeCodec;
  /** Stops accepting; open channels are not its business. Called once. */
  stopAccepting(): Promise<void>;
  /** Differences from what the session gives. */
  readonly capabilities?: Partial<Capabilities> | undefined;
  readonly clock?: Clock | undefined;
  /** Whether handlers' stack traces travel to callers. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Errors that no caller hears of: broken protocol, failed notifications. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/** A listener that is given its channels. */
export interface SessionListener extends Listener {
  /** Takes a new channel and speaks with its far end until it closes. */
  accept(channel: Channel): void;
  /** Channels that are open, with or without a finished handshake. */
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
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #emitter: Emitter<ListenerEvents>;
  readonly #sessions = new Set<Session>();
  readonly #peers = new Set<Peer>();
  // Shared by all sessions: with ten thousand of them it counts.
  readonly #events: SessionEvents;
  readonly #createPeerClient: (port: CallPort, contract: object) => object;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: SessionListenerOptions) {
    this.#options = options;
    this.#limits = resolveLimits(options);
    this.#clock = options.clock ?? systemClock;
    this.endpoint = options.endpoint;
    this.capabilities = { ...SESSION_CAPABILITIES, ...options.capabilities };
    for (const contract of options.handler.contracts) checkBinding(contract, this.capabilities, this.endpoint);
    this.#emitter = new Emitter((thrown) => options.onError?.(RpcError.from(thrown)));
    this.#createPeerClient = peerClientFactory(this.capabilities, this.endpoint, this.#clock);
    this.#events = {
      opened: (session) => {
        this.#peers.add(session.peer);
        this.#emitter.emit("client-connected", session.peer);
      },
      draining: () => undefined,
      closed: (session, reason) => {
        this.#sessions.delete(session);
        if (this.#peers.delete(session.peer)) this.#emitter.emit("client-disconnected", session.peer, reason);
      },
      report: (error) => options.onError?.(error),
    };
  }

  get peers(): Iterable<Peer> {
    return this.#peers;
  }

  get connectionCount(): number {
    return this.#sessions.size;
  }

  accept(channel: Channel): void {
    if (this.#closing !== undefined)
      return channel.close(new RpcError("UNAVAILABLE", `${this.endpoint} is closing`, { reason: "DRAINING" }));
    const session = new Session({
      role: "acceptor",
      codec: this.#options.codec,
      handler: this.#options.handler,
      limits: this.#limits,
      clock: this.#clock,
      exposeStacks: this.#options.exposeStacks ?? false,
      createPeerClient: this.#createPeerClient,
      events: this.#events,
    });
    this.#sessions.add(session);
    session.attach(channel);
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
    await Promise.all([...this.#sessions].map((session) => session.close(options)));
    await stopped;
  }
}
