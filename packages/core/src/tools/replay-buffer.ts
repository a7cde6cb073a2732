/** First room for copies; small, because an idle session keeps it. */
const FIRST_SLAB_BYTES = 1024;
const MAX_SLAB_BYTES = 64 * 1024;

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
}

/**
 * Copies of messages, first in, first out, that have to be sent again after a cut unless the far end has them. Small messages are copied
 * side by side into slabs: an array of its own for each would cost more than the sending.
 */
export class ReplayBuffer {
  #slabs: Slab[] = [];
  /** Where the oldest message starts in the first slab. */
  #headAt = 0;
  /** Lengths of the messages, as a ring. */
  #lengths = new Uint32Array(16);
  #first = 0;
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** What the messages take up. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a message; `owned` says that nobody will write to its bytes any more, so that they need no copy. */
  push(message: Uint8Array, owned: boolean): void {
    const { byteLength } = message;
    if (this.#count === this.#lengths.length) this.#grow();
    this.#lengths[(this.#first + this.#count) & (this.#lengths.length - 1)] = byteLength;
    this.#count++;
    this.#bytes += byteLength;
    // The kept slab stays empty: in front of others it would be taken for the end of the first of them.
    if (this.#count === 1 && (owned || byteLength > FIRST_SLAB_BYTES)) this.#slabs = [];
    if (owned || byteLength > MAX_SLAB_BYTES) {
      const bytes = owned ? message : new Uint8Array(message);
      this.#slabs.push({ bytes, used: byteLength });
      return;
    }
    let slab = this.#slabs.at(-1);
    if (slab === undefined || slab.bytes.length - slab.used < byteLength) {
      const next = slab === undefined ? FIRST_SLAB_BYTES : Math.min(MAX_SLAB_BYTES, slab.bytes.length * 2);
      slab = { bytes: new Uint8Array(Math.max(FIRST_SLAB_BYTES, next, byteLength)), used: 0 };
      this.#slabs.push(slab);
    }
    slab.bytes.set(message, slab.used);
    slab.used += byteLength;
  }

  /** Drops the oldest `count` messages. */
  drop(count: number): void {
    for (let left = Math.min(count, this.#count); left > 0; left--) {
      const length = this.#lengths[this.#first] ?? 0;
      this.#first = (this.#first + 1) & (this.#lengths.length - 1);
      this.#count--;
      this.#bytes -= length;
      this.#headAt += length;
      this.#leaveSlab();
    }
    if (this.#count === 0) this.#clear();
  }

  /** The messages, oldest first, as views. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    let slabNumber = 0;
    let at = this.#headAt;
    for (let i = 0; i < this.#count; i++) {
      const length = this.#lengths[(this.#first + i) & (this.#lengths.length - 1)] ?? 0;
      while (slabNumber < this.#slabs.length && at >= (this.#slabs[slabNumber]?.used ?? 0)) {
        slabNumber++;
        at = 0;
      }
      const slab = this.#slabs[slabNumber];
      if (slab === undefined) return;
      yield slab.bytes.subarray(at, at + length);
      at += length;
    }
  }

  #leaveSlab(): void {
    const first = this.#slabs[0];
    if (first === undefined || this.#headAt < first.used || this.#slabs.length === 1) return;
    this.#slabs.shift();
    this.#headAt = 0;
  }

  /** Nothing is kept: the first slab is used again, larger ones are let go. */
  #clear(): void {
    this.#headAt = 0;
    const last = this.#slabs.at(-1);
    if (last !== undefined && last.bytes.length === FIRST_SLAB_BYTES) {
      last.used = 0;
      if (this.#slabs.length > 1) this.#slabs = [last];
    } else {
      this.#slabs = [];
    }
  }

  #grow(): void {
    const lengths = new Uint32Array(this.#lengths.length * 2);
    for (let i = 0; i < this.#count; i++)
      lengths[i] = this.#lengths[(this.#first + i) & (this.#lengths.length - 1)] ?? 0;
    this.#lengths = lengths;
    this.#first = 0;
  }
}
