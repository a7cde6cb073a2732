import type { CallContext } from "../words/call-context.ts";
import type { Channel } from "../words/channel.ts";
import type { Clock } from "../words/clock.ts";
import { Body, type Envelope, type GoodbyeBody, type ResumeRequest } from "../words/envelope.ts";
import type { Counts } from "../words/envelope-codec.ts";
import type { SessionLimits } from "../words/limits.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, CloseOptions, Handler } from "../words/transport.ts";
import { hexFromBytes } from "../tools/bytes.ts";
import { Drain } from "../tools/drain.ts";
import { DeadlineSweep, type Expiring } from "../tools/deadline-sweep.ts";
import { stopped } from "../tools/stopped.ts";
import { errorFromWire } from "../tools/wire-error.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { type Destination, dispatch } from "./dispatch.ts";
import type { Agreement, Handshake } from "./handshake.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { FIRST_COUNTED, type Ledger } from "./ledger.ts";
import type { SessionLink } from "./session-link.ts";
import type { SessionOptions } from "./session-options.ts";
import { ends } from "./session-ends.ts";
import { SessionPeer } from "./session-peer.ts";
import { sessionPartOf } from "./session-parts.ts";
import { startCall } from "./start-call.ts";
import type { UnservedCalls } from "./unserved-calls.ts";
import { Wire, type WireOwner } from "./wire.ts";

/**
 * What two ends keep: calls both ways, streams, notifications, deadlines. It exists before its first connection does, so that calls may be
 * made at once and wait, and it goes on over another connection when one is lost, where both ends agreed on that. It ends once, with a reason.
 */
export class Session implements SessionLink, ConnectionOwner, Destination, WireOwner, CallPort {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly handler: Handler;
  readonly exposeStacks: boolean;
  readonly peer: SessionPeer;
  readonly outgoing: OutgoingCalls;
  readonly incoming: UnservedCalls;
  readonly #options: SessionOptions;
  readonly #wire: Wire;
  // What an idle session does not need is made on first use: with ten thousand of them it counts.
  #deadlines: DeadlineSweep | undefined = undefined;
  #drain: Drain | undefined = undefined;
  /** The channel that is up, or coming up. */
  #connection: Connection | undefined = undefined;
  /** How long the acceptor keeps the session without a connection; undefined until the first handshake is done. */
  #windowMs: number | undefined = undefined;
  /** At a dialing end: what names the session to the other one. */
  #resumeId: Uint8Array | undefined = undefined;
  /** Counts down while there is no connection. */
  #window: unknown = undefined;
  #finished: RpcError | undefined = undefined;
  ready = false;
  refusal: RpcError | undefined = undefined;
  peerMaxCalls: number = Number.POSITIVE_INFINITY;
  /** Names the session in hexadecimal, 32 digits; empty before the handshake. */
  sessionId = "";
  sessionName = "";
  messageBytes = 0;
  unreadBytes = 0;

  constructor(options: SessionOptions) {
    const initiator = options.role === "initiator";
    this.#options = options;
    this.limits = options.limits;
    this.clock = options.clock;
    this.handler = options.handler as Handler; // Absent only beside `UnservedCalls`, which ask for none.
    this.exposeStacks = options.exposeStacks;
    this.#wire = new Wire(options.codec, options.limits, options.clock, !initiator, this);
    this.outgoing = new OutgoingCalls(this, initiator ? 1 : 2);
    this.incoming = new options.Incoming(this, initiator ? 0 : 1);
    this.peer = new SessionPeer(this, options.createPeerClient);
  }

  /** Why the session has ended, once it has. */
  get finished(): RpcError | undefined {
    return this.#finished;
  }

  get suspended(): boolean {
    return this.#window !== undefined;
  }

  /** Calls on their way in either direction. */
  get callsInFlight(): number {
    return this.outgoing.count + this.incoming.count;
  }

  get writable(): boolean {
    return this.#wire.writable;
  }

  get ledger(): Ledger | undefined {
    return this.#wire.ledger;
  }

