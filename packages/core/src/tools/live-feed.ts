import { RpcError } from "../words/rpc-error.ts";

/**
 * What happens while something runs, for at most one reader who may come late or never: a bounded buffer of which the oldest
 * values are dropped. Ends with what it watches.
 */
export class LiveFeed<T> implements AsyncIterable<T> {
  readonly #maxUnread: number;
  #unread: T[] = [];
  #over = false;
  #read = false;
  #wake: (() => void) | undefined = undefined;

  constructor(maxUnread: number) {
    this.#maxUnread = maxUnread;
  }

  push(value: T): void {
    if (this.#over) return;
    if (this.#unread.length >= this.#maxUnread) this.#unread.shift();
    this.#unread.push(value);
    this.#rouse();
  }

  end(): void {
    this.#over = true;
    this.#rouse();
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    if (this.#read)
      throw new RpcError("FAILED_PRECONDITION", "progress and log have one reader each", { reason: "STREAM_READ" });
    this.#read = true;
    return this.#values();
  }

  async *#values(): AsyncGenerator<T> {
    for (;;) {
      while (this.#unread.length > 0) {
        const values = this.#unread;
        this.#unread = [];
        yield* values;
      }
      if (this.#over) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #rouse(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
