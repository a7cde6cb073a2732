import { RpcError } from "@rpc/core";

/** Items of one verb; one caller's list is never divided, and may be this long itself. */
const MAX_ITEMS = 1000;

interface Request<Item, Result> {
  readonly items: readonly Item[];
  readonly resolve: (results: readonly (Result | RpcError)[]) => void;
  readonly reject: (error: RpcError) => void;
}

/**
 * Gathers what all callers ask for in one turn of the event loop into one list verb of the store. One verb is under way at a time: the slower
 * the database is, the more goes into the next.
 */
export class Gatherer<Item, Result> {
  readonly #verb: (items: readonly Item[]) => Promise<readonly (Result | RpcError)[]>;
  #waiting: Request<Item, Result>[] = [];
  #isScheduled = false;
  #isBusy = false;

  constructor(verb: (items: readonly Item[]) => Promise<readonly (Result | RpcError)[]>) {
    this.#verb = verb;
  }

  /** One result for each item, in their order. Rejects only when nothing has been kept. */
  ask(items: readonly Item[]): Promise<readonly (Result | RpcError)[]> {
    if (items.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isBusy) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const batch = this.#take();
    this.#isBusy = true;
    try {
      const results = await this.#verb(batch.flatMap(({ items }) => items));
      let at = 0;
      for (const { items, resolve } of batch) {
        const own = results.slice(at, at + items.length);
        at += items.length;
        resolve(items.map((_, index) => own[index] ?? lost()));
      }
    } catch (thrown) {
      const error = RpcError.from(thrown);
      for (const { reject } of batch) reject(error);
    } finally {
      this.#isBusy = false;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  #take(): readonly Request<Item, Result>[] {
    let items = 0;
    let requests = 0;
    for (const { items: own } of this.#waiting) {
      if (requests > 0 && items + own.length > MAX_ITEMS) break;
      items += own.length;
      requests += 1;
    }
    return this.#waiting.splice(0, requests);
  }
}

function lost(): RpcError {
  return new RpcError("INTERNAL", "the store gave no answer", { reason: "INTERNAL", delivered: "unknown" });
}
