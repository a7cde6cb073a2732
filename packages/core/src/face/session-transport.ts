import type { CallContext } from "../words/call-context.ts";
import type { Capabilities } from "../words/capabilities.ts";
import type { Channel } from "../words/channel.ts";
import { type Clock, systemClock } from "../words/clock.ts";
import { DESCRIPTOR } from "../words/contract.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import { resolveLimits, type SessionLimits } from "../words/limits.ts";
import type { ContractDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, CloseOptions, Handler, Transport } from "../words/transport.ts";
import { noteCallError } from "../tools/call-errors.ts";
import { Emitter } from "../tools/emitter.ts";
import { Session } from "../machines/session.ts";
import { checkBinding } from "./binding.ts";
import { createPortClient } from "./client.ts";
import { EMPTY_HANDLER } from "./router.ts";
import { SESSION_CAPABILITIES } from "./session-capabilities.ts";

/** Session options that a user of any channel transport may set; see {@link SessionLimits} for units and defaults. */
export type SessionLimitOptions = { readonly [Name in keyof SessionLimits]?: number | undefined };

/** What a channel transport is made of. */
export interface SessionTransportOptions extends SessionLimitOptions {
  /** For messages and logs; must not hold a secret. */
  readonly endpoint: string;
  /** Connects once. Rejects UNAVAILABLE (nobody there), UNAUTHENTICATED (certificates) or CANCELLED (the signal). */
  dial(signal: AbortSignal): Promise<Channel>;
  readonly codec: EnvelopeCodec;
  /** What the server may call here. Default: nothing. */
  readonly serve?: Handler | undefined;
  /** Differences from what the session gives. */
  readonly capabilities?: Partial<Capabilities> | undefined;
  readonly clock?: Clock | undefined;
  /** Time to connect, over all addresses. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Whether stack traces of handlers served here travel to the server. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Errors that no caller hears of. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/** What happens to a transport's connection. */
export interface TransportEvents {
  connected: [];
  /** The connection is gone; the next call dials again. */
  disconnected: [reason: RpcError];
}

/** A transport over channels. */
export interface SessionTransport extends Transport {
  on<Name extends keyof TransportEvents>(event: Name, listen: (...values: TransportEvents[Name]) => void): () => void;
  /** Whether the handshake with a server is done and the connection stands. */
  readonly connected: boolean;
}

/** Makes the calling half of a wire from a way to open channels. Lazy: nothing happens before the first call. */
export function createSessionTransport(options: SessionTransportOptions): SessionTransport {
  return new ChannelTransport(options);
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

class ChannelTransport implements SessionTransport {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly #options: SessionTransportOptions;
  readonly #limits: SessionLimits;
  readonly clock: Clock;
  readonly #emitter: Emitter<TransportEvents>;
  #session: Session | undefined = undefined;
  #dialing: AbortController | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  /** Sessions that finish their calls while a new one takes over. */
  readonly #draining = new Set<Session>();

  constructor(options: SessionTransportOptions) {
    this.#options = options;
    this.#limits = resolveLimits(options);
    this.clock = options.clock ?? systemClock;
    this.#emitter = new Emitter((thrown) => options.onError?.(RpcError.from(thrown)));
    this.endpoint = options.endpoint;
    this.capabilities = { ...SESSION_CAPABILITIES, ...options.capabilities };
    for (const contract of options.serve?.contracts ?? []) checkBinding(contract, this.capabilities, this.endpoint);
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

  get connected(): boolean {
    return this.#session?.ready === true;
  }

  on<Name extends keyof TransportEvents>(event: Name, listen: (...values: TransportEvents[Name]) => void): () => void {
    return this.#emitter.on(event, listen);
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const session = this.#connect("ready");
      if (session.ready) return resolve();
      const check = (): void => {
        if (!session.ready && session.finished === undefined) return;
        for (const take of off) take();
        if (session.finished === undefined) resolve();
        else reject(session.finished);
      };
      const off = [this.on("connected", check), this.on("disconnected", check)];
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
      const message = `${this.endpoint}: the transport was closed`;
      this.#dialing?.abort(new RpcError("CANCELLED", message, { reason: "CLOSED" }));
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
    const session = new Session({
      role: "initiator",
      codec: this.#options.codec,
      handler: this.#options.serve ?? EMPTY_HANDLER,
      limits: this.#limits,
      clock: this.clock,
      exposeStacks: this.#options.exposeStacks ?? false,
      createPeerClient: peerClientFactory(this.capabilities, this.endpoint, this.clock),
      events: {
        opened: () => this.#emitter.emit("connected"),
        draining: (draining) => this.#letDrain(draining),
        closed: (closed, reason) => this.#lose(closed, reason),
        report: (error) => this.#options.onError?.(error),
      },
    });
    session.peer.endpoint = this.endpoint;
    this.#session = session;
    void this.#dial(session); // Reports through the session.
    return session;
  }

  async #dial(session: Session): Promise<void> {
    const controller = new AbortController();
    this.#dialing = controller;
    const timeoutMs = this.#options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    const timer = this.clock.setTimeout(() => {
      const message = `${this.endpoint} did not answer within ${timeoutMs} ms`;
      controller.abort(new RpcError("UNAVAILABLE", message, { reason: "connectTimeoutMs", delivered: "no" }));
    }, timeoutMs);
    try {
      const channel = await this.#options.dial(controller.signal);
      session.attach(channel);
    } catch (thrown) {
      // Aborted by the timeout or by close: that is the reason, whatever the dial makes of it.
      session.end(RpcError.from(controller.signal.aborted ? controller.signal.reason : thrown));
    } finally {
      this.clock.clearTimeout(timer);
      if (this.#dialing === controller) this.#dialing = undefined;
    }
  }

  #letDrain(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#draining.add(session);
  }

  #lose(session: Session, reason: RpcError): void {
    this.#draining.delete(session);
    if (this.#session === session) this.#session = undefined;
    this.#emitter.emit("disconnected", reason);
  }
}

/** Makes the clients behind `peer.client(contract)`. */
export function peerClientFactory(
  capabilities: Capabilities,
  endpoint: string,
  clock: Clock,
): (port: CallPort, contract: object) => object {
  return (port, contract) => {
    const descriptor = (contract as { readonly [DESCRIPTOR]?: ContractDescriptor })[DESCRIPTOR];
    if (descriptor === undefined)
      throw new RpcError("INVALID_ARGUMENT", "peer.client() takes a contract of defineContract()", {
        reason: "INVALID_ARGUMENT",
      });
    checkBinding(descriptor, capabilities, endpoint);
    return createPortClient(descriptor, port, { clock });
  };
}
