import { RpcError } from "@rpc/core";
import type { CommandRow, QueueStore } from "@rpc/db-queue";
import { isOver } from "../text/command.ts";
import { entriesBetween, type Entry, inOrder, type Known, type StoredEvent } from "./entry.ts";
import { Fresh } from "./fresh.ts";
import { Wakes } from "./wakes.ts";

export interface FeedOptions {
  /** Of this address only. */
  readonly address?: string | undefined;
  /** Of this command only, with all its events, until it ends. */
  readonly id?: number | undefined;
  /** So many commands that are there already are told first. */
  readonly last: number;
  readonly tell: (entries: readonly Entry[]) => void;
  /** The database is away, and is asked again; or is back (undefined). */
  readonly away: (error: RpcError | undefined) => void;
  /** More new commands have come at once than are told: these are the newest of them. */
  readonly cut: () => void;
  readonly signal: AbortSignal;
}

/** Commands that wait and are looked at when nothing says which one has changed. More are found when they are claimed. */
const MOST_WAITING = 1000;
const MOST_CLAIMED = 1000;
const MOST_ENDED = 10_000;
const PAGE = 1000;

/**
 * Tells what happens in a queue, woken by its store. A wake-up says what to read, or that anything may have changed; then what is known to wait
 * or to run is read, and what is new.
 */
export class Feed {
  readonly #store: QueueStore;
  readonly #options: FeedOptions;
  readonly #known = new Map<number, Known>();
  readonly #fresh: Fresh | undefined;
  /** Of late: they may be woken more than once. */
  readonly #ended = new Set<number>();
  #isDone = false;

  constructor(store: QueueStore, options: FeedOptions) {
    this.#store = store;
    this.#options = options;
    this.#fresh = options.id === undefined ? new Fresh(store, options.address) : undefined;
  }

  /** Settles when the signal is aborted, or the one command has ended. */
  async run(): Promise<void> {
    const { id, address } = this.#options;
    const wakes = new Wakes(this.#store, address);
    try {
      // Listen first, then read, then wait.
      await wakes.ready;
      if (id === undefined) await this.#begin();
      else await this.#beginOne(id);
      await this.#follow(wakes);
    } finally {
      wakes.close();
    }
  }

  async #follow(wakes: Wakes): Promise<void> {
    const { signal, away } = this.#options;
    let isAway = false;
    while (!this.#isDone && !signal.aborted) {
      const wake = await wakes.next(signal, isAway);
      try {
        if (!signal.aborted) await this.#look(wake);
        if (isAway) away(undefined);
        isAway = false;
      } catch (thrown) {
        const error = RpcError.from(thrown);
        if (error.code !== "UNAVAILABLE" && error.code !== "RESOURCE_EXHAUSTED") throw error;
        if (!isAway) away(error);
        isAway = true;
      }
    }
  }

  async #begin(): Promise<void> {
    const { address, last, tell } = this.#options;
    const rows = (await this.#fresh?.begin(last)) ?? [];
    const claimed = await this.#store.list({ address, states: ["claimed"], limit: MOST_CLAIMED });
    const waiting = await this.#store.list({ address, states: ["queued", "waiting"], limit: MOST_WAITING });
    for (const row of waiting) this.#known.set(row.id, { row, seq: 0 });
    for (const row of claimed)
      this.#known.set(row.id, { row, seq: (await this.#eventsOf(row.id, 0)).at(-1)?.seq ?? 0 });
    tell(rows.map((row) => ({ row, kind: "is", at: row.finishedAt ?? row.claimedAt ?? row.createdAt })));
  }

