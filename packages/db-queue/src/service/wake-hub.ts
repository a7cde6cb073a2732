import { randomBytes } from "node:crypto";
import { type Clock, RpcError } from "@rpc/core";
import { holdProcess } from "../held-timer.ts";
import { commandTopic, type QueueStore, type Watch } from "../store/store.ts";

/** Stands for every topic there is. */
export const ANY_TOPIC = "*";

const MAX_WAITERS = 10_000;
const MAX_WAITERS_OF_ONE = 100;
/** Topics whose last wake-up is remembered; beyond, those who ask since longer ago are answered at once. */
const MAX_REMEMBERED = 100_000;
/** How long the store is watched on when nobody waits: longer than the pause between two waits of one caller. */
const LINGER_MS = 90_000;
/** A command that is due later than this is found by whoever looks from time to time. */
const MAX_DUE_MS = 60_000;

/** Who waits. Told at most once a turn of the loop, with what was woken meanwhile. */
export interface TopicWaiter {
  woken(topic: string): void;
}

/** The one wait of a watcher. */
export interface Replaceable {
  /** Another has come in its place. */
  replaced(): void;
}

/**
 * Who waits for which topics, and what was woken when. Each wake-up moves one counter on; a *position* is what it was at an instant, as text
 * `<epoch>:<counter>`. Whoever comes with the position of an earlier answer hears at once of what was woken since, so that nothing is lost
 * between two waits. An epoch is one life of this hub: of what was before nobody knows, which means that all may have been woken.
 */
export class WakeHub {
  readonly #store: QueueStore;
  readonly #clock: Clock;
  readonly #epoch: string;
  readonly #waiters = new Map<string, Set<TopicWaiter>>();
  readonly #countByCaller = new Map<string, number>();
  readonly #waitOf = new Map<string, Replaceable>();
  /** The oldest first: whoever is woken again goes to the end. */
  readonly #wokenAt = new Map<string, number>();
  readonly #due = new Map<string, { readonly at: number; readonly timer: unknown }>();
  #counter = 0;
  /** Beyond what is remembered. */
  #forgottenUpTo = 0;
  #allWokenAt = 0;
  #waiterCount = 0;
  #watch: Watch | undefined = undefined;
  #lingerTimer: unknown = undefined;
  #isClosed = false;

  constructor(store: QueueStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#epoch = randomBytes(8).toString("hex");
  }

  get waiterCount(): number {
    return this.#waiterCount;
  }

  /** Now. */
  get position(): string {
    return `${this.#epoch}:${this.#counter}`;
  }

  /** Settles when no wake-up can be missed any more. Rejects when the store cannot be listened to. */
  listen(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#watch === undefined) {
      // Of the time when nobody listened nobody knows.
      this.#allWokenAt = ++this.#counter;
      const watch = this.#store.watch({ wake: (topic) => this.wake(topic), wakeAll: () => this.#wakeAll() });
      this.#watch = watch;
      watch.ready.catch(() => {
        // The next one tries anew.
        watch.close();
        if (this.#watch === watch) this.#watch = undefined;
      });
    }
    this.#linger();
    return this.#watch.ready;
  }

