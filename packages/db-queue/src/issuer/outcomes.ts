import { type Clock, RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import { holdProcess } from "../held-timer.ts";
import { RetryPause } from "../retry-pause.ts";
import type { QueueStore, Watch } from "../store/store.ts";
import type { CommandState, Outcome } from "../store/store-words.ts";
import type { InsertsListener } from "./inserts.ts";

/** Who waits for a command's end. */
export interface Waiter {
  /** Undefined: the row is gone. */
  settled(outcome: Outcome | undefined): void;
  /** Nobody will ever tell. */
  abandoned(error: RpcError): void;
}

/** Who is told that a command may have more to read. */
export interface ChangeListener {
  changed(): void;
}

export interface OutcomesOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly pollMs: number;
  readonly report: (error: RpcError) => void;
  /** Somebody waits; gives what is called when nobody has for a while. */
  readonly busy: () => () => void;
}

/** How long it listens on when nobody waits any more: the next call is seldom far, and a listener for each would cost more than the call. */
const LINGER_MS = 1000;
/** Between a failed read and the next one. */
const LEAST_RETRY_MS = 100;
const MAX_IDS = 1000;
/** So many are all read, when any of them may have ended. Of more, only those that are said to have. */
const FEW = 100;
/** Wake-ups of ids that no insert has told yet; beyond, all that come are looked at. */
const MAX_EARLY = 100_000;
const RESULT = "result of: ";
const EVENTS = "events of: ";

export function isOver(state: CommandState): boolean {
  return state !== "queued" && state !== "claimed" && state !== "waiting";
}

/**
 * The one place where outcomes are waited for: one watch, one map of waiters, outcomes read in batches of what was woken. Listen first, then
 * read, then wait; a poll finds what a lost wake-up has hidden. A waiter costs no timer and no query of its own.
 */
export class Outcomes implements InsertsListener {
  readonly #store: QueueStore;
  readonly #options: OutcomesOptions;
  readonly #waiters = new Map<number, Waiter | Waiter[]>();
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  readonly #backoff: Backoff;
  #dirty = new Set<number>();
  /** While an insert is under way: what was woken before anybody here knew its id, and what came of it. Undefined: too many to remember. */
  #early: Map<number, Outcome | undefined> | undefined = new Map();
  #isInserting = false;
  #isScheduled = false;
  #isReading = false;
  #watch: Watch | undefined = undefined;
  #timer: unknown = undefined;
  readonly #pause: RetryPause;
  #idle: (() => void) | undefined = undefined;
  #lingerTimer: unknown = undefined;
  /** Somebody has come since the linger began. */
  #hasNews = false;

  constructor(store: QueueStore, options: OutcomesOptions) {
    this.#store = store;
    this.#options = options;
    this.#backoff = new Backoff({ minMs: LEAST_RETRY_MS, maxMs: 5000 }, options.random);
    this.#pause = new RetryPause(options.clock, LEAST_RETRY_MS, () => this.#schedule());
  }

  get count(): number {
    return this.#waiters.size;
  }

  began(): void {
    this.#isInserting = true;
    this.#open();
  }

