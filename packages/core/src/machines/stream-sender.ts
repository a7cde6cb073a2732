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
export const MAX_CREDITS = 0x7fff_ffff;

/** Bytes of items under way at which a sender waits, whatever its credit: 64 items of 4 MiB would be too much for any reader. */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024;

/** One direction of a stream, sending: numbers the items and keeps to the far end's credit. */
export class StreamSender implements PumpOutlet {
  readonly #link: SessionLink;
  readonly #owner: SenderOwner;
  readonly #codec: MessageCodec;
  readonly #pump: StreamPump;
  #sent = 0;
  /** Sizes of the items that are under way, oldest first: a credit that comes back stands for the oldest. */
  #underWay: number[] = [];
  #underWayBytes = 0;

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
    for (const bytes of this.#underWay.splice(0, credits)) this.#underWayBytes -= bytes;
    this.#pump.grant(credits);
  }

  resume(): void {
    this.#pump.resume();
  }

  stop(): void {
    this.#pump.stop();
  }

  get writable(): boolean {
    return this.#link.writable && this.#underWayBytes < STREAM_WINDOW_BYTES;
  }

  emit(value: unknown): void {
    const seq = this.#sent + 1;
    try {
      const bytes = this.#link.send({
        body: Body.Item,
        id: this.#owner.callId,
        seq,
        payload: payloadOf(this.#codec, value),
        extra: undefined,
      });
      this.#sent = seq;
      this.#underWay.push(bytes);
      this.#underWayBytes += bytes;
    } catch (thrown) {
      const { code, message, reason, details } = RpcError.from(thrown);
      throw new RpcError(code, `${this.#owner.methodName}: stream item ${seq}: ${message}`, {
        reason,
        details,
        cause: thrown,
      });
    }
  }

  ended(error: RpcError | undefined): void {
    this.#owner.sourceEnded(error);
  }
}
