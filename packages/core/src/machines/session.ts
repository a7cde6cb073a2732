import type { CallContext } from "../words/call-context.ts";
import type { Channel, ChannelSink } from "../words/channel.ts";
import type { Clock } from "../words/clock.ts";
import { Body, type Envelope } from "../words/envelope.ts";
import type { SessionLimits } from "../words/limits.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, CloseOptions, Handler } from "../words/transport.ts";
import { hexFromBytes } from "../tools/bytes.ts";
import { Drain } from "../tools/drain.ts";
import { DeadlineSweep, type Expiring } from "../tools/deadline-sweep.ts";
import { Heartbeat, type HeartbeatPort } from "../tools/heartbeat.ts";
import { payloadOf } from "../tools/payloads.ts";
import { Single } from "../tools/single.ts";
import { errorFromWire, wireErrorOf } from "../tools/wire-error.ts";
import { type Agreement, Handshake, type HandshakePort } from "./handshake.ts";
import { IncomingCall } from "./incoming-call.ts";
import { IncomingCalls } from "./incoming-calls.ts";
import { OutgoingNotification, OutgoingUnary } from "./outgoing-call.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { PingBudget } from "./ping-budget.ts";
import type { SessionLink } from "./session-link.ts";
import type { SessionOptions } from "./session-options.ts";
import { SessionPeer } from "./session-peer.ts";
import { Wire } from "./wire.ts";

/**
 * What two ends keep over one channel: calls both ways, streams, notifications, deadlines, signs of life. It exists before its
 * channel does, so that calls may be made at once and wait. It ends once, with a reason.
 */
export class Session implements SessionLink, ChannelSink, HeartbeatPort, HandshakePort, CallPort {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly handler: Handler;
  readonly exposeStacks: boolean;
  readonly peer: SessionPeer;
  readonly #options: SessionOptions;
  readonly #wire: Wire;
  readonly #outgoing: OutgoingCalls;
  readonly #incoming: IncomingCalls;
  // What an idle session does not need is made on first use or let go: with ten thousand of them it counts.
  #deadlines: DeadlineSweep | undefined = undefined;
  #handshake: Handshake | undefined = undefined;
  #pings: PingBudget | undefined = undefined;
  #heartbeat: Heartbeat | undefined = undefined;
  #drain: Drain | undefined = undefined;
  #finished: RpcError | undefined = undefined;
  ready = false;
  refusal: RpcError | undefined = undefined;
  peerMaxCalls: number = Number.POSITIVE_INFINITY;
  sessionName = "";
  receivedCount = 0;
  messageBytes = 0;
  unreadBytes = 0;

