import type { CallContext } from "../words/call-context.ts";
import type { Clock } from "../words/clock.ts";
import type { MetadataEntries } from "../words/envelope.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { EncodedPayload, Payload } from "../words/payload.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import {
  type CarriedEvent,
  type EventSink,
  type EventSource,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
  type PublishReport,
  type SubscribeRequest,
  type TopicPort,
} from "../words/topics.ts";
import { encodedNow } from "../tools/payloads.ts";
import { matches, patternLevels, PatternIndex, topicLevels } from "../tools/topic-pattern.ts";
import { TopicBudget } from "./topic-budget.ts";
import { type RoomWaiter, type SubscriberOwner, TopicSubscriber } from "./topic-subscriber.ts";

/** Limits of a hub; they hold for each of its events. */
export interface TopicLimits {
  /**
   * The policies that a subscriber may choose; another one is refused FAILED_PRECONDITION. Whoever chooses none gets `drop-oldest`, or the
   * first of these where that is not among them. Default: all.
   */
  readonly policies: readonly OverflowPolicy[];
  /** Largest buffer that a subscriber may ask for, in events. Default: 10,000. */
  readonly maxBuffer: number;
  /** Bytes that may wait for one subscriber; a single event always may. Default: 8 MiB. */
  readonly maxBufferBytes: number;
  /**
   * Bytes that may wait for one peer, over all its subscriptions to the events of this router; beyond it the policy of the subscription
   * holds whose event it is. As much again of last values. A single event always may wait. Default: 64 MiB.
   */
  readonly maxPeerBufferBytes: number;
  /** How long a subscriber with the policy `block` may hold up one publication; then it is ended. Default: 10,000. */
  readonly maxBlockMs: number;
  /** Topics of one event whose last value is kept; beyond it the one that was published longest ago is forgotten. Default: 10,000. */
  readonly maxRetainedTopics: number;
  /** Bytes of the last values of one event; beyond it those that were published longest ago are forgotten. The latest is always kept. Default: 64 MiB. */
  readonly maxRetainedBytes: number;
}

export const DEFAULT_TOPIC_LIMITS: TopicLimits = Object.freeze({
  policies: OVERFLOW_POLICIES,
  maxBuffer: 10_000,
  maxBufferBytes: 8 * 1024 * 1024,
  maxPeerBufferBytes: 64 * 1024 * 1024,
  maxBlockMs: 10_000,
  maxRetainedTopics: 10_000,
  maxRetainedBytes: 64 * 1024 * 1024,
});

const DEFAULT_BUFFER = 1_000;

/** The events that one end publishes, and who is subscribed to them. */
export class TopicHub implements TopicPort {
  readonly #clock: Clock;
  readonly #limits: TopicLimits;
  readonly #topics = new Map<string, EventTopic>();
  readonly #budgets = new WeakMap<Peer, TopicBudget>();