  ended(): void {
    this.#isInserting = false;
    this.#early = new Map();
    if (!this.#isAwaited) this.#rest();
  }

  /** `isDirty`: it may be over already. */
  wait(id: number, waiter: Waiter, isDirty: boolean): void {
    if (!this.#isAwaited) holdProcess(this.#timer, true);
    const others = this.#waiters.get(id);
    if (others === undefined) this.#waiters.set(id, waiter);
    else this.#waiters.set(id, Array.isArray(others) ? [...others, waiter] : [others, waiter]);
    this.#open();
    const outcome = this.#early?.get(id);
    if (outcome !== undefined) this.#found(id, outcome);
    else if (isDirty || this.#early === undefined || this.#early.has(id)) this.look(id);
  }

  forget(id: number, waiter: Waiter): void {
    const found = this.#waiters.get(id);
    const left = Array.isArray(found) ? found.filter((each) => each !== waiter) : [];
    if (left.length > 0) this.#waiters.set(id, left);
    else if (found === waiter || Array.isArray(found)) this.#waiters.delete(id);
    if (!this.#isAwaited) this.#rest();
  }

  /** Tells the listener of this command's events and end until what it gives is called. */
  listen(id: number, listener: ChangeListener): () => void {
    if (!this.#isAwaited) holdProcess(this.#timer, true);
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    this.#open();
    if (this.#early === undefined || this.#early.has(id)) listener.changed();
    return () => {
      listeners.delete(listener);
      // Another set may have taken its place since.
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
      if (!this.#isAwaited) this.#rest();
    };
  }

  /** Settles when no wake-up can be missed any more; never rejects. */
  ready(): Promise<void> {
    this.#open();
    return this.#watch?.ready.catch(() => undefined) ?? Promise.resolve();
  }

  /** Reads it soon. */
  look(id: number): void {
    this.#dirty.add(id);
    this.#schedule();
  }

  lookAtAll(): void {
    for (const id of this.#waiters.keys()) this.#dirty.add(id);
    if (this.#dirty.size > 0) this.#schedule();
    this.#tellListeners();
  }

  /** Whoever waits is told `error`. */
  close(error: RpcError): void {
    const all = [...this.#waiters.values()].flat();
    this.#waiters.clear();
    for (const waiter of all) waiter.abandoned(error);
    this.#tellListeners();
    this.#shut();
  }

  #open(): void {
    this.#idle ??= this.#options.busy();
    this.#hasNews = true;
    if (this.#watch !== undefined) return;
    const watch = this.#store.watch({
      wake: (topic, outcome) => this.#wake(topic, outcome),
      wakeAll: (ended) => this.#wakeAll(ended),
    });
    this.#watch = watch;
    this.#schedulePoll();
    watch.ready.then(
      () => {
        // What ended before it listened has woken nobody.
        if (this.#watch === watch) this.#wakeAll();
      },
      (thrown: unknown) => this.#options.report(RpcError.from(thrown)),
    );
  }

  #shut(): void {
    this.#watch?.close();
    this.#watch = undefined;
    for (const timer of [this.#timer, this.#lingerTimer])
      if (timer !== undefined) this.#options.clock.clearTimeout(timer);
    this.#timer = undefined;
    this.#lingerTimer = undefined;
    this.#pause.end();
    this.#idle?.();
    this.#idle = undefined;
  }

  #schedulePoll(): void {
    const { clock, random, pollMs } = this.#options;
    this.#timer = clock.setTimeout(() => this.#poll(), pollMs * (0.75 + random() / 2));
    if (!this.#isAwaited) holdProcess(this.#timer, false);
  }

  get #isAwaited(): boolean {
    return this.#waiters.size > 0 || this.#listeners.size > 0;
  }

  /** Nobody waits: the process may end. */
  #rest(): void {
    if (this.#watch === undefined) return;
    holdProcess(this.#timer, false);
    this.#lingerTimer ??= this.#linger();
  }

  #linger(): unknown {
    this.#hasNews = false;
    const timer = this.#options.clock.setTimeout(() => {
      this.#lingerTimer = undefined;
      if (this.#isAwaited || this.#isInserting) return;
      if (this.#hasNews) this.#rest();
      else this.#shut();
    }, LINGER_MS);
    holdProcess(timer, false);
    return timer;
  }

  #poll(): void {
    this.#timer = undefined;
    this.lookAtAll();
    this.#schedulePoll();
  }

  #wake(topic: string, outcome: Outcome | undefined): void {
    const isResult = topic.startsWith(RESULT);
    if (!isResult && !topic.startsWith(EVENTS)) return;
    this.#pause.hurry();
    const id = Number(topic.slice(isResult ? RESULT.length : EVENTS.length));
    for (const listener of this.#listeners.get(id) ?? []) listener.changed();
    if (isResult && this.#waiters.has(id)) {
      if (outcome === undefined) this.look(id);
      else this.#found(id, outcome);
    } else if (this.#isInserting && this.#early !== undefined && !(outcome === undefined && this.#early.has(id))) {
      if (this.#early.set(id, outcome).size > MAX_EARLY) this.#early = undefined;
    }
  }

  #wakeAll(ended?: () => readonly number[] | undefined): void {
    this.#pause.hurry();
    if (this.#isInserting) this.#early = undefined;
    const ids = this.#waiters.size > FEW ? ended?.() : undefined;
    if (ids === undefined) return this.lookAtAll();
    for (const id of ids) if (this.#waiters.has(id)) this.#dirty.add(id);
    if (this.#dirty.size > 0) this.#schedule();
    this.#tellListeners();
  }

  #tellListeners(): void {
    for (const listeners of this.#listeners.values()) for (const listener of listeners) listener.changed();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isReading || this.#pause.isOn) return;
    this.#isScheduled = true;
    // The next turn: wake-ups come in swarms, and are read together.
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#read();
    });
  }

  async #read(): Promise<void> {
    const ids: number[] = [];
    for (const id of this.#dirty) {
      if (ids.length >= MAX_IDS) break;
      this.#dirty.delete(id);
      if (this.#waiters.has(id)) ids.push(id);
    }
    if (ids.length > 0) {
      this.#isReading = true;
      try {
        const outcomes = await this.#store.outcomes(ids);
        this.#backoff.reset();
        for (const [index, id] of ids.entries()) this.#found(id, outcomes[index]);
      } catch (thrown) {
        this.#failed(ids, RpcError.from(thrown));
      } finally {
        this.#isReading = false;
      }
    }
    if (this.#dirty.size > 0) this.#schedule();
  }

  #found(id: number, outcome: Outcome | undefined): void {
    if (outcome !== undefined && !isOver(outcome.state)) return;
    const waiters = this.#waiters.get(id);
    if (waiters === undefined) return;
    this.#waiters.delete(id);
    for (const listener of this.#listeners.get(id) ?? []) listener.changed();
    if (Array.isArray(waiters)) for (const waiter of waiters) waiter.settled(outcome);
    else waiters.settled(outcome);
    if (!this.#isAwaited) this.#rest();
  }

  /** The database is away: what was asked for is asked for again, later each time. */
  #failed(ids: readonly number[], error: RpcError): void {
    if (error.code === "FAILED_PRECONDITION" && error.reason === "CLOSED") return this.close(closedUnder(error));
    this.#options.report(error);
    for (const id of ids) this.#dirty.add(id);
    if (this.#watch === undefined) return;
    this.#pause.begin(this.#backoff.nextMs());
  }
}

function closedUnder(error: RpcError): RpcError {
  return new RpcError("UNAVAILABLE", `${error.message}; the command goes on, its outcome can be read later`, {
    reason: "CLOSED",
    delivered: "unknown",
    retryable: false,
    cause: error,
  });
}
