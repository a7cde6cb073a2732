import { type Clock, RpcError } from "@rpc/core";
import type { QueueStore } from "../store/store.ts";
import type { Inserted, NewCommand } from "../store/store-words.ts";

/** Commands of one insert, and characters of their arguments. */
const MAX_COMMANDS = 1000;
const MAX_CHARACTERS = 8 * 1024 * 1024;
/** An insert that found no database after so long speaks for all that waited as long behind it. */
const LONG_MS = 1000;
const AWAY: ReadonlySet<string | undefined> = new Set(["CONNECTION_LOST", "DATABASE_STARTING", "POOL_EXHAUSTED"]);

/** So many that wait go on their way before those before them are told: few gain by what follows from these. */
const MANY = 100;

/** A command on its way into the store. */
export interface Insertion {
  readonly command: NewCommand;
  /** Nobody wants it any more: it is not inserted. Asked when its turn has come. */
  readonly isDropped: boolean;
  /** It goes to the store now. */
  leaving(): void;
  inserted(row: Inserted): void;
  refused(error: RpcError): void;
}

export interface InsertsListener {
  /** An insert is under way: ids that nobody knows yet may be woken. */
  began(): void;
  ended(): void;
}

interface Batch {
  readonly insertions: readonly Insertion[];
  readonly commands: readonly NewCommand[];
}

interface Sent {
  readonly batch: Batch;
  readonly beganAt: number;
  /** How many waited already. */
  readonly behind: number;
  readonly results: ReturnType<QueueStore["insert"]>;
}

/**
 * Gathers what one turn of the event loop issues into one insert. One is under way at a time, so that ids have the order of the calls, and
 * the slower the database is, the more goes into the next. What waits is bounded, and told together when the database is away.
 */
export class Inserts {
  readonly #store: QueueStore;
  readonly #listener: InsertsListener;
  readonly #clock: Clock;
  readonly #maxUnsent: number;
  #waiting: Insertion[] = [];
  /** The next batch, full, and ready for the store, while one is under way. */
  #ready: Batch | undefined = undefined;
  #isScheduled = false;
  #isBusy = false;
  #idle: PromiseWithResolvers<void> | undefined = undefined;

  constructor(
    store: QueueStore,
    listener: InsertsListener,
    limits: { readonly clock: Clock; readonly maxUnsent: number },
  ) {
    this.#store = store;
    this.#listener = listener;
    this.#clock = limits.clock;
    this.#maxUnsent = limits.maxUnsent;
  }

  /** Tells RESOURCE_EXHAUSTED, soon, when too many wait. */
  add(insertion: Insertion): void {
    if (this.count >= this.#maxUnsent) {
      queueMicrotask(() => {
        if (!insertion.isDropped) insertion.refused(tooMany(this.#maxUnsent));
      });
      return;
    }
    this.#waiting.push(insertion);
    this.#schedule();
  }

  get count(): number {
    return this.#waiting.length + (this.#ready?.insertions.length ?? 0);
  }

  /** Settles when nothing waits and nothing is under way. */
  idle(): Promise<void> {
    if (!this.#isBusy && this.count === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  #schedule(): void {
    if (this.#isScheduled || (this.#isBusy && !this.#mayReady)) return;
    this.#isScheduled = true;
    // Not a microtask: what follows from one batch of outcomes, call upon call, goes into the next insert together.
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isBusy) void this.#flush();
      else if (this.#mayReady) this.#readyNext();
    });
  }

  /** A full batch gets no fuller by waiting for its turn. */
  get #mayReady(): boolean {
    return this.#ready === undefined && this.#waiting.length >= MAX_COMMANDS && this.#store.readyInsert !== undefined;
  }

  #readyNext(): void {
    this.#ready = this.#take();
    this.#store.readyInsert?.(this.#ready.commands);
  }

  async #flush(): Promise<void> {
    const first = this.#take();
    if (first.insertions.length > 0) this.#listener.began();
    for (let sent = this.#send(first); sent !== undefined;) {
      const { batch, beganAt, behind } = sent;
      let next: Sent | undefined = undefined;
      try {
        const results = await sent.results;
        // Before these are told, which has whoever issued them issue more: the database is not to wait for that.
        if (this.count >= MANY) {
          next = this.#send(this.#take());
          // A pool gives out a connection only when all promises that are due have had their turn, those of who is told now among them.
          await new Promise<void>((resolve) => {
            setImmediate(resolve);
          });
        }
        this.#tell(batch, results);
      } catch (thrown) {
        const error = RpcError.from(thrown);
        for (const insertion of batch.insertions) insertion.refused(error);
        const isAway = error.delivered === "no" && AWAY.has(error.reason);
        if (isAway && this.#clock.now() - beganAt >= LONG_MS) this.#refuse(behind, error);
      }
      this.#isBusy = next !== undefined;
      this.#listener.ended();
      if (next !== undefined) this.#listener.began();
      sent = next;
    }
    if (this.count > 0) return this.#schedule();
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #send(batch: Batch): Sent | undefined {
    if (batch.insertions.length === 0) return undefined;
    this.#isBusy = true;
    const beganAt = this.#clock.now();
    const behind = this.count;
    const results = this.#store.insert(batch.commands);
    // Awaited as soon as those before it have been told.
    results.catch(() => undefined);
    if (this.#mayReady) this.#schedule();
    return { batch, beganAt, behind, results };
  }

  /** So many of those that wait, the first ones. */
  #refuse(count: number, error: RpcError): void {
    const ready = this.#ready?.insertions ?? [];
    // They have come since.
    if (ready.length > count) return;
    this.#ready = undefined;
    for (const insertion of [...ready, ...this.#waiting.splice(0, count - ready.length)])
      if (!insertion.isDropped) insertion.refused(error);
  }

  #take(): Batch {
    if (this.#ready !== undefined) {
      const ready = this.#ready;
      this.#ready = undefined;
      return ready;
    }
    const batch: Insertion[] = [];
    let characters = 0;
    let taken = 0;
    for (const insertion of this.#waiting) {
      if (batch.length >= MAX_COMMANDS || characters > MAX_CHARACTERS) break;
      taken += 1;
      if (insertion.isDropped) continue;
      insertion.leaving();
      characters += (insertion.command.args?.length ?? 0) + (insertion.command.kwargs?.length ?? 0);
      batch.push(insertion);
    }
    this.#waiting = this.#waiting.slice(taken);
    return { insertions: batch, commands: batch.map(({ command }) => command) };
  }

  #tell({ insertions }: Batch, results: readonly (Inserted | RpcError)[]): void {
    for (const [index, insertion] of insertions.entries()) {
      const result = results[index];
      if (result === undefined || result instanceof RpcError) insertion.refused(result ?? lost());
      else insertion.inserted(result);
    }
  }
}

function tooMany(maxUnsent: number): RpcError {
  const message = `${maxUnsent} commands wait to be inserted already: the database is away or too slow; issue fewer at once, or raise maxUnsent`;
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxUnsent", delivered: "no", retryable: true });
}

function lost(): RpcError {
  return new RpcError("INTERNAL", "the store gave no answer to an insert", {
    reason: "INTERNAL",
    delivered: "unknown",
  });
}
