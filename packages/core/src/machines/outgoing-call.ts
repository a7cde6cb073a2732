import { noteCallError } from "../tools/call-errors.ts";
import type { CallContext, CancelListener } from "../words/call-context.ts";
import { Body, type CallKind, type ItemExtra, type ProgressBody, type SettleBody } from "../words/envelope.ts";
import type { Payload } from "../words/payload.ts";
import { type Delivered, RpcError } from "../words/rpc-error.ts";
import type { Expiring } from "../tools/deadline-sweep.ts";
import { decodePayload, encodedNow } from "../tools/payloads.ts";
import type { SessionLink } from "./session-link.ts";

/** Where calls of this end are kept while they run. */
export interface CallRegister {
  start(call: OutgoingCall): void;
  /** Takes a call away whose caller has been told. */
  forget(call: OutgoingCall): void;
  /** A consumer has got its first job, or has settled its last one: a drain waits for it meanwhile. */
  busy(isBusy: boolean): void;
  /** Something came too late, or for nobody. */
  ignored(): void;
}

/** One call of this end, from its start until its caller has been told how it ended. */
export abstract class OutgoingCall implements CancelListener, Expiring {
  readonly context: CallContext;
  /** The peer's call that this one was made for, when it is a call back; 0: none. */
  readonly parentId: number;
  /** 0 until it is on the wire. */
  callId = 0;
  settled = false;
  /** Number of the message that started it, where messages are counted; 0: not sent. */
  number = 0;
  protected link: SessionLink;
  protected register: CallRegister;

  constructor(
    link: SessionLink,
    register: CallRegister,
    context: CallContext,
    parentId: number,
    payload: Payload | undefined,
  ) {
    this.link = link;
    this.register = register;
    this.context = context;
    this.parentId = parentId;
    this.payload = payload;
  }

  /** The input that goes with the call itself; undefined when it follows as a stream. */
  payload: Payload | undefined;
  /** Nothing comes back: it has succeeded as soon as it was handed over. */
  get oneWay(): boolean {
    return false;
  }

  /** What it is on the wire. */
  get kind(): CallKind {
    // Events and jobs are called by classes of their own.
    return this.context.method.kind as CallKind;
  }
  /** It ends when somebody wants it to: a drain does not wait for it. */
  get lasting(): boolean {
    return false;
  }
  /** It does not count against the peer's `maxCalls`: what lasts and what waits in a queue have limits of their own. */
  get uncounted(): boolean {
    return this.lasting;
  }

  /** How many stream items the callee may send before it is granted more. */
  get credits(): number | undefined {
    return undefined;
  }

  /** Tells the caller that the call has failed. Once; later calls do nothing. */
  abstract fail(error: RpcError): void;

  // What a peer may say about calls of some kinds, which override it; about all others it must not.