  constructor(options: SessionOptions) {
    const initiator = options.role === "initiator";
    this.#options = options;
    this.limits = options.limits;
    this.clock = options.clock;
    this.handler = options.handler;
    this.exposeStacks = options.exposeStacks;
    this.#wire = new Wire(options.codec, options.limits, options.role === "acceptor", (bytes) =>
      this.#cut(`${this.peer.endpoint} does not read: ${bytes} bytes are waiting for it`, "maxSendBufferBytes"),
    );
    this.#outgoing = new OutgoingCalls(this, initiator ? 1 : 2);
    this.#incoming = new IncomingCalls(this, initiator ? 0 : 1);
    this.peer = new SessionPeer(this, options.createPeerClient);
  }

  /** Why the session has ended, once it has. */
  get finished(): RpcError | undefined {
    return this.#finished;
  }

  /** Calls on their way in either direction. */
  get callsInFlight(): number {
    return this.#outgoing.count + this.#incoming.count;
  }

  get writable(): boolean {
    return this.#wire.writable;
  }

  get readingPaused(): boolean {
    return this.#wire.readingPaused;
  }

  get sentCount(): number {
    return this.#wire.sentCount;
  }

  get ignoredCount(): number {
    return this.#outgoing.lateCount + this.#incoming.lateCount;
  }

  /** Gives the session its channel, once, and starts the handshake. */
  attach(channel: Channel): void {
    if (this.#finished !== undefined) return channel.close(this.#finished);
    this.#wire.channel = channel;
    this.peer.endpoint = channel.remote;
    channel.limitMessageBytes?.(this.limits.maxUnauthenticatedBytes);
    channel.open(this);
    this.#handshake = new Handshake(this.#options.role, this.limits, this.clock, this);
    this.#handshake.start();
  }

  call(input: unknown, context: CallContext): Promise<unknown> {
    const payload = payloadOf(context.method.input.codec, input);
    const Call = context.method.kind === "notification" ? OutgoingNotification : OutgoingUnary;
    return new Promise((resolve, reject) => {
      this.#outgoing.start(new Call(this, this.#outgoing, context, this.#parentId(context), payload, resolve, reject));
    });
  }

  stream(input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> {
    const parentId = this.#parentId(context);
    if (context.method.kind !== "serverStream")
      return new OutgoingStream(this, this.#outgoing, context, parentId, undefined, input);
    if (input instanceof Single) {
      const payload = payloadOf(context.method.input.codec, input.value);
      return new OutgoingStream(this, this.#outgoing, context, parentId, payload, undefined);
    }
    return this.#streamAfterInput(input, context, parentId);
  }

  async *#streamAfterInput(
    input: AsyncIterable<unknown>,
    context: CallContext,
    parentId: number,
  ): AsyncIterable<unknown> {
    for await (const only of input) {
      const payload = payloadOf(context.method.input.codec, only);
      yield* new OutgoingStream(this, this.#outgoing, context, parentId, payload, undefined);
      return;
    }
    throw new RpcError("INVALID_ARGUMENT", `${context.method.name}: no input`, { reason: "INVALID_ARGUMENT" });
  }

  /** Ends the session. New calls are refused at once; running ones may finish for `drainMs`. */
  async close(options: CloseOptions = {}): Promise<void> {
    if (this.#finished !== undefined) return;
    const drainMs = options.drainMs ?? 0;
    this.refusal ??= new RpcError("UNAVAILABLE", "the session is draining", { reason: "DRAINING" });
    this.#incoming.refuseNew();
    if (drainMs > 0 && this.callsInFlight > 0) {
      if (this.ready) this.send({ body: Body.Drain, reason: "closing", deadlineMs: drainMs });
      await this.#idle(drainMs);
    }
    this.end(new RpcError("UNAVAILABLE", "the session was closed by this end", { reason: "CLOSED" }));
  }

  /** Ends the session now, telling the peer. `told` is the error that the peer hears; without it the end is an ordinary one. */
  end(reason: RpcError, told?: RpcError): void {
    if (this.#finished !== undefined) return;
    const error = told === undefined ? undefined : wireErrorOf(told, undefined, false);
    try {
      if (this.#wire.channel !== undefined) this.send({ body: Body.Goodbye, error, sessionOver: true });
    } catch {
      // A peer that takes no message as large as a farewell sees the channel close.
    }
    const channel = this.#wire.channel;
    this.#finish(reason);
    channel?.close(reason);
  }

  #finish(reason: RpcError): void {
    if (this.#finished !== undefined) return;
    this.#finished = reason;
    this.refusal = reason;
    this.ready = false;
    this.#wire.channel = undefined;
    this.#handshake?.stop();
    this.#heartbeat?.stop();
    this.#deadlines?.stop();
    this.#outgoing.failAll(reason);
    this.#incoming.abortAll(reason);
    this.#drain?.finish();
    this.#options.events.closed(this, reason);
  }

  #idle(drainMs: number): Promise<void> {
    this.#drain ??= new Drain(this.clock);
    this.#drain.within(drainMs);
    return this.#drain.done;
  }

  // ---- the handshake's port

  agreed(agreement: Agreement): void {
    const { limits } = this;
    const theirs = agreement.limits;
    this.ready = true;
    this.#handshake = undefined;
    this.sessionName = hexFromBytes(agreement.sessionId.subarray(0, 8));
    this.peer.instanceId = hexFromBytes(agreement.instanceId.subarray(0, 16));
    this.#wire.channel?.limitMessageBytes?.(limits.maxMessageBytes);
    if (theirs !== undefined && theirs.maxMessageBytes > 0)
      this.#wire.maxSendBytes = Math.min(limits.maxMessageBytes, theirs.maxMessageBytes);
    if (theirs !== undefined && theirs.maxCalls > 0) this.peerMaxCalls = theirs.maxCalls;
    if (limits.heartbeatMs > 0) {
      // A peer that beats slowly is given time, but it cannot ask for for ever.
      const aliveMs = Math.max(limits.aliveMs, Math.min(3 * (theirs?.heartbeatMs ?? 0), 10 * limits.aliveMs));
      this.#heartbeat = new Heartbeat(this.clock, this, limits.heartbeatMs, aliveMs);
      this.#heartbeat.start();
    }
    this.#options.events.opened(this);
    this.#outgoing.flush();
  }

  refused(error: RpcError): void {
    if (this.#options.role === "acceptor") this.report(error);
    this.end(error, error);
  }

  // ---- the heartbeat's port

  sendPing(): void {
    this.send({ body: Body.Ping, token: this.sentCount });
  }

  peerSilent(silentMs: number): void {
    this.#cut(`${this.peer.endpoint} was silent for ${Math.round(silentMs)} ms`, "PEER_LOST");
  }

  peerStalled(stalledMs: number): void {
    this.#cut(`${this.peer.endpoint} has read nothing for ${Math.round(stalledMs)} ms`, "PEER_LOST");
  }

  /** Ends the session without a word, because there is nobody to hear it. */
  #cut(message: string, word: string): void {
    const channel = this.#wire.channel;
    const reason = new RpcError("UNAVAILABLE", message, { reason: word });
    this.#finish(reason);
    if (channel?.destroy === undefined) channel?.close(reason);
    else channel.destroy(reason);
  }

  // ---- the channel's sink

  message(bytes: Uint8Array): void {
    if (this.#finished !== undefined) return;
    this.receivedCount++;
    this.messageBytes = bytes.byteLength;
    const limit = this.ready ? this.limits.maxMessageBytes : this.limits.maxUnauthenticatedBytes;
    if (bytes.byteLength > limit) return this.breach(`message of ${bytes.byteLength} bytes, the limit is ${limit}`);
    let envelope: Envelope;
    try {
      envelope = this.#options.codec.decode(bytes);
    } catch (thrown) {
      return this.breach(RpcError.from(thrown).message);
    }
    try {
      if (this.ready) this.#receive(envelope);
      else if (envelope.body === Body.Goodbye) this.#goodbye(envelope.error);
      else this.#handshake?.receive(envelope);
    } catch (thrown) {
      this.report(RpcError.from(thrown));
    }
  }

  drained(): void {
    this.#wire.drained();
    this.#incoming.resume();
    this.#outgoing.resume();
  }

  ended(): void {
    // A process that died looks like one that has only stopped sending: handlers learn that nobody may be listening, and what they
    // make in spite of that is still sent.
    const reason = new RpcError("UNAVAILABLE", `${this.peer.endpoint} closed the connection`, { reason: "PEER_LOST" });
    this.refusal ??= reason;
    this.#options.events.draining(this);
    this.#outgoing.failAll(reason);
    this.#incoming.callerEnded(reason);
    void this.close({ drainMs: this.ready ? this.limits.aliveMs : 0 }); // Never rejects.
  }

  closed(reason: RpcError): void {
    // A stranger on this port, or a broken frame: somebody wants to see that in a log.
    if (reason.reason === "PROTOCOL" && this.#finished === undefined) this.report(reason);
    this.#finish(reason);
  }

  #receive(envelope: Envelope): void {
    switch (envelope.body) {
      case Body.Result:
        return this.#outgoing.receiveResult(envelope);
      case Body.Call: {
        const isCallBack = envelope.parentId !== 0 && this.#outgoing.get(envelope.parentId) !== undefined;
        return this.#incoming.receiveCall(envelope, isCallBack);
      }
      case Body.Item:
        return (this.#incoming.isOurs(envelope.id) ? this.#incoming : this.#outgoing).receiveItem(envelope);
      case Body.Credit:
        return (this.#incoming.isOurs(envelope.id) ? this.#incoming : this.#outgoing).receiveCredit(envelope);
      case Body.End:
        return (this.#incoming.isOurs(envelope.id) ? this.#incoming : this.#outgoing).receiveEnd(envelope);
      case Body.Fail:
        return this.#outgoing.receiveFail(envelope);
      case Body.Notify:
        return this.#incoming.receiveNotify(envelope);
      case Body.Cancel:
        return this.#incoming.receiveCancel(envelope);
      case Body.Progress:
        return this.#outgoing.receiveProgress(envelope);
      case Body.Ping:
        this.#pings ??= new PingBudget(this.clock);
        if (!this.#pings.spend()) return this.breach("more pings than any heartbeat needs");
        this.send({ body: Body.Pong, token: envelope.token });
        return;
      case Body.Drain:
        this.refusal ??= new RpcError("UNAVAILABLE", `${this.peer.endpoint} is draining`, { reason: "DRAINING" });
        this.#options.events.draining(this);
        return this.#outgoing.failWaiting(this.refusal);
      case Body.Goodbye:
        return this.#goodbye(envelope.error);
      case Body.Hello:
      case Body.Challenge:
      case Body.Proof:
      case Body.Welcome:
        return this.breach("a second handshake");
      case Body.Compressed:
        return this.breach("a compressed message, though none was agreed");
      case Body.Settle:
      case Body.Pong:
      case 0:
        // A pong has done its duty by arriving; a body of a newer version is skipped.
        return;
      default:
        envelope satisfies never;
    }
  }

  #goodbye(error: Extract<Envelope, { body: typeof Body.Goodbye }>["error"]): void {
    const channel = this.#wire.channel;
    const reason =
      error === undefined
        ? new RpcError("UNAVAILABLE", `${this.peer.endpoint} has ended the session`, { reason: "PEER_LOST" })
        : errorFromWire(error, undefined);
    this.#finish(reason);
    channel?.close();
  }

  // ---- the parts' link

  send(envelope: Envelope): number {
    return this.#wire.send(envelope);
  }

  holdReply(send: () => void): void {
    this.#wire.holdReply(send);
  }

  watchDeadline(deadline: number): void {
    if (this.#finished !== undefined) return;
    this.#deadlines ??= new DeadlineSweep(this.clock, () => this.#expiring());
    this.#deadlines.watch(deadline);
  }

  breach(message: string): void {
    if (this.#finished !== undefined) return;
    const told = new RpcError("INTERNAL", message, { reason: "PROTOCOL" });
    this.report(
      new RpcError("INTERNAL", `${this.peer.endpoint} broke the protocol: ${message}`, { reason: "PROTOCOL" }),
    );
    this.end(new RpcError("UNAVAILABLE", `the peer broke the protocol: ${message}`, { reason: "PROTOCOL" }), told);
  }

  callEnded(): void {
    this.#outgoing.flush();
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
    yield* this.#outgoing.expiring();
    yield* this.#incoming.expiring();
  }

  #parentId(context: CallContext): number {
    const { parent } = context;
    return parent instanceof IncomingCall && parent.link === this ? parent.callId : 0;
  }
}
