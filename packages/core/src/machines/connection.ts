import type { Channel, ChannelSecurity, ChannelSink } from "../words/channel.ts";
import type { Compression } from "../words/compression.ts";
import { Body, type Envelope } from "../words/envelope.ts";
import type { Counts, EnvelopeCodec } from "../words/envelope-codec.ts";
import { RpcError } from "../words/rpc-error.ts";
import { Heartbeat, type HeartbeatPort } from "../tools/heartbeat.ts";
import { wireErrorOf } from "../tools/wire-error.ts";
import type { Agreement, Handshake, HandshakePort, HandshakeSettings } from "./handshake.ts";
import { PingBudget } from "./ping-budget.ts";

/** Who a connection belongs to: before the handshake is done whoever accepted it, then its session. */
export interface ConnectionOwner {
  agreed(connection: Connection, agreement: Agreement): void;
  /** One envelope after the handshake. `counts` is valid during the call. */
  receive(connection: Connection, envelope: Envelope, counts: Counts, byteLength: number): void;
  /** The channel takes more again. */
  drained(connection: Connection): void;
  /** The far end sends nothing more, but may still read. */
  ended(connection: Connection): void;
  /** It is over, once. Not called for an end that the owner has made itself. */
  lost(connection: Connection, reason: RpcError): void;
  /** The far end gave signs of life no more, or broke the protocol: the owner ends it. */
  silent(connection: Connection, reason: RpcError): void;
  breach(connection: Connection, message: string): void;
  sendPing(connection: Connection): void;
  readonly writable: boolean;
  report(error: RpcError): void;
}

/** What has gone over all connections of a transport or a listener together. Bytes are those of messages, without framing. */
export interface Traffic {
  sentMessages: number;
  sentBytes: number;
  receivedMessages: number;
  receivedBytes: number;
}

/** What all connections of a transport or a listener have in common. */
export interface ConnectionSettings extends HandshakeSettings {
  readonly codec: EnvelopeCodec;
  /** Messages from this size on are compressed, in bytes. */
  readonly compressFromBytes: number;
  readonly traffic: Traffic;
}

/** One channel's life: the handshake, signs of life, messages to envelopes. Sessions outlive it. */
export class Connection implements ChannelSink, HeartbeatPort, HandshakePort {
  readonly channel: Channel;
  owner: ConnectionOwner;
  readingPaused = false;
  sentCount = 0;
  receivedCount = 0;
  /** Grows whenever the far end has taken something: the wire has room again, or an acknowledgement came. */
  progressCount = 0;
  readonly #settings: ConnectionSettings;
  // Shared by all messages of this connection: what it says is read before the next one comes.
  readonly #counts: Counts = { ack: -1, ackRequested: false };
  #compression: Compression | undefined = undefined;
  // What an open and quiet connection does not need is let go: with ten thousand of them it counts.
  #handshake: Handshake | undefined = undefined;
  #heartbeat: Heartbeat | undefined = undefined;
  #pings: PingBudget | undefined = undefined;
  /** Messages that arrived while a step of the handshake was computed, from a channel that cannot pause. */
  #held: { readonly messages: Uint8Array[]; bytes: number } | undefined = undefined;
  #open = false;
  #over = false;

  constructor(channel: Channel, owner: ConnectionOwner, settings: ConnectionSettings) {
    this.channel = channel;
    this.owner = owner;
    this.#settings = settings;
  }

  get remote(): string {
    return this.channel.remote;
  }

  get codec(): EnvelopeCodec {
    return this.#settings.codec;
  }

  get security(): ChannelSecurity {
    return this.channel.security;
  }

  get open(): boolean {
    return this.#open;
  }

  get over(): boolean {
    return this.#over;
  }

  get writable(): boolean {
    return this.owner.writable;
  }

  /** Opens the channel and begins the handshake. */
  start(handshake: Handshake): void {
    const { channel } = this;
    this.#handshake = handshake;
    channel.limitMessageBytes?.(this.#settings.limits.maxUnauthenticatedBytes);
    channel.open(this);
    handshake.start();
  }

  /** Sends one encoded message, compressed where that was agreed and helps. Returns whether the channel takes more. */
  transmit(message: Uint8Array, owned: boolean): boolean {
    this.#countSent(message.byteLength);
    const compression = this.#compression;
    if (compression !== undefined && message.byteLength >= this.#settings.compressFromBytes) {
      const { codec } = this.#settings;
      // `message` may stand in the codec's own buffer: it is not needed any more once it is compressed, or it has an array of its own.
      const own = owned ? message : new Uint8Array(message);
      const packed = codec.encode({ body: Body.Compressed, data: compression.compress(own) });
      if (packed.byteLength < own.byteLength) return this.channel.send(packed, codec.ownsLast);
      return this.channel.send(own);
    }
    return this.channel.send(message, owned);
  }

  #countSent(byteLength: number): void {
    const { traffic } = this.#settings;
    this.sentCount++;
    traffic.sentMessages++;
    traffic.sentBytes += byteLength;
  }

  /** Reading stops and goes on, where the channel can. */
  pause(): void {
    if (this.readingPaused || this.channel.pause === undefined) return;
    this.readingPaused = true;
    this.channel.pause();
  }

  resume(): void {
    if (!this.readingPaused) return;
    this.readingPaused = false;
    this.channel.resume?.();
  }

  /** Ends it after what was sent. Nothing of it arrives any more. */
  close(reason?: RpcError): void {
    this.#stop();
    this.channel.close(reason);
  }