  get ignoredCount(): number {
    return this.outgoing.lateCount + this.incoming.lateCount;
  }

  /** What a new connection has to ask for in order to go on with this session, which acknowledges what has arrived; undefined: there is nothing to go on with. */
  prepareResume(): ResumeRequest | undefined {
    const { ledger } = this.#wire;
    if (this.#resumeId === undefined || ledger?.replay === undefined) return undefined;
    // Whoever is asked is told, so that no acknowledgement has to follow.
    ledger.tell();
    return { sessionId: this.#resumeId, received: ledger.received };
  }

  /** Gives a dialing session its channel, the first one or another one, and starts the handshake. */
  attach(channel: Channel, handshake: (connection: Connection) => Handshake): void {
    if (this.#finished !== undefined) return channel.close(this.#finished);
    const connection = new Connection(channel, this, this.#options);
    this.#connection = connection;
    this.peer.endpoint = channel.remote;
    connection.start(handshake(connection));
  }

  /** Takes a connection over whose handshake is done. */
  adopt(connection: Connection, agreement: Agreement): void {
    if (this.#finished !== undefined) return connection.leave(this.#finished);
    connection.owner = this;
    this.#connection = connection;
    this.agreed(connection, agreement);
  }

  /** Takes the session off its connection, since its peer has come back over another one. Gives what has been received; undefined: nothing to go on with. */
  release(): number | undefined {
    const { ledger } = this.#wire;
    if (this.#finished !== undefined || ledger?.replay === undefined) return undefined;
    const reason = ends.takenOver();
    this.#connection?.destroy(reason);
    this.#connection = undefined;
    if (!this.suspended) this.#suspend(reason, false);
    ledger.tell();
    return ledger.received;
  }

  call(input: unknown, context: CallContext): Promise<unknown> {
    return startCall(this, input, context);
  }

  stream(input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> {
    return sessionPartOf(context.method, "stream")(this, input, context);
  }

  /** Ends the session. New calls are refused at once; running ones may finish for `drainMs`. */
  async close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    if (this.#finished !== undefined) return;
    // An acceptor that closes is not dialed any more: nobody comes back to it.
    const isLeft = this.suspended && this.#options.role === "acceptor";
    if (drainMs > 0 && this.callsInFlight > 0 && !isLeft) {
      this.refusal ??= ends.drainingHere();
      this.incoming.refuseNew();
      if (this.ready) this.send({ body: Body.Drain, reason: "closing", deadlineMs: drainMs });
      this.#drain ??= new Drain(this.clock);
      this.#drain.within(drainMs);
      await this.#drain.done;
    }
    this.end(ends.closedHere());
  }

  /** Ends the session now, telling the peer. `told` is the error that the peer hears; without it the end is an ordinary one. */
  end(reason: RpcError, told?: RpcError): void {
    if (this.#finished !== undefined) return;
    const connection = this.#connection;
    if (connection?.over === false) connection.sendGoodbye(told);
    this.#finish(reason);
    connection?.close(reason);
  }

  #finish(reason: RpcError, received?: number): void {
    if (this.#finished !== undefined) return;
    this.#finished = reason;
    this.refusal = reason;
    this.ready = false;
    this.#connection = undefined;
    this.#wire.stop();
    this.#window = stopped(this.clock, this.#window);
    this.#deadlines?.stop();
    this.outgoing.failAll(reason, received);
    this.incoming.abortAll(reason);
    this.#drain?.finish();
    this.#options.events.closed(this, reason);
  }

  // ---- the connection's owner

  agreed(connection: Connection, agreement: Agreement): void {
    if (this.#windowMs === undefined) this.#open(connection, agreement);
    else if (agreement.resumed) this.#resume(connection, agreement);
    else this.#replace(connection, agreement);
  }

  #open(connection: Connection, agreement: Agreement): void {
    this.sessionId = hexFromBytes(agreement.sessionId.subarray(0, 16));
    this.sessionName = this.sessionId.slice(0, 16);
    this.peer.endpoint = connection.remote;
    this.peer.identity = agreement.identity;
    if (agreement.counts) this.#wire.count(agreement.resumeWindowMs > 0);
    this.#use(connection, agreement);
    this.#options.events.opened(this);
    this.outgoing.flush();
  }

  #resume(connection: Connection, agreement: Agreement): void {
    const received = agreement.received ?? -1;
    const wrong = this.#wire.acknowledged(received);
    if (wrong !== undefined) return this.breach(wrong);
    this.outgoing.acknowledged(received);
    if (this.ledger?.resumesFruitfully(this.clock.now(), agreement.resumeWindowMs) === false)
      return this.end(ends.fruitless(connection.remote));
    this.#window = stopped(this.clock, this.#window);
    this.peer.endpoint = connection.remote;
    this.#use(connection, agreement);
    this.#wire.replay((callId) => this.outgoing.remainingMs(callId));
    this.#options.events.resumed(this);
    if (this.writable) this.#wire.drained();
  }

  #use(connection: Connection, agreement: Agreement): void {
    const { limits } = agreement;
    // A copy of the little that is needed: the bytes of the handshake would be kept with the rest.
    this.#windowMs = agreement.resumeWindowMs;
    if (this.#options.role === "initiator") this.#resumeId = new Uint8Array(agreement.sessionId);
    this.ready = true;
    this.peer.instanceId = hexFromBytes(agreement.instanceId.subarray(0, 16));
    const ours = this.limits.maxMessageBytes;
    const theirs = limits?.maxMessageBytes ?? 0;
    this.#wire.connect(connection, theirs > 0 ? Math.min(ours, theirs) : ours);
    if (limits !== undefined && limits.maxCalls > 0) this.peerMaxCalls = limits.maxCalls;
  }

  /** The far end has forgotten the session: what it certainly has not begun, or may run twice, goes on with a new one. */
  #replace(connection: Connection, agreement: Agreement): void {
    const { received } = agreement;
    const calls = this.outgoing.takeRepeatable(received);
    this.#connection = undefined;
    this.#finish(ends.sessionForgotten(connection.remote, agreement.refusal), received);
    this.#options.events.replaced(this, connection, agreement, calls);
  }

  lost(connection: Connection, reason: RpcError): void {
    if (connection !== this.#connection || this.#finished !== undefined) return;
    this.#connection = undefined;
    // A stranger on this port, or a broken frame: somebody wants to see that in a log.
    if (reason.reason === "PROTOCOL") this.report(reason);
    return this.#outlives(reason) ? this.#suspend(reason) : this.#finish(reason);
  }

  #outlives(reason: RpcError): boolean {
    if (this.ledger?.replay === undefined || this.refusal !== undefined) return false;
    return reason.code === "UNAVAILABLE" && reason.reason !== "PROTOCOL";
  }

  #suspend(reason: RpcError, isNews = true): void {
    this.ready = false;
    this.#wire.disconnect();
    const windowMs = this.#windowMs ?? 0;
    // A handshake may be under way just then: its connection ends as well.
    const giveUp = (): void => this.end(ends.notResumed(this.peer.endpoint, windowMs, reason));
    this.#window ??= this.clock.setTimeout(giveUp, windowMs);
    if (this.#options.failsWhenDown) this.outgoing.failWaiting(reason);
    if (isNews) this.#options.events.suspended(this, reason);
  }

  /** Why a new call fails at once although the session may go on later. */
  get down(): RpcError | undefined {
    return this.suspended && this.#options.failsWhenDown ? ends.peerDown(this.peer.endpoint) : undefined;
  }

  silent(connection: Connection, reason: RpcError): void {
    connection.destroy(reason);
    this.lost(connection, reason);
  }

  ended(connection: Connection): void {
    const reason = ends.peerClosed(this.peer.endpoint);
    if (this.#outlives(reason)) {
      connection.destroy(reason);
      return this.lost(connection, reason);
    }
    // A process that died looks like one that has only stopped sending: handlers learn that nobody may be listening, and what they
    // make in spite of that is still sent.
    this.refusal ??= reason;
    this.#options.events.draining(this);
    this.outgoing.failAll(reason);
    this.incoming.callerEnded(reason);
    void this.close({ drainMs: this.ready ? this.limits.aliveMs : 0 }); // Never rejects.
  }

  drained(): void {
    this.#wire.drained();
  }

  sendPing(connection: Connection): void {
    if (connection === this.#connection) this.send({ body: Body.Ping, token: connection.sentCount });
  }

  receive(connection: Connection, envelope: Envelope, counts: Counts, byteLength: number): void {
    if (connection !== this.#connection) return;
    this.messageBytes = byteLength;
    const { ledger } = this.#wire;
    if (ledger === undefined) return dispatch(envelope, this);
    const { ack, ackRequested } = counts;
    if (ack >= 0) {
      const wrong = this.#wire.acknowledged(ack);
      if (wrong !== undefined) return this.breach(wrong);
      this.outgoing.acknowledged(ack);
      connection.progressCount++;
    }
    // Counted before it is handled, so that the answer can say so: whatever becomes of it, it has arrived.
    if ((envelope.body === 0 ? envelope.number : envelope.body) >= FIRST_COUNTED) ledger.accept(byteLength);
    try {
      dispatch(envelope, this);
    } finally {
      this.#wire.received(ackRequested);
    }
  }

  // ---- the wire's owner

  resumed(): void {
    this.incoming.resume();
    this.outgoing.resume();
  }

  overflow(message: string, option: string): void {
    const reason = new RpcError("UNAVAILABLE", `${this.peer.endpoint} ${message}`, { reason: option });
    this.#connection?.destroy(reason);
    this.#finish(reason);
  }

  // ---- where envelopes go

  pinged(token: number): void {
    if (this.#connection?.spendPing() === false) return this.breach("more pings than any heartbeat needs");
    this.send({ body: Body.Pong, token });
  }

  peerDrains(): void {
    this.refusal ??= ends.drainingThere(this.peer.endpoint);
    this.#options.events.draining(this);
    this.outgoing.failWaiting(this.refusal);
  }

  goodbye({ error, sessionOver }: GoodbyeBody): void {
    const connection = this.#connection;
    const reason = error === undefined ? ends.peerEnded(this.peer.endpoint) : errorFromWire(error, undefined);
    connection?.close(reason);
    // Turned away at the door, but not for good: the session is still there.
    const goesOn = connection !== undefined && (!this.ready || !sessionOver);
    return goesOn ? this.lost(connection, reason) : this.#finish(reason);
  }

  // ---- the parts' link

  send(envelope: Envelope, ackRequested = false): number {
    return this.#wire.send(envelope, ackRequested);
  }

  holdReply(send: () => void): void {
    this.#wire.holdReply(send);
  }

  watchDeadline(deadline: number): void {
    if (this.#finished !== undefined) return;
    this.#deadlines ??= new DeadlineSweep(this.clock, () => this.#expiring());
    this.#deadlines.watch(deadline);
  }

  breach(problem: Connection | string, text = ""): void {
    if (this.#finished !== undefined) return;
    const message = typeof problem === "string" ? problem : text;
    this.report(ends.brokeProtocol(this.peer.endpoint, message));
    this.end(ends.protocolBroken(message), new RpcError("INTERNAL", message, { reason: "PROTOCOL" }));
  }

  callEnded(): void {
    this.outgoing.flush();
    if (this.callsInFlight > 0) return;
    // A timer for a deadline that nobody has any more would keep a program from ending.
    this.#deadlines?.stop();
    this.#drain?.finish();
  }

  report(error: RpcError): void {
    try {
      this.#options.events.report(error);
    } catch {
      // A log that fails has nobody left to tell; what is being reported goes on as if it had not.
    }
  }

  *#expiring(): Iterable<Expiring> {
    yield* this.outgoing.expiring();
    yield* this.incoming.expiring();
  }
}