  constructor(clock: Clock, limits: TopicLimits = DEFAULT_TOPIC_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  add(method: MethodDescriptor): EventTopic {
    const topic = new EventTopic(method, this.#clock, this.#limits);
    this.#topics.set(method.name, topic);
    return topic;
  }

  subscribe(request: SubscribeRequest, context: CallContext, sink: EventSink): EventSource {
    const topic = this.#topics.get(context.method.name);
    if (topic === undefined)
      throw new RpcError("UNIMPLEMENTED", `${context.method.name} is not published here`, {
        reason: "METHOD_NOT_FOUND",
      });
    const subscriber = topic.subscribe(request, sink, this.#budgetOf(context.peer));
    context.onCancel({ cancelled: (reason) => subscriber.end(reason) });
    return subscriber;
  }

  #budgetOf(peer: Peer | undefined): TopicBudget {
    let budget = peer === undefined ? undefined : this.#budgets.get(peer);
    if (budget !== undefined) return budget;
    budget = new TopicBudget(this.#limits.maxPeerBufferBytes);
    if (peer !== undefined) this.#budgets.set(peer, budget);
    return budget;
  }
}

/** One event of a contract with all its sub-topics. */
export class EventTopic implements SubscriberOwner {
  readonly method: MethodDescriptor;
  readonly #clock: Clock;
  readonly #limits: TopicLimits;
  readonly #subscribers = new PatternIndex<TopicSubscriber>();
  readonly #patterns = new Map<TopicSubscriber, readonly string[]>();
  /** Last event by sub-topic, least recently published first. */
  readonly #retained: Map<string, CarriedEvent> | undefined;
  #retainedBytes = 0;
  /** Since when a subscriber has held up the publication that has waited longest for it. */
  readonly #blocking = new Map<TopicSubscriber, number>();
  #timer: unknown = undefined;
  // Most events go to as many as the one before: no promise is made for them.
  #lastReport: PublishReport = Object.freeze({ delivered: 0 });
  #lastPromise: Promise<PublishReport> = Promise.resolve(this.#lastReport);

  constructor(method: MethodDescriptor, clock: Clock, limits: TopicLimits) {
    this.method = method;
    this.#clock = clock;
    this.#limits = limits;
    this.#retained = method.lastValue === true ? new Map() : undefined;
  }

  get subscriberCount(): number {
    return this.#patterns.size;
  }

  subscribe(request: SubscribeRequest, sink: EventSink, budget: TopicBudget): TopicSubscriber {
    const { name } = this.method;
    const { policies, maxBuffer, maxBufferBytes } = this.#limits;
    const { buffer = Math.min(DEFAULT_BUFFER, maxBuffer), overflow = defaultPolicy(policies) } = request;
    const pattern = patternLevels(request.pattern ?? "**", name);
    if (!OVERFLOW_POLICIES.includes(overflow))
      throw refused(`${name}: overflow must be one of ${OVERFLOW_POLICIES.join(", ")}`);
    if (!policies.includes(overflow))
      throw new RpcError(
        "FAILED_PRECONDITION",
        `${name}: the publisher does not allow the policy ${overflow}; choose one of ${policies.join(", ")}`,
        { reason: "policies" },
      );
    if (!Number.isInteger(buffer) || buffer < 1)
      throw refused(`${name}: buffer must be a whole number of at least 1, got ${String(buffer)}`);
    if (buffer > maxBuffer)
      throw new RpcError(
        "RESOURCE_EXHAUSTED",
        `${name}: a buffer of ${buffer} events, the publisher keeps ${maxBuffer}`,
        {
          reason: "maxBuffer",
        },
      );
    if (request.lastValue && this.#retained === undefined) {
      const message = `${name} keeps no last value; declare it as event({ lastValue: true })`;
      throw new RpcError("FAILED_PRECONDITION", message, { reason: "LAST_VALUE" });
    }
    const subscriber = new TopicSubscriber(this, sink, { overflow, buffer, bufferBytes: maxBufferBytes, budget, name });
    if (request.lastValue) subscriber.precede(this.#lastOf(pattern, budget));
    this.#subscribers.add(pattern, subscriber);
    this.#patterns.set(subscriber, pattern);
    return subscriber;
  }

  /** Publishes; the payload is encoded once, whoever gets it. Throws for a topic or a value that cannot be. */
  publish(payload: Payload, subTopic: string, metadata: MetadataEntries | undefined): Promise<PublishReport> {
    const subscribers = this.#subscribers.find(subTopic, this.method.name);
    // Made with nobody there as well: a value that cannot be sent is not found out only when somebody comes.
    const event = new PublishedEvent(this.method.name, subTopic, payload, metadata);
    if (this.#retained !== undefined) this.#retain(this.#retained, subTopic, event);
    let delivered = 0;
    let blocked: BlockedPublish | undefined;
    for (const subscriber of subscribers) {
      switch (subscriber.offer(event)) {
        case "taken":
          delivered++;
          break;
        case "blocked":
          delivered++;
          blocked ??= new BlockedPublish(this.#clock.now());
          blocked.waitFor(subscriber);
          break;
        case "dropped":
          break;
      }
    }
    return blocked === undefined ? this.#reported(delivered) : blocked.settled(delivered);
  }

  left(subscriber: TopicSubscriber): void {
    const pattern = this.#patterns.get(subscriber);
    if (pattern === undefined) return;
    this.#patterns.delete(subscriber);
    this.#subscribers.delete(pattern, subscriber);
  }

  holdsUp(subscriber: TopicSubscriber, since: number | undefined): void {
    if (since === undefined) this.#blocking.delete(subscriber);
    else this.#blocking.set(subscriber, since);
    if (this.#blocking.size === 0) {
      this.#clock.clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= this.#clock.setTimeout(() => this.#endBlocking(), this.#limits.maxBlockMs);
    }
  }

  #endBlocking(): void {
    this.#timer = undefined;
    const { maxBlockMs } = this.#limits;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [subscriber, since] of this.#blocking) {
      if (since + maxBlockMs > now) {
        next = Math.min(next, since + maxBlockMs);
        continue;
      }
      const message = `${this.method.name}: the subscriber has held up its publisher for ${maxBlockMs} ms; read faster, or take another policy than block`;
      subscriber.end(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxBlockMs" }));
    }
    // Ended ones have left the map, and their end has set a timer or taken it away.
    this.#clock.clearTimeout(this.#timer);
    this.#timer =
      this.#blocking.size === 0 ? undefined : this.#clock.setTimeout(() => this.#endBlocking(), Math.ceil(next - now));
  }

  #reported(delivered: number): Promise<PublishReport> {
    if (this.#lastReport.delivered !== delivered) {
      this.#lastReport = Object.freeze({ delivered });
      this.#lastPromise = Promise.resolve(this.#lastReport);
    }
    return this.#lastPromise;
  }

  #retain(retained: Map<string, CarriedEvent>, subTopic: string, event: CarriedEvent): void {
    const { maxRetainedTopics, maxRetainedBytes } = this.#limits;
    this.#retainedBytes += event.bytes - (retained.get(subTopic)?.bytes ?? 0);
    retained.delete(subTopic);
    retained.set(subTopic, event);
    for (const [oldest, { bytes }] of retained) {
      const fits = retained.size <= maxRetainedTopics && this.#retainedBytes <= maxRetainedBytes;
      if (fits || retained.size === 1) return;
      retained.delete(oldest);
      this.#retainedBytes -= bytes;
    }
  }

  #lastOf(pattern: readonly string[], budget: TopicBudget): readonly CarriedEvent[] {
    const { name } = this.method;
    const events: CarriedEvent[] = [];
    let bytes = 0;
    for (const [subTopic, event] of this.#retained ?? []) {
      if (!matches(pattern, topicLevels(subTopic, name))) continue;
      events.push(event);
      bytes += event.bytes;
    }
    if (budget.admitsLast(bytes)) return events;
    const message = `${name}: ${budget.lastBytes} bytes of last values wait for the peer already; subscribe again when it has read them, or without lastValue`;
    throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxPeerBufferBytes" });
  }
}

/** An event in the form that all its subscribers share. */
class PublishedEvent implements CarriedEvent {
  readonly topic: string;
  readonly value: Payload;
  readonly metadata: MetadataEntries | undefined;
  readonly bytes: number;

  constructor(name: string, subTopic: string, payload: Payload, metadata: MetadataEntries | undefined) {
    const encoded = encodedEvent(name, payload);
    this.topic = subTopic === "" ? name : `${name}.${subTopic}`;
    this.value = encoded;
    this.metadata = metadata;
    this.bytes = encoded.end - encoded.start + this.topic.length + EVENT_BYTES;
  }
}

function encodedEvent(name: string, payload: Payload): EncodedPayload {
  try {
    return encodedNow(payload);
  } catch (thrown) {
    const { code, message, reason } = RpcError.from(thrown);
    throw new RpcError(
      thrown instanceof RpcError ? code : "INVALID_ARGUMENT",
      `${name}: the event cannot be sent: ${message}`,
      { reason: thrown instanceof RpcError ? reason : "INVALID_ARGUMENT", cause: thrown },
    );
  }
}

/** What an event takes up beside its payload. */
const EVENT_BYTES = 64;

/** The promise of a publication that some subscribers hold up. */
class BlockedPublish implements RoomWaiter {
  readonly since: number;
  readonly #parts = Promise.withResolvers<PublishReport>();
  #delivered = 0;
  /** Subscribers without room, and one for the publisher, which is still at it. */
  #open = 1;

  constructor(since: number) {
    this.since = since;
  }

  waitFor(subscriber: TopicSubscriber): void {
    this.#open++;
    subscriber.waitForRoom(this);
  }

  settled(delivered: number): Promise<PublishReport> {
    this.#delivered = delivered;
    this.room();
    return this.#parts.promise;
  }

  room(): void {
    if (--this.#open === 0) this.#parts.resolve({ delivered: this.#delivered });
  }
}

function defaultPolicy(policies: readonly OverflowPolicy[]): OverflowPolicy {
  return policies.includes("drop-oldest") ? "drop-oldest" : (policies[0] ?? "drop-oldest");
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}
