import { noteCallError } from "../tools/call-errors.ts";
import type { CallContext } from "../words/call-context.ts";
import { Body, type CallKind, type ItemExtra, type ProgressBody } from "../words/envelope.ts";
import { type Payload, ValuePayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { EventSink, EventSource, SubscribeRequest } from "../words/topics.ts";
import { dynamicCodec } from "../tools/json-message-codec.ts";
import { decodePayload } from "../tools/payloads.ts";
import { GRANT_BYTES } from "../tools/stream-inbox.ts";
import { type CallRegister, OutgoingCall } from "./outgoing-call.ts";
import type { SessionLink } from "./session-link.ts";

/** A subscription of this end: what the peer publishes goes to its sink. */
export class OutgoingSubscription extends OutgoingCall implements EventSource {
  readonly #sink: EventSink;
  #granted = 0;
  #received = 0;
  /** Credits that the peer has coming, and the bytes of the events that they stand for. */
  #owed = 0;
  #owedBytes = 0;
  #grantAt = 1;
  /** Bytes of events that the sink holds. */
  #unreadBytes = 0;
  /** Events left out here since the last one that the sink got. */
  #lost = 0;
  /** It has chosen to end rather than to lose events. */
  readonly #lossless: boolean;
  #isSubscribed = false;
  /** The sink has ended it, or has been told that it has ended. */
  #told = false;

  constructor(
    link: SessionLink,
    register: CallRegister,
    context: CallContext,
    request: SubscribeRequest,
    sink: EventSink,
  ) {
    const { pattern, lastValue, overflow, buffer } = request;
    const said = { pattern, lastValue: lastValue ? true : undefined, overflow, buffer };
    super(link, register, context, 0, new ValuePayload(dynamicCodec, said));
    this.#sink = sink;
    this.#lossless = overflow === "block" || overflow === "disconnect";
  }

  override get kind(): CallKind {
    return "subscribe";
  }

  override get lasting(): boolean {
    return true;
  }

  /** What has begun is begun again by whoever holds it, who has to know. */
  override get repeatable(): boolean {
    return false;
  }

  override get credits(): number {
    return this.#granted;
  }

  open(credits: number): void {
    if (this.#told) return;
    this.#granted = Math.min(credits, this.link.limits.streamCredits);
    this.#grantAt = Math.max(1, this.#granted >> 1);
    this.register.start(this);
  }

  /** Credits go back in halves of the first, so that an event is not answered by an envelope each. */
  grant(credits: number): void {
    this.#owed += credits;
    if (this.settled || this.callId === 0 || (this.#owed < this.#grantAt && this.#owedBytes < GRANT_BYTES)) return;
    this.#granted += this.#owed;
    this.link.send({ body: Body.Credit, id: this.callId, credits: this.#owed });
    this.#owed = 0;
    this.#owedBytes = 0;
  }

  override resume(): void {
    // The peer sends as its credit allows.
  }

  release(bytes: number): void {
    // What was held when it ended has been released then.
    if (this.settled) return;
    this.#hold(-bytes);
    this.#owedBytes += bytes;
  }

  report(error: RpcError): void {
    this.link.report(error);
  }

  close(reason: RpcError): void {
    this.#told = true;
    this.giveUp(reason);
  }

  override receiveProgress(body: ProgressBody): void {
    if (body.payload === undefined && body.log === undefined) this.#subscribed();
  }

  override receiveItem(seq: number, payload: Payload | undefined, extra: ItemExtra | undefined): void {
    if (this.#received >= this.#granted) return this.link.breach(`event of subscription ${this.callId} without credit`);
    if (seq !== this.#received + 1) {
      const code = seq > this.#received ? "DATA_LOSS" : "INTERNAL";
      const message = `${this.methodName}: event ${seq} arrived where ${this.#received + 1} is due`;
      return this.giveUp(new RpcError(code, message, { reason: "PROTOCOL" }));
    }
    this.#received = seq;
    this.#subscribed();
    const { methodName } = this;
    const topic = extra === undefined || extra.topic === "" ? methodName : extra.topic;
    if (topic !== methodName && !topic.startsWith(`${methodName}.`)) {
      // Nobody here has subscribed to that.
      this.register.ignored();
      return this.grant(1);
    }
    const bytes = this.link.messageBytes;
    const lost = extra?.lost ?? 0;
    if (this.link.unreadBytes + bytes > this.link.limits.maxUnreadBytes) return this.#leaveOut(bytes, lost);
    let value: unknown;
    try {
      value = decodePayload(this.context.method.output.codec, payload);
    } catch (thrown) {
      const { code, message, reason } = RpcError.from(thrown);
      return this.giveUp(new RpcError(code, `${methodName}: event ${seq}: ${message}`, { reason, cause: thrown }));
    }
    const lostBefore = this.#lost + lost;
    this.#lost = 0;
    this.#hold(bytes);
    try {
      this.#sink.event({ topic, value, metadata: extra?.metadata, bytes }, lostBefore);
    } catch (thrown) {
      this.link.report(RpcError.from(thrown));
    }
  }

  override receiveEnd(error: RpcError | undefined): void {
    this.#end(error);
    this.register.forget(this);
  }

  fail(error: RpcError): void {
    this.#end(noteCallError(error));
  }

  /** There is no room for an event: the readers of this session hold too much, which need not be the reader of this subscription. */
  #leaveOut(bytes: number, lostBefore: number): void {
    const { maxUnreadBytes } = this.link.limits;
    if (this.#lossless || bytes > maxUnreadBytes) {
      const message = `${this.methodName}: more than ${maxUnreadBytes} bytes of events and stream items wait for their readers; read faster, close what is not read, or raise maxUnreadBytes`;
      return this.giveUp(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxUnreadBytes" }));
    }
    this.#lost += lostBefore + 1;
    this.#owedBytes += bytes;
    // While its own reader has something to read, the credit goes back with that: meanwhile the publisher keeps the events.
    if (this.#unreadBytes > 0) this.#owed++;
    else this.grant(1);
  }

  #hold(bytes: number): void {
    this.#unreadBytes += bytes;
    this.link.unreadBytes += bytes;
  }

  #subscribed(): void {
    if (this.#isSubscribed || this.#told) return;
    this.#isSubscribed = true;
    this.#sink.subscribed();
  }

  #end(error: RpcError | undefined): void {
    if (this.settled) return;
    this.settled = true;
    // What its reader has yet to read costs the other readers nothing.
    this.#hold(-this.#unreadBytes);
    this.context.onCancel(undefined);
    if (this.#told) return;
    this.#told = true;
    this.#sink.ended(error);
  }
}
