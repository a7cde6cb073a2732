import { type Peer, RpcError } from "@rpc/core";

/** Who has issued a command, as far as its row tells. */
export class IssuerPeer implements Peer {
  /** `created_by`; whoever can insert can write it. */
  readonly identity: string | undefined;
  readonly endpoint: string;
  readonly instanceId = "";
  readonly ignoredCount = 0;
  readonly callsInFlight = 1;
  readonly connected = false;
  readonly #cancel: (reason: RpcError) => void;

  constructor(identity: string | undefined, endpoint: string, cancel: (reason: RpcError) => void) {
    this.identity = identity;
    this.endpoint = endpoint;
    this.#cancel = cancel;
  }

  client(): never {
    const message = `${this.endpoint}: the issuer of a command cannot be called back through the queue; pair it with another transport`;
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "CAPABILITY" });
  }

  disconnect(reason?: RpcError): void {
    this.#cancel(reason ?? new RpcError("CANCELLED", "the handler ended the command", { reason: "CANCELLED" }));
  }
}
