/** One at a time for each key, in the order of their asking. */
export class KeyedLock {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Whether somebody has the key, or waits for it. */
  has(key: string): boolean {
    return this.#last.has(key);
  }

  run<T>(key: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(run, run);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return turn;
  }
}
