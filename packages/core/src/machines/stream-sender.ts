import { Body } from "../words/envelope.ts";
import type { MessageCodec } from "../words/message-codec.ts";
import { RpcError } from "../words/rpc-error.ts";
import { payloadOf } from "../tools/payloads.ts";
import { type PumpOutlet, StreamPump } from "../tools/stream-pump.ts";
import type { SessionLink } from "./session-link.ts";

/** The call that a sent stream belongs to. */
export interface SenderOwner {
  readonly callId: number;
  readonly methodName: string;
  /** The source has ended or failed, or an item could not be sent. */
  sourceEnded(error: RpcError | undefined): void;
}

/** More credit than any reader grants by honest means; beyond it the sum might no longer be exact. */
const MAX_CREDITS = 0x7fff_ffff;

/** One direction of a stream, sending: numbers the items and keeps to the far end's credit. */
export class StreamSender implements PumpOutlet {
  readonly #link: SessionLink;
  readonly #owner: SenderOwner;
  readonly #codec: MessageCodec;
  readonly #pump: StreamPump;
  #sent = 0;

  constructor(
    link: SessionLink,
    owner: SenderOwner,
    codec: MessageCodec,
    source: AsyncIterable<unknown>,
    credits: number,
  ) {
    this.#link = link;
    this.#owner = owner;
    this.#codec = codec;
    this.#pump = new StreamPump(this, source, credits);
  }

  /** Settles when the source has come to rest; never rejects, failures arrive at `sourceEnded`. */
  run(): Promise<void> {
    return this.#pump.run();
  }

  /** Credit that came in. */
  grant(credits: number): void {
    if (credits < 1 || this.#pump.credits + credits > MAX_CREDITS) {
      return this.#link.breach(`credit of ${credits} for call ${this.#owner.callId}`);
    }
    this.#pump.grant(credits);
  }

  resume(): void {
    this.#pump.resume();
  }

  stop(): void {
    this.#pump.stop();
  }

  get writable(): boolean {
    return this.#link.writable;
  }

  emit(value: unknown): void {
    const seq = this.#sent + 1;
    try {
      this.#link.send({ body: Body.Item, id: this.#owner.callId, seq, payload: payloadOf(this.#codec, value) });
    } catch (thrown) {
      const { code, message, reason, details } = RpcError.from(thrown);
      throw new RpcError(code, `${this.#owner.methodName}: stream item ${seq}: ${message}`, {
        reason,
        details,
        cause: thrown,
      });
    }
    this.#sent = seq;
  }

  ended(error: RpcError | undefined): void {
    this.#owner.sourceEnded(error);
  }
}
