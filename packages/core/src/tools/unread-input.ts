import { Single } from "./single.ts";

/** The input of a stream that may be tried more than once: whether it has been read, and so cannot be sent again. */
export class UnreadInput implements AsyncIterable<unknown> {
  /** Whether an item has been asked for. One value alone can be sent as often as needed. */
  read = false;
  readonly #source: AsyncIterable<unknown>;
  #left = false;

  constructor(source: AsyncIterable<unknown>) {
    this.#source = source;
  }

  /** What a port is given. */
  get items(): AsyncIterable<unknown> {
    // As it is: ports know this one, and need not wait for its value.
    return this.#source instanceof Single ? this.#source : this;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    let items: AsyncIterator<unknown> | undefined;
    return {
      next: () => {
        this.read = true;
        items ??= this.#source[Symbol.asyncIterator]();
        return items.next();
      },
      // A try that failed leaves its input; the next one must find it untouched.
      return: async () => {
        this.#left = true;
        if (items !== undefined) await items.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** No try follows: a source that was left unread may let go of what it holds. */
  async close(): Promise<void> {
    if (!this.#left || this.read) return;
    try {
      await this.#source[Symbol.asyncIterator]().return?.();
    } catch {
      // One that fails while it is being closed has nobody left to tell.
    }
  }
}
