import type { CommandRow, QueueStore } from "@rpc/db-queue";

const FIRST_PAGE = 20;
const PAGE = 1000;
const MOST_PAGES = 20;
/** Ids that are remembered, so that one which is committed after a greater one is noticed. */
const MOST_SEEN = 10_000;

/** Finds commands that were not there before. */
export class Fresh {
  readonly #store: QueueStore;
  readonly #address: string | undefined;
  readonly #seen = new Set<number>();
  /** Everything up to here counts as seen. */
  #floor = 0;
  #newest = 0;
  /** The last look has found more than it reads. */
  isCut = false;

  constructor(store: QueueStore, address: string | undefined) {
    this.#store = store;
    this.#address = address;
  }

  /** The newest `count`, oldest first. All that is there counts as seen. */
  async begin(count: number): Promise<readonly CommandRow[]> {
    const limit = Math.max(FIRST_PAGE, count);
    const rows = await this.#store.list({ address: this.#address, limit });
    if (rows.length === limit) this.#floor = rows.at(-1)?.id ?? 0;
    for (const { id } of rows.toReversed()) this.#see(id);
    return rows.slice(0, count).toReversed();
  }

  /** Oldest first. Of very many at once the newest: `isCut`. */
  async next(): Promise<readonly CommandRow[]> {
    const found: CommandRow[] = [];
    const newest = this.#newest;
    let beforeId: number | undefined;
    this.isCut = true;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const limit = page === 0 ? FIRST_PAGE : PAGE;
      const rows = await this.#store.list({ address: this.#address, beforeId, limit });
      found.push(...rows.filter(({ id }) => id > this.#floor && !this.#seen.has(id)));
      const oldest = rows.at(-1);
      if (oldest === undefined || rows.length < limit || oldest.id <= newest) {
        this.isCut = false;
        break;
      }
      beforeId = oldest.id;
    }
    const oldestFirst = found.toReversed();
    for (const { id } of oldestFirst) this.#see(id);
    return oldestFirst;
  }

  #see(id: number): void {
    this.#seen.add(id);
    this.#newest = Math.max(this.#newest, id);
    if (this.#seen.size <= MOST_SEEN) return;
    const [first = 0] = this.#seen;
    this.#seen.delete(first);
    this.#floor = Math.max(this.#floor, first);
  }
}