  /** Ends it at once. Nothing of it arrives any more. */
  destroy(reason: RpcError): void {
    this.#stop();
    if (this.channel.destroy === undefined) this.channel.close(reason);
    else this.channel.destroy(reason);
  }

  /** Ends it with a farewell; `told`: what the far end hears. */
  leave(reason: RpcError, told?: RpcError): void {
    if (!this.#over) this.sendGoodbye(told);
    this.close(reason);
  }

  #stop(): void {
    this.#over = true;
    this.#open = false;
    this.#held = undefined;
    this.#handshake?.stop();
    this.#handshake = undefined;
    this.#heartbeat?.stop();
  }

  // ---- the handshake's port

  send(envelope: Envelope): Uint8Array {
    const { codec } = this.#settings;
    const encoded = codec.encode(envelope);
    const bytes = codec.ownsLast ? encoded : new Uint8Array(encoded);
    this.#countSent(bytes.byteLength);
    this.channel.send(bytes);
    return bytes;
  }

  agreed(agreement: Agreement): void {
    const { limits, clock } = this.#settings;
    this.#handshake = undefined;
    this.#open = true;
    this.#compression = agreement.compression;
    this.channel.limitMessageBytes?.(limits.maxMessageBytes);
    this.resume();
    if (limits.heartbeatMs > 0) {
      // A peer that beats slowly is given time, but it cannot ask for for ever.
      const aliveMs = Math.max(limits.aliveMs, Math.min(3 * (agreement.limits?.heartbeatMs ?? 0), 10 * limits.aliveMs));
      this.#heartbeat = new Heartbeat(clock, this, limits.heartbeatMs, aliveMs);
      this.#heartbeat.start();
    }
    this.owner.agreed(this, agreement);
  }

  refused(error: RpcError, told: RpcError = error): void {
    if (this.#over) return;
    // Too late is not for good: the session that was to go on may have been found by the far end already.
    this.sendGoodbye(told, told.code !== "UNAVAILABLE");
    this.close(error);
    this.owner.lost(this, error);
  }

  report(error: RpcError): void {
    this.owner.report(error);
  }

  continued(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const message of held?.messages ?? []) this.message(message);
    // Once it is open, whether to read is the session's business.
    if (!this.#open && !this.#over && !this.#computing) this.resume();
  }

  /** Says farewell; for good, or for this connection alone. A peer that takes no message as large as that sees the channel close. */
  sendGoodbye(told: RpcError | undefined, sessionOver = true): void {
    const error = told === undefined ? undefined : wireErrorOf(told, undefined, false);
    try {
      this.send({ body: Body.Goodbye, error, sessionOver });
    } catch {
      // See above.
    }
  }

  // ---- the heartbeat's port

  sendPing(): void {
    this.owner.sendPing(this);
  }

  peerSilent(silentMs: number): void {
    this.owner.silent(this, lost(`${this.remote} was silent for ${Math.round(silentMs)} ms`));
  }

  peerStalled(stalledMs: number): void {
    this.owner.silent(this, lost(`${this.remote} has read nothing for ${Math.round(stalledMs)} ms`));
  }

  /** Whether a ping may be answered; more of them than any heartbeat needs break the protocol. */
  spendPing(): boolean {
    this.#pings ??= new PingBudget(this.#settings.clock);
    return this.#pings.spend();
  }

  // ---- the channel's sink

  message(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#computing || this.#held !== undefined) return this.#hold(bytes);
    this.receivedCount++;
    const { limits, codec, traffic } = this.#settings;
    traffic.receivedMessages++;
    traffic.receivedBytes += bytes.byteLength;
    const limit = this.#open ? limits.maxMessageBytes : limits.maxUnauthenticatedBytes;
    if (bytes.byteLength > limit)
      return this.owner.breach(this, `message of ${bytes.byteLength} bytes, the limit is ${limit}`);
    let envelope: Envelope;
    let { byteLength } = bytes;
    try {
      envelope = codec.decode(bytes, this.#counts);
      if (envelope.body === Body.Compressed && this.#compression !== undefined) {
        const inflated = this.#compression.decompress(envelope.data, limit);
        ({ byteLength } = inflated);
        envelope = codec.decode(inflated, this.#counts);
      }
    } catch (thrown) {
      return this.owner.breach(this, RpcError.from(thrown).message);
    }
    try {
      if (this.#handshake === undefined || envelope.body === Body.Goodbye) {
        this.owner.receive(this, envelope, this.#counts, byteLength);
        return;
      }
      this.#handshake.receive(envelope, bytes);
      // What comes behind may be as large as a session allows, and as much as a peer has kept for it: it stays where it is.
      if (this.#computing) this.pause();
    } catch (thrown) {
      this.owner.report(RpcError.from(thrown));
    }
  }

  /** A step of the handshake is under way. */
  get #computing(): boolean {
    return this.#handshake?.busy === true;
  }

  #hold(bytes: Uint8Array): void {
    const held = (this.#held ??= { messages: [], bytes: 0 });
    held.messages.push(bytes);
    held.bytes += bytes.byteLength;
    if (held.bytes > (this.#handshake?.maxHeldBytes ?? 0))
      this.owner.breach(this, "messages before the handshake was done");
  }

  drained(): void {
    this.progressCount++;
    if (!this.#over) this.owner.drained(this);
  }

  ended(): void {
    if (!this.#over) this.owner.ended(this);
  }

  closed(reason: RpcError): void {
    if (this.#over) return;
    this.#stop();
    this.owner.lost(this, reason);
  }
}

function lost(message: string): RpcError {
  return new RpcError("UNAVAILABLE", message, { reason: "PEER_LOST" });
}
