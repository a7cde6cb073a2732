import type { Channel } from "../words/channel.ts";
import type { Envelope, ResumeRequest } from "../words/envelope.ts";
import { Body } from "../words/envelope.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import { RpcError } from "../words/rpc-error.ts";
import { hexFromBytes } from "../tools/bytes.ts";
import { errorFromWire } from "../tools/wire-error.ts";
import { AcceptorHandshake, type Claim, type Doorkeeper, type ResumeDesk } from "./acceptor-handshake.ts";
import { Connection, type ConnectionOwner, type ConnectionSettings } from "./connection.ts";
import { FailureGate } from "./failure-gate.ts";
import type { Agreement } from "./handshake.ts";
import type { Session } from "./session.ts";

/** Refusals are reported no more often than this, with the number of those left out. */
const REPORT_EVERY_MS = 1_000;

/** What a reception works for. */
export interface ReceptionOwner {
  /** Makes a session for somebody who has proved who it is; its envelopes are written by this codec. */
  createSession(codec: EnvelopeCodec): Session;
  /** Somebody was turned away, or left before the handshake was done. */
  refused(endpoint: string, error: RpcError): void;
  report(error: RpcError): void;
}

/**
 * The serving end's door: new channels wait here until their handshake is done, then a session is made for them, or the one that they come back
 * to is found.
 */
