import type { CallContext } from "./call-context.ts";
import type { MetadataEntries } from "./envelope.ts";
import type { Metadata, MetadataInit } from "./metadata.ts";
import type { RpcError } from "./rpc-error.ts";
import type { Awaitable } from "./transport.ts";

/**
 * Publish and subscribe. An *event* is a member of a contract. Its *topic* is the event's full name, or that name, a dot and a *sub-topic*
 * of levels joined by dots: `buildbot.Bot.states.floor1.kitchen`. A *pattern* is matched against the sub-topic, level by level, and
 * compares exactly: `*` stands for one level, `**` as the last one for any number of levels, none included.
 */

/**
 * What happens to a subscriber that reads more slowly than is published, once its buffer at the publisher is full:
 * `block`: `publish()` settles only when there is room again; one that takes too long is ended RESOURCE_EXHAUSTED · `drop-oldest`, `drop-newest`: events are left out, and the next one says
 * how many · `disconnect`: the subscription fails RESOURCE_EXHAUSTED.
 */
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];
export const OVERFLOW_POLICIES = ["drop-oldest", "drop-newest", "block", "disconnect"] as const;

export interface PublishOptions {
  /** The sub-topic, such as `floor1.kitchen`. Default: none. */
  readonly topic?: string | undefined;
  readonly metadata?: MetadataInit | undefined;
}

/** How many subscribers an event went to; what an overflow policy drops later is not known yet. */
export interface PublishReport {
  readonly delivered: number;
}

/** Publishes one event of a contract; a member of its router. */
export interface EventPublisher<Value> {
  /**
   * Gives an event to everybody who is subscribed now. The value may be changed afterwards. Settles at once unless a subscriber with the
   * policy `block` is full. Rejects INVALID_ARGUMENT for a value or a topic that cannot be, and never because of a subscriber: one that
   * blocks is ended when it takes too long, or when twice its buffer waits because nobody awaits `publish`.
   */
  publish(value: Value, options?: PublishOptions): Promise<PublishReport>;
  readonly subscriberCount: number;
}

export interface SubscribeOptions {
  /** Which sub-topics. Default: all, and the event without sub-topic. */
  readonly pattern?: string | undefined;
  /** Whether the last event of every matching topic comes first. Only for events that are retained. Default: false. */
  readonly lastValue?: boolean | undefined;
  /** Default: `drop-oldest`. */
  readonly overflow?: OverflowPolicy | undefined;
  /** Events that the publisher keeps for this subscriber when it does not read. Default: 1,000. */
  readonly buffer?: number | undefined;
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: MetadataInit | undefined;
  /**
   * Whether a subscription that was lost with its connection is made again, with a gap, and one that did not get a connection is tried
   * again, with `ready` pending; only where the transport dials. Default: true.
   */
  readonly resubscribe?: boolean | undefined;
  /** Told when events may be missing because the connection was lost. For the callback form; `events` yields the gap itself. */
  readonly onGap?: ((gap: TopicGap) => void) | undefined;
}

/** One event as its subscriber sees it. */
export interface TopicEvent<Value> {
  readonly kind: "event";
  /** Full name: the event's, and the sub-topic's if it has one. */
  readonly topic: string;
  /** Empty without sub-topic. */
  readonly subTopic: string;
  readonly value: Value;
  /** How many events the overflow policy left out right before this one. */
  readonly lost: number;
  readonly metadata: Metadata;
}

/** The connection was lost and the subscription made again: events of the time in between are missing. */
export interface TopicGap {
  readonly kind: "gap";
  readonly reason: RpcError;
}

/** A subscription. Reading it yields values; there is one reader, of values or of events. Leaving the loop ends it. */
export interface Subscription<Value> extends AsyncIterable<Value>, AsyncDisposable {
  /** Settles when nothing published from then on is missed, however long the server takes to come up; rejects when the subscription is refused. */
  readonly ready: Promise<void>;
  /** The same as reading the subscription, with topics, metadata, losses and gaps. */
  readonly events: AsyncIterable<TopicEvent<Value> | TopicGap>;
  /** Events that the overflow policy has left out so far. */
  readonly lostCount: number;
  /** Settles with the error that ended the subscription, undefined after `close`. Never rejects. */
  readonly closed: Promise<RpcError | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Called with each event in order; the next one waits for a promise that it returns. What it throws is reported, the subscription goes on. */
export type EventListener<Value> = (value: Value, event: TopicEvent<Value>) => Awaitable<void>;

/** What a client offers for an event. */
export interface EventClient<Value> {
  /** Subscribes at once. Losses and the end of the subscription are told by its members; it is read, or closed when it is no longer needed. */
  subscribe(options?: SubscribeOptions): Subscription<Value>;
  subscribe(options: SubscribeOptions | undefined, listener: EventListener<Value>): Subscription<Value>;
}

// ---- the port: the same on a transport, on a handler and on a hub

/** What a subscriber asks for. */
export interface SubscribeRequest {
  readonly pattern: string | undefined;
  readonly lastValue: boolean;
  readonly overflow: OverflowPolicy | undefined;
  readonly buffer: number | undefined;
}

/** An event on its way: made once, whoever gets it. */
export interface CarriedEvent {
  /** Full name. */
  readonly topic: string;
  /** A value, or a payload that is encoded already. */
  readonly value: unknown;
  readonly metadata: MetadataEntries | undefined;
  /** What it takes up while it waits. */
  readonly bytes: number;
}

/** The reading end of a subscription. */
export interface EventSink {
  /** Whether it takes an event now, credit aside; when it does again, it calls `resume` of its source. */
  readonly writable: boolean;
  /** Nothing published from now on is missed. */
  subscribed(): void;
  event(event: CarriedEvent, lost: number): void;
  /** Once, unless the sink has closed the source. */
  ended(error: RpcError | undefined): void;
}

/** The sending end of a subscription. It tells its sink nothing before `open`, and no event beyond the credit. */
export interface EventSource {
  open(credits: number): void;
  grant(credits: number): void;
  resume(): void;
  /** Events of this many bytes are no longer held by the sink. */
  release(bytes: number): void;
  /** An error of the sink's own that nobody hears of otherwise. */
  report(error: RpcError): void;
  /** Ends it; the sink is not told. Idempotent. */
  close(reason: RpcError): void;
}

/** Where subscriptions are made. */
export interface TopicPort {
  /** A subscription that was lost can be made again here: the port finds a new way by itself. */
  readonly lasting?: boolean | undefined;
  /** Ends also when the context is cancelled. Throws RpcError for a subscription that cannot be. */
  subscribe(request: SubscribeRequest, context: CallContext, sink: EventSink): EventSource;
}
