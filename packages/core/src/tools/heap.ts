/** A priority queue that knows where its members are, so that any of them can leave or move in O(log n). A member is in it once at most. */
export class Heap<T> {
  readonly #members: T[] = [];
  readonly #before: (a: T, b: T) => boolean;
  readonly #place: (member: T, index: number) => void;
  readonly #placeOf: (member: T) => number;

  /** `before` is a strict order. `place` keeps a member's index for this heap and `placeOf` reads it; −1: not in it. */
  constructor(
    before: (a: T, b: T) => boolean,
    place: (member: T, index: number) => void,
    placeOf: (member: T) => number,
  ) {
    this.#before = before;
    this.#place = place;
    this.#placeOf = placeOf;
  }

  get size(): number {
    return this.#members.length;
  }

  get first(): T | undefined {
    return this.#members[0];
  }

  /** The one that would be first without the first. */
  get second(): T | undefined {
    const left = this.#members[1];
    const right = this.#members[2];
    if (left === undefined || right === undefined) return left;
    return this.#before(right, left) ? right : left;
  }

  has(member: T): boolean {
    return this.#placeOf(member) >= 0;
  }

  push(member: T): void {
    this.#members.push(member);
    this.#rise(member, this.#members.length - 1);
  }

  shift(): T | undefined {
    const first = this.#members[0];
    if (first !== undefined) this.delete(first);
    return first;
  }

  delete(member: T): void {
    const index = this.#placeOf(member);
    const last = this.#members.length - 1;
    if (index < 0) return;
    const moved = this.#members[last] as T; // There is one: `member` is in the heap.
    this.#members.pop();
    this.#place(member, -1);
    if (index === last) return;
    this.#members[index] = moved;
    this.#place(moved, index);
    this.moved(moved);
  }

  /** A member's order has changed. */
  moved(member: T): void {
    const index = this.#placeOf(member);
    if (index < 0) return;
    this.#sink(member, index);
    this.#rise(member, this.#placeOf(member));
  }

  #rise(member: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#members[parentIndex] as T; // Inside: the index is below one that is.
      if (!this.#before(member, parent)) break;
      this.#members[index] = parent;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#members[index] = member;
    this.#place(member, index);
  }

  #sink(member: T, from: number): void {
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.#members[childIndex];
      if (child === undefined) break;
      const right = this.#members[childIndex + 1];
      if (right !== undefined && this.#before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!this.#before(child, member)) break;
      this.#members[index] = child;
      this.#place(child, index);
      index = childIndex;
    }
    this.#members[index] = member;
    this.#place(member, index);
  }
}