  receiveResult(_payload: Payload | undefined): void {
    // It is over for the peer: there is nothing to cancel.
    this.fail(this.#misfit("a result"));
  }

  receiveItem(_seq: number, _payload: Payload | undefined, _extra: ItemExtra | undefined): void {
    this.giveUp(this.#misfit("an item"));
  }

  receiveEnd(error: RpcError | undefined): void {
    if (error === undefined) return this.giveUp(this.#misfit("the end of a stream"));
    this.fail(error);
    this.register.forget(this);
  }

  receiveCredit(_credits: number): void {
    this.giveUp(this.#misfit("credit"));
  }

  receiveSettle(_body: SettleBody): void {
    this.giveUp(this.#misfit("the settlement of a job"));
  }

  #misfit(what: string): RpcError {
    return protocolError(`${this.methodName}: ${what} arrived for a call of kind ${this.kind}`);
  }

  /** How far the call is, for a caller that asked. */
  receiveProgress(body: ProgressBody): void {
    const { context } = this;
    if (body.log !== undefined) context.log(body.log.message, body.log.fields, body.log.level);
    if (body.payload !== undefined) context.progress(decodePayload(context.method.progress.codec, body.payload));
  }

  /** Encodes the input now, since the caller may change it while the call waits. Throws INVALID_ARGUMENT. */
  encodeInput(): void {
    if (this.payload !== undefined) this.payload = encodedNow(this.payload);
  }

  /** Whether it may be made again on a new session although nobody knows whether it has run on the old one. */
  get repeatable(): boolean {
    return this.context.method.idempotent && this.parentId === 0;
  }

  /** Whether it may be made again on a new session when it has certainly not arrived. */
  get movable(): boolean {
    return this.parentId === 0;
  }

  /** It goes on with a new session, where it has yet to be sent. */
  move(link: SessionLink, register: CallRegister): void {
    this.link = link;
    this.register = register;
    this.callId = 0;
    this.number = 0;
  }

  /** It is on the wire under this id. */
  sent(id: number): void {
    this.callId = id;
  }

  /** The wire takes more again. */
  resume(): void {
    // Only streams ever hold something back.
  }

  get methodName(): string {
    return this.context.method.name;
  }

  get deadline(): number | undefined {
    return this.context.deadline;
  }

  expire(): void {
    this.giveUp(deadlineExceeded(this.methodName, this.callId === 0 && this.number === 0 ? "no" : "unknown"));
  }

  cancelled(reason: RpcError): void {
    this.giveUp(reason);
  }

  /** This end does not want the call any more: its caller learns it at once, the peer as soon as possible. */
  protected giveUp(reason: RpcError): void {
    if (this.settled) return;
    this.fail(reason);
    if (this.callId === 0) return this.number === 0 ? undefined : this.register.forget(this);
    const text = reason.message.slice(0, MAX_REASON_LENGTH).toWellFormed();
    this.link.send({ body: Body.Cancel, id: this.callId, reason: text });
    this.register.forget(this);
  }

  /** The peer broke the shape of this one call: it fails, the others go on. */
  protected misshapen(what: string): void {
    this.giveUp(protocolError(`${this.methodName}: ${what}`));
  }

  /** The output of a reply. Throws INTERNAL for one that cannot be decoded. */
  protected decodeOutput(payload: Payload | undefined): unknown {
    try {
      return decodePayload(this.context.method.output.codec, payload);
    } catch (thrown) {
      const { message, reason } = RpcError.from(thrown);
      throw new RpcError("INTERNAL", `${this.methodName}: the reply cannot be decoded: ${message}`, {
        reason,
        cause: thrown,
      });
    }
  }
}

/** A unary call: one promise. */
export class OutgoingUnary extends OutgoingCall {
  readonly #resolve: (output: unknown) => void;
  readonly #reject: (error: RpcError) => void;

  constructor(
    link: SessionLink,
    register: CallRegister,
    context: CallContext,
    parentId: number,
    payload: Payload,
    resolve: (output: unknown) => void,
    reject: (error: RpcError) => void,
  ) {
    super(link, register, context, parentId, payload);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override receiveResult(payload: Payload | undefined): void {
    if (this.settled) return;
    this.settled = true;
    this.context.onCancel(undefined);
    try {
      this.#resolve(this.decodeOutput(payload));
    } catch (thrown) {
      this.#reject(RpcError.from(thrown));
    }
  }

  fail(error: RpcError): void {
    if (this.settled) return;
    this.settled = true;
    this.context.onCancel(undefined);
    this.#reject(noteCallError(error));
  }
}

/** A notification: a promise that settles when the message was handed over. */
export class OutgoingNotification extends OutgoingUnary {
  override get oneWay(): boolean {
    return true;
  }
}

function protocolError(message: string): RpcError {
  return new RpcError("INTERNAL", message, { reason: "PROTOCOL", delivered: "unknown" });
}

export function deadlineExceeded(methodName: string, delivered: Delivered): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${methodName}: deadline exceeded`, { reason: "DEADLINE", delivered });
}

/** A cancel reason is a sentence, not a document. */
const MAX_REASON_LENGTH = 256;
