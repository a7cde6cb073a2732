import type { ClientOf, Contract } from "./contract.ts";
import type { RpcError } from "./rpc-error.ts";

/** The remote party of a session. Both ends have one: whoever dialed, either may call the other. */
export interface Peer {
  /** Who it proved to be; undefined without authentication. */
  readonly identity: string | undefined;
  /** Where it is, for messages and logs; not proved. */
  readonly endpoint: string;
  /** Random per process, 32 hex digits: tells a restarted peer from the same one. */
  readonly instanceId: string;
  /** Messages from it that came too late to matter: replies after a cancel or a deadline, items of a stream that had ended. */
  readonly ignoredCount: number;
  /** Calls and streams that are under way between the two ends, in either direction. */
  readonly callsInFlight: number;
  /** Whether there is a connection to it now; without one, calls wait for it to come back. */
  readonly connected: boolean;
  /** Calls this very peer over the session that is already there. */
  client<C extends Contract>(contract: C): ClientOf<C>;
  /** Ends the session; the peer is told the reason. */
  disconnect(reason?: RpcError): void;
}
