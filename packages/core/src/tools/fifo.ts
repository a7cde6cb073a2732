/** First in, first out, in a ring that grows: neither end moves the rest. */
export class Fifo<T> {
  #slots: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The oldest, which stays. */
  get first(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = value;
    this.#length++;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    // A burst must not take up its room for ever.
    if (--this.#length === 0 && this.#slots.length > KEPT_SLOTS) this.clear();
    return value;
  }

  clear(): void {
    this.#slots = [];
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const slots: (T | undefined)[] = this.#slots.slice(this.#head).concat(this.#slots.slice(0, this.#head));
    // A power of two, so that wrapping around is a mask.
    const size = Math.max(8, slots.length * 2);
    while (slots.length < size) slots.push(undefined);
    this.#slots = slots;
    this.#head = 0;
  }
}

const KEPT_SLOTS = 1024;
