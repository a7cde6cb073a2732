import type { Clock } from "../words/clock.ts";
import { Body, type Envelope } from "../words/envelope.ts";
import type { Counts, EnvelopeCodec } from "../words/envelope-codec.ts";
import type { SessionLimits } from "../words/limits.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Connection } from "./connection.ts";
import { FIRST_COUNTED, Ledger } from "./ledger.ts";

/** Replies that wait for the wire, from which an acceptor stops reading: a peer that does not read gets no more work done. */
const HELD_REPLIES = 8;

/** Share of `maxSendBufferBytes` from which an acceptor stops reading from a peer that does not read. */
const PAUSE_READING_SHARE = 0.5;

/** How long an acknowledgement waits for something to ride on. */
const ACK_DELAY_MS = 200;

/** Messages to acknowledge, from which the next message takes the acknowledgement along. */
const RIDING_MESSAGES = 16;

/**
 * Messages that keep the session going. Up to a size that any sane limit allows they are sent whatever the limit is: there is nobody to
 * tell that one of them cannot be sent.
 */
const MAX_CONTROL_BYTES = 1024;
const CONTROL_BODIES: ReadonlySet<number> = new Set([
  0,
  Body.Ping,
  Body.Pong,
  Body.Goodbye,
  Body.Cancel,
  Body.Credit,
  Body.End,
  Body.Drain,
]);

const BARE_ACK = { body: 0, number: 0 } as const;

/** What a wire tells its session. */
export interface WireOwner {
  /** More may be sent again. */
  resumed(): void;
  /** The far end takes, or acknowledges, too little. */
  overflow(message: string, option: string): void;
}

/**
 * The sending half of a session: encodes, counts, keeps what may have to be sent again, keeps to the peer's limit, and knows whether more may
 * be sent now. It outlives its connections.
 */
export class Wire {
  /** Largest message that the peer takes. */
  maxSendBytes: number;
  /** Whether more may be sent: there is a connection that takes it, and room in the window of what is not acknowledged. */
  writable = false;
  ledger: Ledger | undefined = undefined;
  connection: Connection | undefined = undefined;
  readonly #codec: EnvelopeCodec;
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  /** Only an acceptor stops reading from a peer that does not read: if both did, neither could ever go on. */
  readonly #mayPause: boolean;
  readonly #owner: WireOwner;
  readonly #counts: Counts = { ack: -1, ackRequested: false };
  #channelFull = false;
  #unsentBytes = 0;
  #ackTimer: unknown = undefined;
  /** As many at most as calls are in flight. */
  #heldReplies: (() => void)[] = [];

  constructor(codec: EnvelopeCodec, limits: SessionLimits, clock: Clock, mayPause: boolean, owner: WireOwner) {
    this.#codec = codec;
    this.#limits = limits;
    this.#clock = clock;
    this.#mayPause = mayPause;
    this.#owner = owner;
    this.maxSendBytes = limits.maxMessageBytes;
  }

  /** Goes on over a new connection. */
  connect(connection: Connection, maxSendBytes: number): void {
    this.connection = connection;
    this.maxSendBytes = maxSendBytes;
    this.#channelFull = false;
    this.#unsentBytes = 0;
    this.writable = this.ledger?.full !== true;
  }

  /** The connection is gone; what is sent meanwhile is kept, as far as it counts. */
  disconnect(): void {
    this.connection = undefined;
    this.writable = false;
    this.#stopAckTimer();
  }

  /** Ends for good. */
  stop(): void {
    this.disconnect();
    this.ledger?.replay?.clear();
    this.ledger = undefined;
    this.#heldReplies = [];
  }

