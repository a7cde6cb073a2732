import type { Clock } from "../words/clock.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import type { SessionLimits } from "../words/limits.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { CallPort, Handler } from "../words/transport.ts";
import type { Role } from "./handshake.ts";
import type { Session } from "./session.ts";

/** What a session is made of. */
export interface SessionOptions {
  readonly role: Role;
  readonly codec: EnvelopeCodec;
  /** What this end serves to the other. */
  readonly handler: Handler;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly exposeStacks: boolean;
  /** Makes the typed client behind `peer.client(contract)`; it lives on a higher floor. */
  readonly createPeerClient: (port: CallPort, contract: object) => unknown;
  readonly events: SessionEvents;
}

export interface SessionEvents {
  opened(session: Session): void;
  /** Once, also for a session that was never opened. */
  closed(session: Session, reason: RpcError): void;
  /** The peer takes no new calls any more; running ones go on. */
  draining(session: Session): void;
  /** An error that no caller hears of. */
  report(error: RpcError): void;
}
