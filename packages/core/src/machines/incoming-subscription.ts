import { Body, type CallBody, type ItemExtra, type MetadataEntries } from "../words/envelope.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CarriedEvent, EventSink, EventSource, OverflowPolicy, SubscribeRequest } from "../words/topics.ts";
import { Fifo } from "../tools/fifo.ts";
import { dynamicCodec } from "../tools/json-message-codec.ts";
import { decodePayload, payloadOf } from "../tools/payloads.ts";
import { IncomingPattern } from "./incoming-pattern.ts";
import { MAX_CREDITS, STREAM_WINDOW_BYTES } from "./stream-sender.ts";

/** Bytes of events that may be under way to one peer, over its subscriptions: half of what it takes unread by default. */
const SESSION_WINDOW_BYTES = 32 * 1024 * 1024;
/** What each of many still has: above what a reader takes before it grants more. */
const LEAST_WINDOW_BYTES = 384 * 1024;

/** A subscription of the peer: what its source gives goes out as items. */
export class IncomingSubscription extends IncomingPattern implements EventSink {
  #source: EventSource | undefined = undefined;
  #credits = 0;
  #sent = 0;
  /** Sizes of the events that are under way, oldest first: a credit that comes back stands for the oldest. */
  readonly #underWay = new Fifo<number>();
  #underWayBytes = 0;

  get counted(): boolean {
    return true;
  }

  start(body: CallBody): void {
    const port = this.link.handler.topicPort;
    if (port === undefined)
      throw new RpcError("UNIMPLEMENTED", `${this.method.name} is not published here`, { reason: "METHOD_NOT_FOUND" });
    const source = port.subscribe(requestOf(decodePayload(dynamicCodec, body.payload), this.method.name), this, this);
    this.#source = source;
    this.#credits = body.credits ?? 0;
    source.open(this.#credits);
  }

  get writable(): boolean {
    const { writable } = this.link;
    if (this.#underWayBytes < LEAST_WINDOW_BYTES) return writable;
    return (
      writable && this.#underWayBytes < Math.min(STREAM_WINDOW_BYTES, SESSION_WINDOW_BYTES / this.register.counted)
    );
  }

  subscribed(): void {
    if (!this.isOver) this.link.send({ body: Body.Progress, id: this.callId, payload: undefined, log: undefined });
  }

  event(event: CarriedEvent, lost: number): void {
    if (this.isOver) return;
    try {
      const bytes = this.link.send({
        body: Body.Item,
        id: this.callId,
        seq: this.#sent + 1,
        payload: payloadOf(this.method.output.codec, event.value),
        extra: this.#extraOf(event, lost),
      });
      this.#sent++;
      this.#credits--;
      this.#underWay.push(bytes);
      this.#underWayBytes += bytes;
    } catch (thrown) {
      // Larger than this peer takes, for one.
      const { code, message, reason } = RpcError.from(thrown);
      const error = new RpcError(code, `${this.method.name}: event: ${message}`, { reason, cause: thrown });
      this.fail(error);
      this.ended(error);
    }
    this.#source?.release(event.bytes);
  }

  /** Most events have no sub-topic, and nothing else to say. */
  #extraOf(event: CarriedEvent, lost: number): ItemExtra | undefined {
    const plain = lost === 0 && event.metadata === undefined && event.topic === this.method.name;
    return plain ? undefined : new EventExtra(event, lost);
  }

  receiveCredit(credits: number): void {
    if (credits < 1 || this.#credits + credits > MAX_CREDITS)
      return this.link.breach(`credit of ${credits} for call ${this.callId}`);
    this.#credits += credits;
    for (let i = 0; i < credits; i++) {
      const bytes = this.#underWay.shift();
      if (bytes === undefined) break;
      this.#underWayBytes -= bytes;
    }
    this.#source?.grant(credits);
  }

  override resume(): void {
    this.#source?.resume();
  }

  receiveEnd(): void {
    this.misshapen("the end of a stream arrived for a subscription");
  }

  receiveSettle(): void {
    this.misshapen("the settlement of a job arrived for a subscription");
  }

  /** Both ends come here: the source has ended, or the peer has. */
  ended(reason: RpcError | undefined): void {
    const source = this.#source;
    this.#source = undefined;
    if (this.isOver) {
      if (source !== undefined && reason !== undefined) source.close(reason);
    } else if (reason === undefined) this.finish();
    else this.fail(reason);
  }
}

/** What an event says beside its payload; made for each item, without a copy of anything. */
class EventExtra implements ItemExtra {
  readonly topic: string;
  readonly lost: number;
  readonly delivery = 0;
  readonly attempt = 0;
  readonly metadata: MetadataEntries | undefined;

  constructor(event: CarriedEvent, lost: number) {
    this.topic = event.topic;
    this.lost = lost;
    this.metadata = event.metadata;
  }
}

/** The options of a subscription, as they came from a peer. What they may be is the publisher's to say; here only their types are. */
function requestOf(value: unknown, name: string): SubscribeRequest {
  if (value === undefined || value === null) return NO_OPTIONS;
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(name, "the options", "a record");
  const { pattern, lastValue, overflow, buffer } = value as Readonly<Record<keyof SubscribeRequest, unknown>>;
  if (pattern !== undefined && typeof pattern !== "string") throw wrong(name, "pattern", "text");
  if (lastValue !== undefined && typeof lastValue !== "boolean") throw wrong(name, "lastValue", "true or false");
  if (overflow !== undefined && typeof overflow !== "string") throw wrong(name, "overflow", "text");
  if (buffer !== undefined && typeof buffer !== "number") throw wrong(name, "buffer", "a number");
  // Which policies there are, the publisher checks.
  return { pattern, lastValue: lastValue ?? false, overflow: overflow as OverflowPolicy | undefined, buffer };
}

const NO_OPTIONS: SubscribeRequest = {
  pattern: undefined,
  lastValue: false,
  overflow: undefined,
  buffer: undefined,
};

function wrong(name: string, what: string, due: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${name}: ${what} must be ${due}`, { reason: "INVALID_ARGUMENT" });
}
