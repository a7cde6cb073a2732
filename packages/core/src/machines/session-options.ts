import type { Clock } from "../words/clock.ts";
import type { SessionLimits } from "../words/limits.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { CallPort, Handler } from "../words/transport.ts";
import type { Connection, ConnectionSettings } from "./connection.ts";
import type { Agreement } from "./handshake.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import type { Session } from "./session.ts";
import type { UnservedCalls } from "./unserved-calls.ts";

type Role = "initiator" | "acceptor";

/** What a session is made of. */
export interface SessionOptions extends ConnectionSettings {
  readonly role: Role;
  /** What this end serves to the other; undefined beside `UnservedCalls`. */
  readonly handler: Handler | undefined;
  /** What takes the other end's calls: `IncomingCalls`, or `UnservedCalls` at an end that serves nothing. */
  readonly Incoming: typeof UnservedCalls;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly exposeStacks: boolean;
  /** While the connection is lost, new calls fail at once instead of waiting for another one. */
  readonly failsWhenDown: boolean;
  /** Makes the typed client behind `peer.client(contract)`; it lives on a higher floor. */
  readonly createPeerClient: (port: CallPort, contract: object) => unknown;
  readonly events: SessionEvents;
}

interface SessionEvents {
  opened(session: Session): void;
  /** The connection is lost, the session waits for another one. */
  suspended(session: Session, reason: RpcError): void;
  /** It goes on over another connection. */
  resumed(session: Session): void;
  /** The far end does not know the session any more; `calls` are to be made again on a new one, over the same connection. */
  replaced(session: Session, connection: Connection, agreement: Agreement, calls: readonly OutgoingCall[]): void;
  /** Once, also for a session that was never opened. */
  closed(session: Session, reason: RpcError): void;
  /** The peer takes no new calls any more; running ones go on. */
  draining(session: Session): void;
  /** An error that no caller hears of. */
  report(error: RpcError): void;
}
