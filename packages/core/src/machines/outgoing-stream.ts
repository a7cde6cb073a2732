import { noteCallError } from "../tools/call-errors.ts";
import type { CallContext } from "../words/call-context.ts";
import { Body, type ItemExtra } from "../words/envelope.ts";
import type { Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { type CallRegister, OutgoingCall } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";
import { type ReceiverOwner, StreamReceiver } from "./stream-receiver.ts";
import { type SenderOwner, StreamSender } from "./stream-sender.ts";

/** A stream call of this end. It starts when it is first read, so that one that is never read holds nothing. */
export class OutgoingStream
  extends OutgoingCall
  implements ReceiverOwner, SenderOwner, AsyncIterableIterator<unknown, undefined>
{
  readonly #input: AsyncIterable<unknown> | undefined;
  readonly #receiver: StreamReceiver;
  #sender: StreamSender | undefined = undefined;
  #started = false;

  constructor(
    link: SessionLink,
    register: CallRegister,
    context: CallContext,
    parentId: number,
    payload: Payload | undefined,
    input: AsyncIterable<unknown> | undefined,
  ) {
    super(link, register, context, parentId, payload);
    this.#input = input;
    this.#receiver = new StreamReceiver(link, this, context.method.output.codec);
  }

  override get credits(): number {
    return this.#receiver.firstCredits;
  }

  get open(): boolean {
    return !this.settled && this.callId !== 0;
  }

  // A stream that has begun has a history, which a new session does not know.
  override get repeatable(): boolean {
    return false;
  }

  override get movable(): boolean {
    return super.movable && (this.#input === undefined || this.callId === 0);
  }

  override move(link: SessionLink, register: CallRegister): void {
    super.move(link, register);
    this.#receiver.move(link);
  }

  get #oneResult(): boolean {
    return this.context.method.kind === "clientStream";
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#started) {
      this.#started = true;
      this.register.start(this);
    }
    return this.#receiver.inbox.next();
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#started = true;
    return this.#receiver.inbox.return();
  }

  override sent(id: number): void {
    super.sent(id);
    if (this.#input === undefined) return;
    // Without credit at first: the callee says how much it takes.
    try {
      this.#sender = new StreamSender(this.link, this, this.context.method.input.codec, this.#input, 0);
      void this.#sender.run(); // Never rejects.
    } catch (thrown) {
      // A source that cannot be read, such as one that somebody else is reading.
      this.giveUp(RpcError.from(thrown));
    }
  }

  override resume(): void {
    this.#sender?.resume();
  }

  override receiveResult(payload: Payload | undefined): void {
    if (!this.#oneResult) return super.receiveResult(payload);
    try {
      this.#receiver.inbox.push(this.decodeOutput(payload));
      this.#settle(undefined);
    } catch (thrown) {
      this.fail(RpcError.from(thrown));
    }
  }

  override receiveItem(seq: number, payload: Payload | undefined, extra: ItemExtra | undefined): void {
    if (this.#oneResult) return super.receiveItem(seq, payload, extra);
    this.#receiver.accept(seq, payload);
  }

  override receiveEnd(error: RpcError | undefined): void {
    if (this.#oneResult && error === undefined) return this.misshapen("the stream ended without a result");
    this.#settle(error);
    this.register.forget(this);
  }

  override receiveCredit(credits: number): void {
    if (this.#input === undefined) return super.receiveCredit(credits);
    this.#sender?.grant(credits);
  }

  fail(error: RpcError): void {
    if (!this.settled) this.#settle(noteCallError(error));
  }

  streamFailed(error: RpcError): void {
    this.giveUp(error);
  }

  abandoned(): void {
    this.giveUp(new RpcError("CANCELLED", "the reader has left the stream", { reason: "CANCELLED" }));
  }

  sourceEnded(error: RpcError | undefined): void {
    if (this.settled) return;
    if (error !== undefined) return this.giveUp(error);
    this.link.send({ body: Body.End, id: this.callId, error: undefined, metadata: undefined });
  }

  #settle(error: RpcError | undefined): void {
    this.settled = true;
    this.context.onCancel(undefined);
    this.#sender?.stop();
    this.#receiver.inbox.end(error);
  }
}