  /** Both ends count from here on; `keeps`: what is not acknowledged is kept for another connection. */
  count(keeps: boolean): void {
    this.ledger = new Ledger(this.#limits, keeps);
  }

  /** Encodes and sends, and gives the size. Throws RpcError for what cannot be encoded or is too large; on an ended session it does nothing. */
  send(envelope: Envelope, ackRequested = false): number {
    const { ledger, connection } = this;
    const counted = ledger !== undefined && envelope.body >= FIRST_COUNTED;
    if (connection === undefined && !(counted && ledger.replay !== undefined)) return 0;
    const bytes =
      ledger === undefined ? this.#codec.encode(envelope) : this.#encodeCounting(envelope, ledger, ackRequested);
    const { byteLength } = bytes;
    if (byteLength > this.maxSendBytes && (byteLength > MAX_CONTROL_BYTES || !CONTROL_BODIES.has(envelope.body))) {
      const message = `message of ${byteLength} bytes is larger than the ${this.maxSendBytes} that both ends accept; raise maxMessageBytes or use a stream`;
      throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMessageBytes" });
    }
    if (ledger !== undefined && this.#counts.ack >= 0) ledger.tell(this.#counts.ack);
    const owned = this.#codec.ownsLast;
    if (counted) {
      ledger.keep(bytes, owned);
      if (ledger.replay !== undefined && ledger.full) this.#fillWindow(ledger.replay.bytes - byteLength);
    }
    // What is kept for another connection is not given away with this one.
    const given = owned && ledger?.replay === undefined;
    if (connection !== undefined && !connection.transmit(bytes, given)) this.#fillChannel(byteLength);
    return byteLength;
  }

  #encodeCounting(envelope: Envelope, ledger: Ledger, ackRequested: boolean): Uint8Array {
    const counts = this.#counts;
    // Not on every message, which would cost more than it frees.
    const rides = envelope.body < FIRST_COUNTED || ledger.untold >= RIDING_MESSAGES;
    const tells = ledger.replay === undefined ? envelope === BARE_ACK : rides;
    counts.ack = tells && (ledger.untold > 0 || envelope === BARE_ACK) ? ledger.received : -1;
    counts.ackRequested = ackRequested || (ledger.replay !== undefined && ledger.shouldAsk);
    if (counts.ackRequested) ledger.asked();
    return this.#codec.encode(envelope, counts);
  }

  /** Tells the far end now what has arrived. */
  acknowledge(): void {
    const { ledger } = this;
    if (ledger === undefined || this.connection === undefined) return;
    this.send(BARE_ACK);
  }

  /** A message of the far end has been handled: it is acknowledged soon, if not with something that was sent meanwhile. */
  received(ackRequested: boolean): void {
    const { ledger } = this;
    if (ledger === undefined) return;
    if (ackRequested) return this.acknowledge();
    if (ledger.replay === undefined || ledger.received === ledger.told) return;
    if (ledger.overdue) return this.acknowledge();
    if (this.#ackTimer === undefined) this.#acknowledgeSoon();
  }

  /** A method of its own: a closure where every message passes costs memory for each of them, whether it is made or not. */
  #acknowledgeSoon(): void {
    this.#ackTimer = this.#clock.setTimeout(() => {
      this.#ackTimer = undefined;
      const { ledger } = this;
      if (ledger !== undefined && ledger.received !== ledger.told) this.acknowledge();
    }, ACK_DELAY_MS);
  }

  /** The far end says what it has; gives what is wrong with that, if anything is. */
  acknowledged(count: number): string | undefined {
    const { ledger } = this;
    if (ledger === undefined) return "an acknowledgement, though none was agreed";
    const wrong = ledger.acknowledge(count);
    if (wrong === undefined && !this.writable) this.#reopen();
    return wrong;
  }

  /** Sends again what the far end does not have. `remainingMs` gives what is left of a call's time. */
  replay(remainingMs: (callId: number) => number): void {
    const { connection, ledger } = this;
    if (connection === undefined || ledger?.replay === undefined) return;
    for (const kept of ledger.replay) {
      let envelope = this.#codec.decode(kept);
      if (envelope.body === Body.Call && envelope.deadlineMs !== undefined)
        envelope = { ...envelope, deadlineMs: remainingMs(envelope.id) };
      // Encoded anew, because what it said about acknowledgement is of another time.
      this.#channelFull = !connection.transmit(this.#codec.encode(envelope), this.#codec.ownsLast);
    }
    this.writable = !this.#channelFull && !ledger.full;
  }

  /** Sends a reply when more may be sent again. */
  holdReply(send: () => void): void {
    this.#heldReplies.push(send);
    if (this.#heldReplies.length >= HELD_REPLIES) this.#pauseReading();
  }

  /** The channel takes more again. */
  drained(): void {
    this.#channelFull = false;
    this.#unsentBytes = 0;
    this.connection?.resume();
    this.#reopen();
  }

  /** Lets what waits go on, if it may. */
  #reopen(): void {
    if (this.connection === undefined || this.#channelFull || this.ledger?.full === true) return;
    this.writable = true;
    const held = this.#heldReplies;
    this.#heldReplies = [];
    for (const [i, send] of held.entries()) {
      if (!this.writable) {
        this.#heldReplies = [...held.slice(i), ...this.#heldReplies];
        return;
      }
      send();
    }
    if (this.writable) this.#owner.resumed();
  }

  /** `keptBytes`: without the message that has just been sent, which may be as large as it likes. */
  #fillWindow(keptBytes: number): void {
    this.writable = false;
    const { maxReplayBytes, maxSendBufferBytes } = this.#limits;
    if (keptBytes > maxReplayBytes + maxSendBufferBytes)
      this.#owner.overflow(`has not acknowledged ${keptBytes} bytes`, "maxReplayBytes");
  }

  #fillChannel(byteLength: number): void {
    this.writable = false;
    this.#channelFull = true;
    const waitingBytes = this.#unsentBytes;
    this.#unsentBytes += byteLength;
    const { maxSendBufferBytes } = this.#limits;
    if (waitingBytes > maxSendBufferBytes)
      this.#owner.overflow(`does not read: ${waitingBytes} bytes are waiting for it`, "maxSendBufferBytes");
    else if (this.#unsentBytes > maxSendBufferBytes * PAUSE_READING_SHARE) this.#pauseReading();
  }

  #pauseReading(): void {
    // While it is the window that is full, the acknowledgement that opens it has to be read.
    if (this.#mayPause && this.#channelFull) this.connection?.pause();
  }

  #stopAckTimer(): void {
    if (this.#ackTimer !== undefined) this.#clock.clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
  }
}
