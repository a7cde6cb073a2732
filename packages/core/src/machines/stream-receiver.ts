import { Body } from "../words/envelope.ts";
import type { MessageCodec } from "../words/message-codec.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { decodePayload } from "../tools/payloads.ts";
import { type InboxOwner, StreamInbox } from "../tools/stream-inbox.ts";
import type { SessionLink } from "./session-link.ts";

/** The call that a received stream belongs to. */
export interface ReceiverOwner {
  readonly callId: number;
  /** Full name of the method, for messages. */
  readonly methodName: string;
  /** Whether credits still mean anything to the far end. */
  readonly open: boolean;
  /** The stream cannot go on; the call fails. */
  streamFailed(error: RpcError): void;
  /** The reader left before the end. */
  abandoned(): void;
}

/** What a stream starts with, unless `streamCredits` is less. */
const FIRST_CREDITS = 64;
/** A window is widened only while it would hold no more than this of the largest item so far. */
const MAX_WIDE_BYTES = 256 * 1024;

/** One direction of a stream, receiving: proves sequence and credit of every item, and gives credit back as the reader reads. */
export class StreamReceiver implements InboxOwner {
  readonly inbox: StreamInbox;
  #link: SessionLink;
  readonly #owner: ReceiverOwner;
  readonly #codec: MessageCodec;
  /** How far the sender may be ahead of the reader. */
  #window: number;
  #granted: number;
  #largestBytes = 0;
  #received = 0;
  #ended = false;

  constructor(link: SessionLink, owner: ReceiverOwner, codec: MessageCodec) {
    this.#link = link;
    this.#owner = owner;
    this.#codec = codec;
    this.#window = Math.min(link.limits.streamCredits, FIRST_CREDITS);
    this.#granted = this.#window;
    this.inbox = new StreamInbox(this, this.#window);
  }

  /** Nothing has arrived yet, and what comes will come over a new session. */
  move(link: SessionLink): void {
    this.#link = link;
  }

  /** What the sender may send before it is granted more. */
  get firstCredits(): number {
    return Math.min(this.#link.limits.streamCredits, FIRST_CREDITS);
  }

  accept(seq: number, payload: Payload | undefined): void {
    if (this.#received >= this.#granted)
      return this.#link.breach(`stream item of call ${this.#owner.callId} without credit`);
    if (seq !== this.#received + 1) {
      const code = seq > this.#received ? "DATA_LOSS" : "INTERNAL";
      const message = `${this.#owner.methodName}: stream item ${seq} arrived where ${this.#received + 1} is due`;
      return this.#owner.streamFailed(new RpcError(code, message, { reason: "PROTOCOL" }));
    }
    if (this.#ended) {
      const message = `${this.#owner.methodName}: stream item ${seq} arrived after the end of the stream`;
      return this.#owner.streamFailed(new RpcError("INTERNAL", message, { reason: "PROTOCOL" }));
    }
    this.#received = seq;
    const bytes = this.#link.messageBytes;
    this.#largestBytes = Math.max(this.#largestBytes, bytes);
    this.#link.unreadBytes += bytes;
    if (this.#link.unreadBytes > this.#link.limits.maxUnreadBytes) {
      this.#link.unreadBytes -= bytes;
      const message = `${this.#owner.methodName}: more than ${this.#link.limits.maxUnreadBytes} bytes of stream items wait for their readers; read faster, or raise maxUnreadBytes`;
      return this.#owner.streamFailed(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxUnreadBytes" }));
    }
    try {
      this.inbox.push(decodePayload(this.#codec, payload), bytes);
    } catch (thrown) {
      this.#link.unreadBytes -= bytes;
      const { code, message, reason } = RpcError.from(thrown);
      this.#owner.streamFailed(
        new RpcError(code, `${this.#owner.methodName}: stream item ${seq}: ${message}`, { reason, cause: thrown }),
      );
    }
  }

  /** The sender says that nothing more comes. */
  end(error: RpcError | undefined): void {
    this.#ended = true;
    this.inbox.end(error);
  }

  taken(count: number): void {
    const credits = count + this.#widening();
    this.#granted += credits;
    if (this.#owner.open) this.#link.send({ body: Body.Credit, id: this.#owner.callId, credits });
  }

  released(bytes: number): void {
    this.#link.unreadBytes -= bytes;
  }

  /** A reader that has emptied the inbox waits for the wire: a wider window lets the sender run on meanwhile. */
  #widening(): number {
    const wider = Math.min(this.#window * 2, this.#link.limits.streamCredits);
    if (wider === this.#window || !this.inbox.isEmpty || wider * this.#largestBytes > MAX_WIDE_BYTES) return 0;
    const more = wider - this.#window;
    this.#window = wider;
    this.inbox.widen(wider);
    return more;
  }

  abandoned(): void {
    this.#owner.abandoned();
  }
}
