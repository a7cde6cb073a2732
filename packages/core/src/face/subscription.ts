import type { Clock } from "../words/clock.ts";
import { Metadata } from "../words/metadata.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type {
  CarriedEvent,
  EventListener,
  EventSink,
  EventSource,
  SubscribeOptions,
  Subscription,
  TopicEvent,
  TopicGap,
  TopicPort,
} from "../words/topics.ts";
import { Backoff } from "../tools/backoff.ts";
import { Fifo } from "../tools/fifo.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { CallerContext } from "./caller-context.ts";

/** Events that may be under way to a subscriber. A session makes it less when its `streamCredits` are. */
const WINDOW = 256;

type Waiting = ReceivedEvent | TopicGap;

interface Waiter {
  resolve(step: IteratorResult<Waiting, undefined>): void;
  reject(error: RpcError): void;
}

/** A subscription as its user holds it: one reader, or a listener; made again when the connection was lost, or did not come up. */
export class ClientSubscription implements Subscription<unknown>, EventSink {
  readonly #method: MethodDescriptor;
  readonly #port: TopicPort;
  readonly #options: SubscribeOptions;
  readonly #clock: Clock;
  readonly #listener: EventListener<unknown> | undefined;
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<RpcError | undefined>();
  #source: EventSource | undefined = undefined;
  #queue = new Fifo<Waiting>();
  #waiters = new Fifo<Waiter>();
  #isRead = false;
  /** The listener has not finished with the last event. */
  #listening = false;
  #lostCount = 0;
  #wasReady = false;
  /** Why the last connection was lost, until there is a new one. */
  #lossReason: RpcError | undefined = undefined;
  #backoff: Backoff | undefined = undefined;
  #timer: unknown = undefined;
  #over = false;
  /** What the reader is told once it has read the rest. */
  #error: RpcError | undefined = undefined;

  constructor(
    method: MethodDescriptor,
    port: TopicPort,
    options: SubscribeOptions,
    clock: Clock,
    listener: EventListener<unknown> | undefined,
  ) {
    this.#method = method;
    this.#port = port;
    this.#options = options;
    this.#clock = clock;
    this.#listener = listener;
    // Whoever only reads sees the error there.
    this.#ready.promise.catch(() => undefined);
    this.#start();
  }

