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

/** One direction of a stream, receiving: proves sequence and credit of every item, and gives credit back as the reader reads. */
export class StreamReceiver implements InboxOwner {
  readonly inbox: StreamInbox;
  readonly #link: SessionLink;
  readonly #owner: ReceiverOwner;
  readonly #codec: MessageCodec;
  #granted: number;
  #received = 0;
  #ended = false;

  constructor(link: SessionLink, owner: ReceiverOwner, codec: MessageCodec) {
    this.#link = link;
    this.#owner = owner;
    this.#codec = codec;
    this.#granted = link.limits.streamCredits;
    this.inbox = new StreamInbox(this, this.#granted);
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
    try {
      this.inbox.push(decodePayload(this.#codec, payload));
    } catch (thrown) {
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
    this.#granted += count;
    if (this.#owner.open) this.#link.send({ body: Body.Credit, id: this.#owner.callId, credits: count });
  }

  abandoned(): void {
    this.#owner.abandoned();
  }
}
