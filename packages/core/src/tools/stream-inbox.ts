import type { RpcError } from "../words/rpc-error.ts";

/** What an inbox tells its owner. */
export interface InboxOwner {
  /** The reader has taken this many items since the last time: the sender may send as many more. */
  taken(count: number): void;
  /** Items of this many bytes are no longer held, because they were read or dropped. */
  released(bytes: number): void;
  /** The reader left before the end. */
  abandoned(): void;
}

interface Waiter {
  resolve(step: IteratorResult<unknown, undefined>): void;
  reject(error: RpcError): void;
}

/**
 * The receiving end of a stream: holds what came in until the reader takes it, never more than the credits that were granted.
 * Credits go back in halves of the window, so that an envelope per item is not answered by an envelope per item.
 */
export class StreamInbox implements AsyncIterableIterator<unknown, undefined> {
  readonly #owner: InboxOwner;
  #grantAt: number;
  #items: unknown[] = [];
  #sizes: number[] = [];
  #head = 0;
  #waiters: Waiter[] = [];
  #taken = 0;
  #takenBytes = 0;
  #over = false;
  #error: RpcError | undefined = undefined;

  constructor(owner: InboxOwner, credits: number) {
    this.#owner = owner;
    this.#grantAt = Math.max(1, credits >> 1);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether the reader has taken all that came. */
  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  /** The sender may be this many items ahead from now on. */
  widen(credits: number): void {
    this.#grantAt = Math.max(1, credits >> 1);
  }

  /** `bytes`: what the item takes up until it is read. */
  push(item: unknown, bytes = 0): void {
    if (this.#over) return this.#owner.released(bytes);
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#items.push(item);
      this.#sizes.push(bytes);
    } else {
      this.#count(bytes);
      waiter.resolve({ done: false, value: item });
    }
  }

  /** Ends the stream after what is already here. The first end holds. */
  end(error?: RpcError): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const [i, waiter] of waiters.entries()) {
      if (error !== undefined && i === 0) waiter.reject(error);
      else waiter.resolve(DONE);
    }
    if (waiters.length > 0) this.#error = undefined;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    const head = this.#head;
    if (head < this.#items.length) {
      const value = this.#items[head];
      const bytes = this.#sizes[head] ?? 0;
      this.#items[head] = undefined;
      this.#head = head + 1;
      if (this.#head === this.#items.length) this.#clear();
      this.#count(bytes);
      return Promise.resolve({ done: false, value });
    }
    if (this.#over) {
      const error = this.#error;
      // An iterator that has failed is done from then on.
      this.#error = undefined;
      return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    const early = !this.#over;
    for (let i = this.#head; i < this.#sizes.length; i++) this.#owner.released(this.#sizes[i] ?? 0);
    this.#clear();
    this.#error = undefined;
    this.end();
    if (early) this.#owner.abandoned();
    return Promise.resolve(DONE);
  }

  #clear(): void {
    this.#items = [];
    this.#sizes = [];
    this.#head = 0;
  }

  #count(bytes: number): void {
    this.#owner.released(bytes);
    this.#taken++;
    this.#takenBytes += bytes;
    // By bytes as well: a sender of large items waits for room long before half of its credits are used.
    if ((this.#taken < this.#grantAt && this.#takenBytes < GRANT_BYTES) || this.#over) return;
    const count = this.#taken;
    this.#taken = 0;
    this.#takenBytes = 0;
    this.#owner.taken(count);
  }
}

/** A quarter of what a sender keeps under way (STREAM_WINDOW_BYTES of the sender). */
export const GRANT_BYTES: number = 256 * 1024;

const DONE: IteratorResult<unknown, undefined> = Object.freeze({ done: true, value: undefined });