  #start(): void {
    const { signal } = this.#options;
    if (signal?.aborted === true) return this.#abort();
    signal?.addEventListener("abort", this.#abort);
    try {
      this.#subscribe();
    } catch (thrown) {
      this.#end(RpcError.from(thrown));
    }
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get closed(): Promise<RpcError | undefined> {
    return this.#closed.promise;
  }

  get lostCount(): number {
    return this.#lostCount;
  }

  get events(): AsyncIterable<TopicEvent<unknown> | TopicGap> {
    return { [Symbol.asyncIterator]: () => this.#reader((waiting) => waiting) };
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#reader((waiting) => (waiting.kind === "event" ? waiting.value : SKIPPED));
  }

  close(): Promise<void> {
    this.#drop();
    this.#end(undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- the sink of the port

  get writable(): boolean {
    return true;
  }

  subscribed(): void {
    this.#wasReady = true;
    this.#ready.resolve();
    this.#backoff?.reset();
    const reason = this.#lossReason;
    this.#lossReason = undefined;
    if (reason === undefined) return;
    const gap: TopicGap = { kind: "gap", reason };
    if (this.#listener === undefined) return this.#take(gap);
    try {
      this.#options.onGap?.(gap);
    } catch (thrown) {
      this.#source?.report(RpcError.from(thrown));
    }
  }

  event(event: CarriedEvent, lost: number): void {
    const source = this.#source;
    if (this.#over || source === undefined) return source?.release(event.bytes);
    this.#lostCount += lost;
    this.#take(new ReceivedEvent(this.#method.name, event, lost, source));
  }

  ended(error: RpcError | undefined): void {
    const source = this.#source;
    this.#source = undefined;
    // Its reader holds too much already.
    if (error?.reason === "maxUnreadBytes") this.#drop();
    if (error === undefined || !this.#mayRetry(error)) {
      // A listener is not told of an end, and its user may never look at `closed`.
      if (error !== undefined && this.#listener !== undefined && !this.#over) source?.report(error);
      return this.#end(error);
    }
    // Before it was ready nothing was promised, so nothing is missing.
    if (this.#wasReady) this.#lossReason ??= error;
    this.#backoff ??= new Backoff();
    this.#timer = this.#clock.setTimeout(() => this.#subscribeAgain(error), this.#backoff.nextMs());
  }

  #subscribe(): void {
    const { pattern, lastValue = false, overflow, buffer, metadata } = this.#options;
    const context = new CallerContext(this.#method, { metadata }, this.#clock, undefined);
    this.#source = this.#port.subscribe({ pattern, lastValue, overflow, buffer }, context, this);
    this.#source.open(WINDOW);
  }

  #mayRetry(error: RpcError): boolean {
    if (this.#over || this.#port.lasting !== true) return false;
    return this.#options.resubscribe !== false && isLoss(error);
  }

  #subscribeAgain(lost: RpcError): void {
    this.#timer = undefined;
    try {
      this.#subscribe();
    } catch {
      // The transport was closed meanwhile: what was lost stays lost.
      this.#end(lost);
    }
  }

  readonly #abort = (): void => {
    const { reason } = this.#options.signal ?? {};
    const message = reason instanceof Error || typeof reason === "string" ? RpcError.from(reason).message : "cancelled";
    this.#end(new RpcError("CANCELLED", `${this.#method.name}: ${message}`, { reason: "CANCELLED", cause: reason }));
  };

  #end(error: RpcError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    const left = new RpcError("CANCELLED", `${this.#method.name}: the subscriber has left`, { reason: "CANCELLED" });
    this.#source?.close(error ?? left);
    if (this.#wasReady) this.#ready.resolve();
    else this.#ready.reject(error ?? left);
    this.#error = error;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift())
      this.#tellEnd(waiter);
    this.#closed.resolve(error);
  }

  #tellEnd(waiter: Waiter): void {
    const error = this.#error;
    // An iterator that has failed is done from then on.
    this.#error = undefined;
    if (error === undefined) waiter.resolve(DONE);
    else waiter.reject(error);
  }

  // ---- the reader

  #take(waiting: Waiting): void {
    if (this.#listener !== undefined && waiting.kind === "event" && !this.#listening) return this.#listen(waiting);
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return this.#queue.push(waiting);
    if (waiting.kind === "event") waiting.taken();
    waiter.resolve({ done: false, value: waiting });
  }

  #listen(event: ReceivedEvent): void {
    const source = this.#source;
    try {
      const done: unknown = this.#listener?.(event.value, event);
      if (isPromiseLike(done)) {
        this.#listening = true;
        Promise.resolve(done).then(
          () => this.#heard(event),
          (thrown: unknown) => {
            source?.report(RpcError.from(thrown));
            this.#heard(event);
          },
        );
        return;
      }
    } catch (thrown) {
      source?.report(RpcError.from(thrown));
    }
    event.taken();
  }

  #heard(event: ReceivedEvent): void {
    this.#listening = false;
    event.taken();
    while (!this.#listening) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      if (next.kind === "event") this.#listen(next);
    }
  }

  #reader(view: (waiting: Waiting) => unknown): AsyncIterator<never, undefined> {
    if (this.#isRead || this.#listener !== undefined) {
      const what = this.#listener === undefined ? "is being read already" : "has a listener";
      throw new RpcError("FAILED_PRECONDITION", `${this.#method.name}: the subscription ${what}; subscribe again`, {
        reason: "STREAM_READ",
      });
    }
    this.#isRead = true;
    const next = async (): Promise<IteratorResult<never, undefined>> => {
      for (;;) {
        const step = await this.#next();
        if (step.done === true) return DONE;
        const value = view(step.value);
        if (value !== SKIPPED) return { done: false, value: value as never };
      }
    };
    return {
      next,
      return: async () => {
        await this.close();
        return DONE;
      },
    };
  }

  #next(): Promise<IteratorResult<Waiting, undefined>> {
    const waiting = this.#queue.shift();
    if (waiting !== undefined) {
      if (waiting.kind === "event") waiting.taken();
      return Promise.resolve({ done: false, value: waiting });
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#over) this.#tellEnd(waiter);
      else this.#waiters.push(waiter);
    });
  }

  /** What was not read will not be. */
  #drop(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      if (next.kind === "event") next.dropped();
    this.#error = undefined;
  }
}

/** Whether the connection was lost, and not closed on purpose by this end. */
export function isLoss(error: RpcError): boolean {
  return error.code === "UNAVAILABLE" && error.reason !== "CLOSED";
}

/** A gap, for a reader that asked for values alone. */
const SKIPPED = Symbol("skipped");

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

class ReceivedEvent implements TopicEvent<unknown> {
  readonly kind = "event";
  readonly topic: string;
  readonly value: unknown;
  readonly lost: number;
  readonly #nameLength: number;
  readonly #carried: CarriedEvent;
  /** The subscription of the time: a later one knows nothing of this event. */
  readonly #source: EventSource;
  #metadata: Metadata | undefined = undefined;

  constructor(name: string, carried: CarriedEvent, lost: number, source: EventSource) {
    this.topic = carried.topic;
    this.value = carried.value;
    this.lost = lost;
    this.#nameLength = name.length;
    this.#carried = carried;
    this.#source = source;
  }

  get subTopic(): string {
    return this.topic.slice(this.#nameLength + 1);
  }

  get metadata(): Metadata {
    this.#metadata ??= metadataOf(this.#carried);
    return this.#metadata;
  }

  taken(): void {
    this.#source.release(this.#carried.bytes);
    this.#source.grant(1);
  }

  dropped(): void {
    this.#source.release(this.#carried.bytes);
  }
}

/** Metadata from a peer is data: what breaks the rules is left out. */
function metadataOf(event: CarriedEvent): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of event.metadata ?? []) {
    try {
      metadata.append(key, value);
    } catch {
      // Left out.
    }
  }
  return metadata;
}
