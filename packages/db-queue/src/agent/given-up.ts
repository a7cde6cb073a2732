import type { QueueStore } from "../store/store.ts";

/** So many are kept without a look whether they are still wanted. */
const FEW = 100;

/** Claims whose rows take no answer, by their tokens. They have run, and must not go back as if they had not; their rows are claimed until their leases are over. */
export class GivenUp {
  readonly #store: Pick<QueueStore, "outcomes">;
  readonly #ids = new Map<string, number>();
  #lookAt = FEW;
  #isLooking = false;

  constructor(store: Pick<QueueStore, "outcomes">) {
    this.#store = store;
  }

  get tokens(): Iterable<string> {
    return this.#ids.keys();
  }

  add({ id, token }: { readonly id: number; readonly token: string }): void {
    this.#ids.set(token, id);
    if (this.#ids.size > this.#lookAt && !this.#isLooking) void this.#forget();
  }

  /** Those whose rows nobody holds any more. Never rejects. */
  async #forget(): Promise<void> {
    this.#isLooking = true;
    const looked = [...this.#ids];
    try {
      const outcomes = await this.#store.outcomes(looked.map(([, id]) => id));
      for (const [index, [token]] of looked.entries())
        if (outcomes[index]?.state !== "claimed") this.#ids.delete(token);
    } catch {
      // The next one asks again, later.
    }
    this.#lookAt = Math.max(FEW, this.#ids.size * 2);
    this.#isLooking = false;
  }
}
