import type { CallContext } from "../words/call-context.ts";
import type { ClientOf, Contract } from "../words/contract.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable, CallPort, PatternPorts } from "../words/transport.ts";
import type { CallingSession } from "./session-parts.ts";
import { SessionPatterns } from "./session-patterns.ts";

/** The session as its peer object sees it. */
export interface PeerSession extends CallPort, CallingSession {
  readonly ignoredCount: number;
  readonly ready: boolean;
  readonly callsInFlight: number;
  end(reason: RpcError, told?: RpcError): void;
}

/** The far end of a session, as users see it. */
export class SessionPeer implements Peer {
  readonly #session: PeerSession;
  #patterns: SessionPatterns | undefined = undefined;
  readonly #createClient: (port: CallPort, contract: object) => unknown;
  endpoint = "";
  instanceId = "";
  identity: string | undefined = undefined;

  constructor(session: PeerSession, createClient: (port: CallPort, contract: object) => unknown) {
    this.#session = session;
    this.#createClient = createClient;
  }

  get ignoredCount(): number {
    return this.#session.ignoredCount;
  }

  get connected(): boolean {
    return this.#session.ready;
  }

  get callsInFlight(): number {
    return this.#session.callsInFlight;
  }

  client<C extends Contract>(contract: C): ClientOf<C> {
    const session = this.#session;
    const port: CallPort & PatternPorts = {
      call: (input, context) => session.call(input, context),
      stream: (input, context) => session.stream(input, context),
      topicPort: this.patterns,
      workQueue: this.patterns,
    };
    // The client is built from this very contract: the one place where its type is proved by construction.
    return this.#createClient(port, contract) as ClientOf<C>;
  }

  /** For machines: what the session offers without a client. Made on first use: most sessions need none. */
  get patterns(): SessionPatterns {
    this.#patterns ??= new SessionPatterns(this.#session);
    return this.#patterns;
  }

  /** For machines: calls the peer without a client. */
  call(input: unknown, context: CallContext): Awaitable<unknown> {
    return this.#session.call(input, context);
  }

  disconnect(
    reason: RpcError = new RpcError("UNAVAILABLE", "disconnected by the other end", { reason: "DISCONNECTED" }),
  ): void {
    this.#session.end(reason, reason);
  }
}
