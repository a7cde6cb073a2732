import { RpcError } from "../words/rpc-error.ts";
import type { CarriedEvent, EventSink, EventSource, OverflowPolicy } from "../words/topics.ts";
import { Fifo } from "../tools/fifo.ts";
import type { TopicBudget } from "./topic-budget.ts";

/** What became of an event that was offered to a subscriber. */
export type Offered = "taken" | "dropped" | "blocked";

/** A publisher's promise that waits for subscribers with room. */
export interface RoomWaiter {
  /** When it began to wait. */
  readonly since: number;
  room(): void;
}

export interface SubscriberOptions {
  readonly overflow: OverflowPolicy;
  /** Events that may wait. At least 1. */
  readonly buffer: number;
  /** Bytes that may wait; a single event always may. */
  readonly bufferBytes: number;
  /** Shared with the other subscriptions of its peer. */
  readonly budget: TopicBudget;
  /** Full name of the event, for messages. */
  readonly name: string;
}

/** The hub that a subscriber belongs to. */
export interface SubscriberOwner {
  /** It does not want events any more. */
  left(subscriber: TopicSubscriber): void;
  /** Since when it holds up the publication that waits longest for it; undefined: it holds up nobody any more. */
  holdsUp(subscriber: TopicSubscriber, since: number | undefined): void;
}

interface Waiting {
  readonly event: CarriedEvent;
  /** Left out right before it. */
  lost: number;
}

/** One subscription at its publisher: what its reader has no credit for waits here, within limits. */
export class TopicSubscriber implements EventSource {
  readonly #owner: SubscriberOwner;
  readonly #sink: EventSink;
  readonly #options: SubscriberOptions;
  readonly #queue = new Fifo<Waiting>();
  #bytes = 0;
  #credits = 0;
  /** Left out after everything that waits. */
  #lostLast = 0;
  /** One for each event at the end of the queue that is beyond the buffer. */
  #waiters: Fifo<RoomWaiter> | undefined = undefined;
  #opened = false;
  #sending = false;
  #closed = false;
  /** Last values, sent before all else; no policy counts or drops them. */
  #first: Fifo<CarriedEvent> | undefined = undefined;
  #firstBytes = 0;

