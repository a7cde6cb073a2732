import type { ClientOf, Contract } from "../words/contract.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort } from "../words/transport.ts";

/** The session as its peer object sees it. */
export interface PeerSession extends CallPort {
  readonly ignoredCount: number;
  readonly callsInFlight: number;
  end(reason: RpcError, told?: RpcError): void;
}

/** The far end of a session, as users see it. */
export class SessionPeer implements Peer {
  readonly #session: PeerSession;
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

  get callsInFlight(): number {
    return this.#session.callsInFlight;
  }

  client<C extends Contract>(contract: C): ClientOf<C> {
    const session = this.#session;
    const port: CallPort = {
      call: (input, context) => session.call(input, context),
      stream: (input, context) => session.stream(input, context),
    };
    // The client is built from this very contract: the one place where its type is proved by construction.
    return this.#createClient(port, contract) as ClientOf<C>;
  }

  disconnect(
    reason: RpcError = new RpcError("UNAVAILABLE", "disconnected by the other end", { reason: "DISCONNECTED" }),
  ): void {
    this.#session.end(reason, reason);
  }
}