export class Reception implements ConnectionOwner {
  readonly writable = true;
  readonly #settings: ConnectionSettings;
  readonly #doorkeeper: Doorkeeper;
  readonly #owner: ReceptionOwner;
  readonly #gate: FailureGate;
  /** Without a finished handshake, the one that waits longest first. */
  readonly #waiting = new Set<Connection>();
  /** Sessions that can be resumed, by id. */
  readonly #sessions = new Map<string, Session>();
  /** Of those that do not write as the listener does. */
  readonly #otherCodecs = new WeakMap<Session, EnvelopeCodec>();
  /** Those among them that have no connection, the one lost longest ago first: with something under way, and without. */
  readonly #suspendedBusy = new Set<Session>();
  readonly #suspendedIdle = new Set<Session>();
  /** When a refusal was reported last, and how many were not since: a stranger must not fill the log. */
  #reportedAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  constructor(settings: ConnectionSettings, doorkeeper: Doorkeeper, owner: ReceptionOwner) {
    this.#settings = settings;
    this.#doorkeeper = doorkeeper;
    this.#owner = owner;
    this.#gate = new FailureGate(settings.clock);
  }

  /** Channels whose handshake is under way. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  accept(channel: Channel, codec: EnvelopeCodec): void {
    const settings = codec === this.#settings.codec ? this.#settings : { ...this.#settings, codec };
    const connection = new Connection(channel, this, settings);
    this.#waiting.add(connection);
    const { limits } = settings;
    const delayMs = (): number => this.#gate.delayMs(channel.remote);
    const desk: ResumeDesk = { claim: (asked, identity) => this.#claim(asked, identity, codec) };
    connection.start(new AcceptorHandshake(settings, connection, this.#doorkeeper, desk, delayMs));
    const [oldest] = this.#waiting;
    if (this.#waiting.size <= limits.maxUnauthenticatedConnections || oldest === undefined) return;
    // Whoever means it is through in milliseconds: the one that waits longest makes room.
    const message = `more than ${limits.maxUnauthenticatedConnections} connections wait for their handshake`;
    this.#turnAway(oldest, new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxUnauthenticatedConnections" }));
  }

  /** Turns away whoever is still at the door. */
  close(reason: RpcError): void {
    for (const connection of this.#waiting) this.#turnAway(connection, reason);
  }

  #turnAway(connection: Connection, reason: RpcError): void {
    this.#waiting.delete(connection);
    connection.leave(reason, reason);
  }

  // ---- sessions that come back

  #claim({ sessionId, received }: ResumeRequest, identity: string | undefined, codec: EnvelopeCodec): Claim {
    const session = this.#sessions.get(hexFromBytes(sessionId.subarray(0, 16)));
    // What a session keeps to be sent again is written by its own codec.
    if (session === undefined || sessionId.length !== 16 || this.#codecOf(session) !== codec)
      return { session: undefined, refusal: "unknown-session", received: undefined };
    if (session.peer.identity !== identity)
      return { session: undefined, refusal: "other-principal", received: undefined };
    if (session.ledger?.mayGoOnAt(received) !== true) {
      const counted = session.release();
      const message = `${session.peer.endpoint} came back with a count of ${received}, which cannot be`;
      session.end(new RpcError("UNAVAILABLE", message, { reason: "PROTOCOL" }));
      return { session: undefined, refusal: "count-mismatch", received: counted };
    }
    const count = session.release();
    if (count === undefined) return { session: undefined, refusal: "expired", received: undefined };
    return { session, refusal: "not-asked", received: count };
  }

  #codecOf(session: Session): EnvelopeCodec {
    return this.#otherCodecs.get(session) ?? this.#settings.codec;
  }

  /** A session has begun that can be resumed. */
  keep(session: Session): void {
    this.#sessions.set(session.sessionId, session);
  }

  /** A session has lost its connection; of too many the one lost longest ago ends, one without calls first. */
  suspend(session: Session): void {
    const idle = session.callsInFlight === 0 && (session.ledger?.replay?.count ?? 0) === 0;
    (idle ? this.#suspendedIdle : this.#suspendedBusy).add(session);
    const { maxSuspendedSessions } = this.#settings.limits;
    if (this.#suspendedIdle.size + this.#suspendedBusy.size <= maxSuspendedSessions) return;
    const [oldest] = this.#suspendedIdle.size > 0 ? this.#suspendedIdle : this.#suspendedBusy;
    const message = `more than ${maxSuspendedSessions} sessions wait for their peers`;
    oldest?.end(new RpcError("UNAVAILABLE", message, { reason: "maxSuspendedSessions" }));
  }

  resumed(session: Session): void {
    this.#suspendedIdle.delete(session);
    this.#suspendedBusy.delete(session);
  }

  forget(session: Session): void {
    this.#sessions.delete(session.sessionId);
    this.resumed(session);
  }

  // ---- the owner of connections without a session

  agreed(connection: Connection, agreement: Agreement): void {
    this.#waiting.delete(connection);
    const { codec } = connection;
    const session = agreement.session ?? this.#owner.createSession(codec);
    if (codec !== this.#settings.codec) this.#otherCodecs.set(session, codec);
    session.adopt(connection, agreement);
  }

  receive(connection: Connection, envelope: Envelope): void {
    if (envelope.body !== Body.Goodbye) return;
    const error =
      envelope.error === undefined
        ? new RpcError("UNAVAILABLE", `${connection.remote} left before the handshake was done`, {
            reason: "PEER_LOST",
          })
        : errorFromWire(envelope.error, undefined);
    connection.close(error);
    this.lost(connection, error);
  }

  lost(connection: Connection, reason: RpcError): void {
    if (!this.#waiting.delete(connection)) return;
    if (reason.code === "UNAUTHENTICATED") this.#gate.note(connection.remote);
    this.#owner.refused(connection.remote, reason);
    // Somebody who comes and goes without a word is no news.
    if (reason.code !== "UNAVAILABLE" || reason.reason !== "PEER_LOST") this.#reportRefusal(connection.remote, reason);
  }

  #reportRefusal(endpoint: string, reason: RpcError): void {
    const now = this.#settings.clock.now();
    if (now - this.#reportedAt < REPORT_EVERY_MS) {
      this.#unreported++;
      return;
    }
    const more = this.#unreported === 0 ? "" : ` (and ${this.#unreported} more since the last report)`;
    this.#reportedAt = now;
    this.#unreported = 0;
    const { code, reason: word, message } = reason;
    this.#owner.report(
      new RpcError(code, `${endpoint} was refused: ${message}${more}`, { reason: word, cause: reason }),
    );
  }

  breach(connection: Connection, message: string): void {
    const error = new RpcError("INTERNAL", message, { reason: "PROTOCOL" });
    connection.sendGoodbye(error);
    connection.close(error);
    this.lost(
      connection,
      new RpcError("INTERNAL", `${connection.remote} broke the protocol: ${message}`, { reason: "PROTOCOL" }),
    );
  }

  ended(connection: Connection): void {
    const reason = new RpcError("UNAVAILABLE", `${connection.remote} closed the connection`, { reason: "PEER_LOST" });
    connection.close(reason);
    this.lost(connection, reason);
  }

  silent(connection: Connection, reason: RpcError): void {
    connection.destroy(reason);
    this.lost(connection, reason);
  }

  drained(): void {
    // A handshake is never held back.
  }

  sendPing(): void {
    // The heart beats from the session on.
  }

  report(error: RpcError): void {
    this.#owner.report(error);
  }
}
