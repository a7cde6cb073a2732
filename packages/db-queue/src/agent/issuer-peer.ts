import { type Peer, RpcError } from "@rpc/core";
import { shown } from "@rpc/core/transport";

/** Who has issued a command, as far as its row tells. */
export class IssuerPeer implements Peer {
  /** Whoever can insert can write any name: the row's is part of the endpoint, which proves nothing. */
  readonly identity: undefined = undefined;
  readonly endpoint: string;
  readonly instanceId = "";
  readonly ignoredCount = 0;
  readonly callsInFlight = 1;
  readonly connected = false;
  readonly #cancel: (reason: RpcError) => void;

  /** `command`: where its row is. */
  constructor(createdBy: string | undefined, command: string, cancel: (reason: RpcError) => void) {
    this.endpoint = createdBy === undefined ? command : `${command} (from ${shown(createdBy, 200)})`;
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
