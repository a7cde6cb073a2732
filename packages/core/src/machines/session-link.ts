import type { Clock } from "../words/clock.ts";
import type { Envelope } from "../words/envelope.ts";
import type { SessionLimits } from "../words/limits.ts";
import type { Peer } from "../words/peer.ts";
import type { RpcError } from "../words/rpc-error.ts";
import type { Handler } from "../words/transport.ts";
import type { Ledger } from "./ledger.ts";

/** The session as its parts (outgoing calls, incoming calls, streams) see it. */
export interface SessionLink {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** For `IncomingCalls` and what they make; where calls are unserved it is not there. */
  readonly handler: Handler;
  readonly exposeStacks: boolean;
  readonly peer: Peer;
  /** Names the session in call ids; empty before the handshake. */
  readonly sessionName: string;
  /** Whether the wire takes more now. */
  readonly writable: boolean;
  /** Whether the handshake is done, so that own calls may be sent. */
  readonly ready: boolean;
  /** Why the session has ended, once it has. */
  readonly finished: RpcError | undefined;
  /** Why no new call can be made any more: the session has ended or is draining. */
  readonly refusal: RpcError | undefined;
  /** Why a new call fails at once although the session may go on later; undefined: it does not. */
  readonly down: RpcError | undefined;
  /** What both ends have counted; undefined where they do not count, so that nobody can be asked what has arrived. */
  readonly ledger: Ledger | undefined;
  /** Calls that the peer takes at once. */
  readonly peerMaxCalls: number;
  /** Size of the message that is being handled. */
  readonly messageBytes: number;
  /** Bytes of stream items that wait for their readers, over all streams of the session. */
  unreadBytes: number;
  /** Sends a reply when the wire takes more again. */
  holdReply(send: () => void): void;
  /** Encodes and sends, and gives the size. Throws RpcError for what cannot be encoded or is larger than the peer takes; on a closed session it does nothing. `ackRequested`: the peer is to say at once that it has arrived. */
  send(envelope: Envelope, ackRequested?: boolean): number;
  /** Makes sure that a deadline will be noticed. */
  watchDeadline(deadline: number): void;
  /** Ends the session because the peer broke the protocol. */
  breach(message: string): void;
  /** A call has ended on either side: there may be room for another, or a drain may be complete. */
  callEnded(): void;
  /** An error that belongs to no caller: it is logged. */
  report(error: RpcError): void;
}