  async #beginOne(id: number): Promise<void> {
    const [row] = await this.#store.read([id]);
    if (row === undefined)
      throw new RpcError("NOT_FOUND", `no command ${id}: it never was, or it has been deleted`, {
        reason: "NO_COMMAND",
      });
    const seen: CommandRow = {
      ...row,
      state: "queued",
      attempts: 0,
      cancelRequestedAt: undefined,
      finishedAt: undefined,
    };
    this.#options.tell([{ row, kind: "queued", at: row.createdAt }]);
    this.#known.set(id, { row: seen, seq: 0 });
    this.#options.tell(await this.#advance(row));
  }

  /** `ids`: these may have changed; undefined: any. */
  async #look({
    ids,
    isNew,
  }: {
    readonly ids: ReadonlySet<number> | undefined;
    readonly isNew: boolean;
  }): Promise<void> {
    const groups: Entry[][] = [];
    const rows = new Map<number, CommandRow>();
    for (const row of isNew ? ((await this.#fresh?.next()) ?? []) : []) {
      groups.push([{ row, kind: "queued", at: row.createdAt }]);
      this.#known.set(row.id, { row: { ...row, state: "queued", attempts: 0, finishedAt: undefined }, seq: 0 });
      rows.set(row.id, row);
    }
    if (isNew && this.#fresh?.isCut === true) this.#options.cut();
    const changed = ids ?? (await this.#changed());
    const unread = [...changed].filter((id) => !rows.has(id) && this.#isWanted(id));
    for (let from = 0; from < unread.length; from += PAGE) {
      const some = unread.slice(from, from + PAGE);
      const read = await this.#store.read(some);
      for (const [index, id] of some.entries()) {
        const row = read[index];
        if (row === undefined) groups.push(this.#forget(id));
        else rows.set(id, row);
      }
    }
    for (const row of rows.values()) groups.push(await this.#advance(row));
    this.#options.tell(inOrder(groups.filter((entries) => entries.length > 0)));
  }

  #isWanted(id: number): boolean {
    return this.#options.id === undefined ? !this.#ended.has(id) : this.#options.id === id;
  }

  /** Of all that is known, what is to be read: what runs, and what does not wait any more. */
  async #changed(): Promise<Set<number>> {
    const changed = new Set<number>();
    const waiting: number[] = [];
    for (const [id, { row }] of this.#known) {
      if (row.state === "claimed") changed.add(id);
      else waiting.push(id);
    }
    for (let from = 0; from < waiting.length; from += PAGE) {
      const some = waiting.slice(from, from + PAGE);
      const outcomes = await this.#store.outcomes(some);
      for (const [index, id] of some.entries()) {
        const known = this.#known.get(id)?.row;
        const now = outcomes[index];
        // Queued again after a try, and nobody looked meanwhile: the error says so.
        if (now?.state !== known?.state || now?.error !== known?.error) changed.add(id);
      }
    }
    if (this.#options.id !== undefined) return changed;
    const { address } = this.#options;
    for (const { id } of await this.#store.list({ address, states: ["claimed"], limit: MOST_CLAIMED })) changed.add(id);
    return changed;
  }

  /** What has happened to a command since the last look. */
  async #advance(row: CommandRow): Promise<Entry[]> {
    const { address } = this.#options;
    if (address !== undefined && row.address !== address) return [];
    // Not known: it waited since before anybody looked, unless it had ended by then.
    const known = this.#known.get(row.id) ?? {
      row: { ...row, state: "queued", attempts: row.attempts - 1, finishedAt: undefined },
      seq: 0,
    };
    const events = row.attempts > 0 || row.claimedAt !== undefined ? await this.#eventsOf(row.id, known.seq) : [];
    const entries = entriesBetween(known.row, row, events);
    if (isOver(row.state)) {
      this.#end(row.id);
    } else this.#known.set(row.id, { row, seq: events.at(-1)?.seq ?? known.seq });
    return entries;
  }

  #forget(id: number): Entry[] {
    const known = this.#known.get(id);
    this.#end(id);
    return known === undefined ? [] : [{ row: known.row, kind: "deleted", at: undefined }];
  }

  #end(id: number): void {
    this.#known.delete(id);
    this.#isDone = this.#options.id !== undefined;
    if (this.#ended.add(id).size <= MOST_ENDED) return;
    const [first] = this.#ended;
    if (first !== undefined) this.#ended.delete(first);
  }

  async #eventsOf(id: number, afterSeq: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (;;) {
      const page = await this.#store.readEvents(id, { afterSeq: events.at(-1)?.seq ?? afterSeq, limit: PAGE });
      events.push(...page);
      if (page.length < PAGE) return events;
    }
  }
}
