import type { Channel } from "../words/channel.ts";
import { Body, type Envelope } from "../words/envelope.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import type { SessionLimits } from "../words/limits.ts";
import { RpcError } from "../words/rpc-error.ts";

/** Replies that wait for the wire, from which an acceptor stops reading: a peer that does not read gets no more work done. */
const HELD_REPLIES = 8;

/** Share of `maxSendBufferBytes` from which an acceptor stops reading from a peer that does not read. */
const PAUSE_READING_SHARE = 0.5;

/**
 * Messages that keep the session going. Up to a size that any sane limit allows they are sent whatever the limit is: there is nobody to
 * tell that one of them cannot be sent.
 */
const MAX_CONTROL_BYTES = 1024;
const CONTROL_BODIES: ReadonlySet<number> = new Set([
  Body.Hello,
  Body.Challenge,
  Body.Welcome,
  Body.Ping,
  Body.Pong,
  Body.Goodbye,
  Body.Cancel,
  Body.Credit,
  Body.End,
  Body.Drain,
]);

/** The sending half of a session: encodes, keeps to the peer's limit, and knows whether the wire takes more. */
export class Wire {
  channel: Channel | undefined = undefined;
  /** Largest message that the peer takes. */
  maxSendBytes: number;
  writable = true;
  readingPaused = false;
  sentCount = 0;
  readonly #codec: EnvelopeCodec;
  readonly #limits: SessionLimits;
  /** Only an acceptor stops reading from a peer that does not read: if both did, neither could ever go on. */
  readonly #mayPause: boolean;
  readonly #overflow: (unsentBytes: number) => void;
  #unsentBytes = 0;
  /** As many at most as calls are in flight. */
  #heldReplies: (() => void)[] = [];

  constructor(codec: EnvelopeCodec, limits: SessionLimits, mayPause: boolean, overflow: (unsentBytes: number) => void) {
    this.#codec = codec;
    this.#limits = limits;
    this.#mayPause = mayPause;
    this.#overflow = overflow;
    this.maxSendBytes = limits.maxMessageBytes;
  }

  /** Encodes and sends, and gives the size. Throws RpcError for what cannot be encoded or is too large; without a channel it does nothing. */
  send(envelope: Envelope): number {
    const { channel } = this;
    if (channel === undefined) return 0;
    const bytes = this.#codec.encode(envelope);
    const { byteLength } = bytes;
    if (byteLength > this.maxSendBytes && (byteLength > MAX_CONTROL_BYTES || !CONTROL_BODIES.has(envelope.body))) {
      const message = `message of ${byteLength} bytes is larger than the ${this.maxSendBytes} that both ends accept; raise maxMessageBytes or use a stream`;
      throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMessageBytes" });
    }
    this.sentCount++;
    if (channel.send(bytes, this.#codec.ownsLast)) return byteLength;
    this.writable = false;
    this.#unsentBytes += byteLength;
    if (this.#unsentBytes > this.#limits.maxSendBufferBytes) this.#overflow(this.#unsentBytes);
    else if (this.#unsentBytes > this.#limits.maxSendBufferBytes * PAUSE_READING_SHARE) this.#pauseReading();
    return byteLength;
  }

  /** Sends a reply when the wire takes more again. */
  holdReply(send: () => void): void {
    this.#heldReplies.push(send);
    if (this.#heldReplies.length >= HELD_REPLIES) this.#pauseReading();
  }

  /** The wire takes more again. */
  drained(): void {
    this.writable = true;
    this.#unsentBytes = 0;
    if (this.readingPaused) {
      this.readingPaused = false;
      this.channel?.resume?.();
    }
    const held = this.#heldReplies;
    this.#heldReplies = [];
    for (const [i, send] of held.entries()) {
      if (!this.writable) {
        this.#heldReplies = [...held.slice(i), ...this.#heldReplies];
        return;
      }
      send();
    }
  }

  #pauseReading(): void {
    if (this.readingPaused || !this.#mayPause || this.channel?.pause === undefined) return;
    this.readingPaused = true;
    this.channel.pause();
  }
}