  /** Those of the topics that were woken since a position; an unknown one gives all. */
  wokenSince(topics: readonly string[], since: string): readonly string[] {
    const counter = this.#counterOf(since);
    return counter === undefined ? topics : topics.filter((topic) => this.#lastOf(topic) > counter);
  }

  /** RESOURCE_EXHAUSTED when too many wait, or this caller in too many places. Gives what ends it. */
  enter(caller: string): () => void {
    if (this.#isClosed) throw closedError();
    const own = this.#countByCaller.get(caller) ?? 0;
    if (own >= MAX_WAITERS_OF_ONE) throw tooManyError(`${MAX_WAITERS_OF_ONE} waits of this caller`);
    if (this.#waiterCount >= MAX_WAITERS) throw tooManyError(`${MAX_WAITERS} waits`);
    this.#countByCaller.set(caller, own + 1);
    this.#waiterCount += 1;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#waiterCount -= 1;
      const left = (this.#countByCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#countByCaller.delete(caller);
      else this.#countByCaller.set(caller, left);
      if (this.#waiterCount === 0) this.#linger();
    };
  }

  /** Ends the wait that this watcher has had. Gives what says that the new one is over. */
  takeOver(watcher: string, wait: Replaceable): () => void {
    this.#waitOf.get(watcher)?.replaced();
    this.#waitOf.set(watcher, wait);
    return () => {
      if (this.#waitOf.get(watcher) === wait) this.#waitOf.delete(watcher);
    };
  }

  add(topic: string, waiter: TopicWaiter): void {
    const waiters = this.#waiters.get(topic);
    if (waiters === undefined) this.#waiters.set(topic, new Set([waiter]));
    else waiters.add(waiter);
  }

  remove(topic: string, waiter: TopicWaiter): void {
    const waiters = this.#waiters.get(topic);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(topic);
  }

  /** A command of this address is due so soon that nobody else will wake for it. */
  dueIn(address: string, ms: number): void {
    if (ms > MAX_DUE_MS || this.#isClosed) return;
    const at = this.#clock.now() + ms;
    const known = this.#due.get(address);
    if (known !== undefined && known.at <= at) return;
    this.#clock.clearTimeout(known?.timer);
    const timer = this.#clock.setTimeout(() => {
      this.#due.delete(address);
      this.wake(commandTopic(address));
    }, ms);
    holdProcess(timer, false);
    this.#due.set(address, { at, timer });
  }

  wake(topic: string): void {
    this.#counter += 1;
    this.#wokenAt.delete(topic);
    this.#wokenAt.set(topic, this.#counter);
    if (this.#wokenAt.size > MAX_REMEMBERED) {
      for (const [oldest, counter] of this.#wokenAt) {
        this.#wokenAt.delete(oldest);
        this.#forgottenUpTo = counter;
        break;
      }
    }
    for (const waiter of this.#waiters.get(topic) ?? []) waiter.woken(topic);
    for (const waiter of this.#waiters.get(ANY_TOPIC) ?? []) waiter.woken(topic);
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
    this.#watch = undefined;
    this.#clock.clearTimeout(this.#lingerTimer);
    for (const { timer } of this.#due.values()) this.#clock.clearTimeout(timer);
    this.#due.clear();
    // Whoever still waits looks again, and is refused.
    this.#wakeAll();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #wakeAll(): void {
    this.#allWokenAt = ++this.#counter;
    for (const [topic, waiters] of this.#waiters) for (const waiter of waiters) waiter.woken(topic);
  }

  #lastOf(topic: string): number {
    if (topic === ANY_TOPIC) return this.#counter;
    return Math.max(this.#wokenAt.get(topic) ?? this.#forgottenUpTo, this.#allWokenAt);
  }

  /** Undefined: of another life, or none of ours at all. */
  #counterOf(position: string): number | undefined {
    const [epoch, counter, ...rest] = position.split(":");
    if (epoch !== this.#epoch || counter === undefined || rest.length > 0 || !/^\d{1,15}$/.test(counter))
      return undefined;
    return Number(counter) <= this.#counter ? Number(counter) : undefined;
  }

  #linger(): void {
    this.#clock.clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.#waiterCount > 0) return;
    this.#lingerTimer = this.#clock.setTimeout(() => {
      this.#lingerTimer = undefined;
      if (this.#waiterCount > 0) return;
      this.#watch?.close();
      this.#watch = undefined;
      this.#wokenAt.clear();
    }, LINGER_MS);
    holdProcess(this.#lingerTimer, false);
  }
}

function tooManyError(what: string): RpcError {
  return new RpcError(
    "RESOURCE_EXHAUSTED",
    `there are ${what} already: wait for several topics at once, or in fewer places`,
    {
      reason: "maxWaits",
    },
  );
}

export function closedError(): RpcError {
  return new RpcError("UNAVAILABLE", "the queue's service was closed", { reason: "CLOSED", delivered: "no" });
}
