import type { Clock } from "@rpc/core";
import type { CommandRow, CommandState, QueueStore } from "@rpc/db-queue";

/** However much happens, it looks no more often. */
const PAUSE_MS = 50;
const PAGE = 100;
const MOST_PAGES = 10;
const MOST_KNOWN = 2000;
/** Rows that are over their time by this process's clock may not be so by the database's. */
const REAP_AFTER_MS = 20;
const REAP_AGAIN_MS = 500;
const LONGEST_TIMER_MS = 3_600_000;
const OPEN: readonly CommandState[] = ["queued", "waiting", "claimed"];

interface Known {
  readonly print: string;
  readonly isOpen: boolean;
  readonly expiresAt: number | undefined;
}

export interface WatcherOptions {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly changed: (row: CommandRow) => void;
  readonly failed: (error: unknown) => void;
}

/** Tells of every command that is new or has changed, when the queue wakes it; and ends what has expired at that very time. */
export class CommandWatcher {
  readonly #options: WatcherOptions;
  /** The oldest first. */
  #known = new Map<number, Known>();
  #isWoken = false;
  #running: Promise<void> | undefined;
  #pause: unknown;
  #reap: unknown;
  #watch: { close(): void } | undefined;
  #isClosed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    const { store } = this.#options;
    const watch = store.watch({
      wake: (topic) => {
        if (!topic.startsWith("events of: ")) this.wake();
      },
      wakeAll: () => this.wake(),
    });
    this.#watch = watch;
    await watch.ready;
    const rows = [...(await store.list({ limit: PAGE })), ...(await store.list({ states: OPEN, limit: 1000 }))];
    for (const row of rows.toSorted((one, other) => one.id - other.id)) this.#note(row);
    this.#planReap();
  }

  /** Something may have changed. */
  wake(): void {
    this.#isWoken = true;
    if (this.#isClosed || this.#running !== undefined || this.#pause !== undefined) return;
    this.#running = this.#look()
      .catch(this.#options.failed)
      .finally(() => {
        this.#running = undefined;
        if (this.#isClosed) return;
        this.#pause = this.#options.clock.setTimeout(() => {
          this.#pause = undefined;
          if (this.#isWoken) this.wake();
        }, PAUSE_MS);
      });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch?.close();
    this.#options.clock.clearTimeout(this.#pause);
    this.#options.clock.clearTimeout(this.#reap);
    await this.#running;
  }

  async #look(): Promise<void> {
    const { store, changed } = this.#options;
    this.#isWoken = false;
    const rows = new Map<number, CommandRow>();
    for (let page = 0, beforeId: number | undefined; page < MOST_PAGES; page += 1) {
      const some = await store.list({ limit: PAGE, beforeId });
      for (const row of some) rows.set(row.id, row);
      beforeId = some.at(-1)?.id;
      if (beforeId === undefined || some.length < PAGE || this.#known.has(beforeId)) break;
    }
    const open = [...this.#known].filter(([id, { isOpen }]) => isOpen && !rows.has(id)).map(([id]) => id);
    for (let from = 0; from < open.length; from += 500) {
      const ids = open.slice(from, from + 500);
      for (const [at, row] of (await store.read(ids)).entries()) {
        if (row === undefined) this.#known.delete(ids[at] ?? 0);
        else rows.set(row.id, row);
      }
    }
    for (const row of [...rows.values()].toSorted((one, other) => one.id - other.id)) {
      if (this.#note(row)) changed(row);
    }
    this.#forget();
    this.#planReap();
  }

  #note(row: CommandRow): boolean {
    const print = `${row.state} ${row.attempts} ${row.cancelRequestedAt ?? ""}`;
    const before = this.#known.get(row.id);
    if (before?.print === print) return false;
    const isOpen = OPEN.includes(row.state);
    this.#known.set(row.id, { print, isOpen, expiresAt: row.state === "queued" ? row.expiresAt : undefined });
    return true;
  }

  #forget(): void {
    for (const [id, { isOpen }] of this.#known) {
      if (this.#known.size <= MOST_KNOWN) return;
      if (!isOpen) this.#known.delete(id);
    }
  }

  #planReap(): void {
    const { clock, wallClock } = this.#options;
    clock.clearTimeout(this.#reap);
    let first = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of this.#known.values()) first = Math.min(first, expiresAt ?? first);
    if (first === Number.POSITIVE_INFINITY || this.#isClosed) return;
    const leftMs = first + REAP_AFTER_MS - wallClock();
    const delayMs = leftMs > 0 ? leftMs : REAP_AGAIN_MS;
    this.#reap = clock.setTimeout(() => void this.#reapNow(), Math.min(delayMs, LONGEST_TIMER_MS));
  }

  async #reapNow(): Promise<void> {
    try {
      await this.#options.store.reap();
    } catch (error) {
      this.#options.failed(error);
    }
    // What it has ended wakes; when it was nothing, the next time is still to be planned.
    if (!this.#isClosed) this.wake();
  }
}