  constructor(owner: SubscriberOwner, sink: EventSink, options: SubscriberOptions) {
    this.#owner = owner;
    this.#sink = sink;
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Events that were published before and come first; they do not count as published. */
  precede(events: readonly CarriedEvent[]): void {
    if (events.length === 0) return;
    this.#first = new Fifo();
    for (const event of events) {
      this.#first.push(event);
      this.#firstBytes += event.bytes;
    }
    this.#options.budget.lastBytes += this.#firstBytes;
  }

  open(credits: number): void {
    if (this.#closed || this.#opened) return;
    this.#opened = true;
    this.#sink.subscribed();
    this.#credits += credits;
    this.#send();
  }

  grant(credits: number): void {
    this.#credits += credits;
    this.#send();
  }

  resume(): void {
    this.#send();
  }

  release(): void {
    // What its reader holds is its reader's business.
  }

  report(): void {
    // See above.
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#let();
    this.#owner.left(this);
  }

  /** Ends it from this side. */
  end(error: RpcError | undefined): void {
    if (this.#closed) return;
    this.close();
    this.#sink.ended(error);
  }

  offer(event: CarriedEvent): Offered {
    if (this.#closed) return "dropped";
    const isNext = this.#queue.length === 0 && this.#first === undefined;
    if (isNext && this.#credits > 0 && this.#opened && !this.#sending && this.#sink.writable) {
      const lost = this.#lostLast;
      this.#lostLast = 0;
      this.#credits--;
      this.#sink.event(event, lost);
      return "taken";
    }
    const { budget, overflow } = this.#options;
    if (this.#hasRoom(event, 0) && budget.admits(event.bytes)) {
      this.#push(event, this.#takeLost());
      return "taken";
    }
    switch (overflow) {
      case "drop-oldest":
        while (this.#queue.length > 0 && !(this.#hasRoom(event, 0) && budget.admits(event.bytes))) this.#dropOldest();
        // The peer's other subscriptions may hold all that it has.
        if (!budget.admits(event.bytes)) {
          this.#lostLast++;
          return "dropped";
        }
        this.#push(event, this.#takeLost());
        return "taken";
      case "drop-newest":
        this.#lostLast++;
        return "dropped";
      case "disconnect":
        this.#overflow("take a larger buffer, or the policy drop-oldest");
        return "dropped";
      case "block":
        if (!budget.admits(event.bytes)) {
          this.#overflow("take another policy");
          return "dropped";
        }
        // Its publisher does not wait. That it blocks is its own choice, so it is the one who bears it.
        if ((this.#waiters?.length ?? 0) >= this.#options.buffer || this.#bytes > 2 * this.#options.bufferBytes) {
          this.#overflow("its publisher does not wait for it; take a larger buffer, or the policy drop-oldest");
          return "dropped";
        }
        this.#push(event, this.#takeLost());
        return "blocked";
      default:
        return overflow satisfies never;
    }
  }

  #overflow(advice: string): void {
    const { name, budget } = this.#options;
    const message = `${name}: the subscriber does not keep up: ${this.#queue.length} events of ${this.#bytes} bytes wait for it, ${budget.bytes} bytes for all subscriptions of its peer; ${advice}`;
    this.end(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "overflow" }));
  }

  /** Called after an offer that was `blocked`: told when the event is within the buffer, or the subscriber has gone. */
  waitForRoom(waiter: RoomWaiter): void {
    this.#waiters ??= new Fifo();
    this.#waiters.push(waiter);
    if (this.#waiters.length === 1) this.#owner.holdsUp(this, waiter.since);
  }

  #hasRoom(event: CarriedEvent | undefined, beyond: number): boolean {
    const count = this.#queue.length - beyond;
    if (count <= 0) return true;
    return count < this.#options.buffer && this.#bytes + (event?.bytes ?? 0) <= this.#options.bufferBytes;
  }

  #push(event: CarriedEvent, lost: number): void {
    this.#queue.push({ event, lost });
    this.#count(event.bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#options.budget.bytes += bytes;
  }

  #takeLost(): number {
    const lost = this.#lostLast;
    this.#lostLast = 0;
    return lost;
  }

  #dropOldest(): void {
    const oldest = this.#queue.shift();
    if (oldest === undefined) return;
    this.#count(-oldest.event.bytes);
    const { first } = this.#queue;
    if (first === undefined) this.#lostLast += oldest.lost + 1;
    else first.lost += oldest.lost + 1;
  }

  #send(): void {
    // The sink may come back here while it takes an event.
    if (this.#sending || !this.#opened) return;
    this.#sending = true;
    const before = this.#queue.length;
    while (this.#first !== undefined && this.#credits > 0 && this.#sink.writable) this.#sendFirst(this.#first);
    while (this.#first === undefined && this.#credits > 0 && !this.#closed && this.#sink.writable) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#count(-next.event.bytes);
      this.#credits--;
      this.#sink.event(next.event, next.lost);
    }
    this.#sending = false;
    if (this.#waiters !== undefined && this.#queue.length < before && !this.#closed) this.#tellRoom(this.#waiters);
  }

  #sendFirst(first: Fifo<CarriedEvent>): void {
    const event = first.shift();
    if (first.length === 0) this.#first = undefined;
    if (event === undefined) return;
    this.#firstBytes -= event.bytes;
    this.#options.budget.lastBytes -= event.bytes;
    this.#credits--;
    this.#sink.event(event, 0);
  }

  #tellRoom(waiters: Fifo<RoomWaiter>): void {
    if (waiters.length === 0) return;
    const before = waiters.length;
    // One waiter stands for one event at the end of the queue.
    while (waiters.length > 0 && this.#hasRoom(undefined, waiters.length)) waiters.shift()?.room();
    if (waiters.length !== before) this.#owner.holdsUp(this, waiters.first?.since);
  }

  #let(): void {
    this.#queue.clear();
    this.#count(-this.#bytes);
    this.#first = undefined;
    this.#options.budget.lastBytes -= this.#firstBytes;
    this.#firstBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    if (waiters === undefined || waiters.length === 0) return;
    this.#owner.holdsUp(this, undefined);
    for (let waiter = waiters.shift(); waiter !== undefined; waiter = waiters.shift()) waiter.room();
  }
}
