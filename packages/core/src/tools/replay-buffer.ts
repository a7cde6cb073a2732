/** Room for some thirty small messages; not more, because a session that sends one message now and then holds a slab until it is acknowledged. */
const SLAB_BYTES = 4 * 1024;
/** From here on a message is kept in an array of its own: beside others it would waste the rest of their slab. */
const LARGE_BYTES = 1024;
/** In front of each message in a slab: its length, two bytes, little-endian. */
const LENGTH_BYTES = 2;
/** Slabs that wait for the next session that needs one, 2 MiB in all. */
const MOST_SPARE_SLABS = 512;

interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  /** It holds one message, without a length in front. */
  readonly single: boolean;
  next: Slab | undefined;
}

/** An idle session holds no slab, and a busy one makes no garbage: with thousands of the first and calls by the hundred thousand both count. */
const spareSlabs: Slab[] = [];

function takeSlab(): Slab {
  return spareSlabs.pop() ?? { bytes: new Uint8Array(SLAB_BYTES), used: 0, single: false, next: undefined };
}

function giveBack(slab: Slab): void {
  if (slab.single || spareSlabs.length >= MOST_SPARE_SLABS) return;
  slab.used = 0;
  slab.next = undefined;
  spareSlabs.push(slab);
}

/**
 * Copies of messages, first in, first out, that have to be sent again after a cut unless the far end has them. Small messages are copied
 * side by side into slabs: an array of its own for each would cost more than the sending.
 */
export class ReplayBuffer {
  /** How many messages there are, and what they take up. */
  count = 0;
  bytes = 0;
  #head: Slab | undefined = undefined;
  #tail: Slab | undefined = undefined;
  /** Where the oldest message starts in the first slab. */
  #headAt = 0;

  /** Keeps a message; `owned` says that nobody will write to its bytes any more, so that they need no copy. */
  push(message: Uint8Array, owned: boolean): void {
    const { byteLength } = message;
    this.count++;
    this.bytes += byteLength;
    if (owned || byteLength >= LARGE_BYTES) {
      const bytes = owned ? message : new Uint8Array(message);
      this.#append({ bytes, used: byteLength, single: true, next: undefined });
      return;
    }
    let slab = this.#tail;
    if (slab === undefined || slab.single || slab.used + LENGTH_BYTES + byteLength > SLAB_BYTES) {
      slab = takeSlab();
      this.#append(slab);
    }
    const { bytes, used } = slab;
    bytes[used] = byteLength & 0xff;
    bytes[used + 1] = byteLength >>> 8;
    bytes.set(message, used + LENGTH_BYTES);
    slab.used = used + LENGTH_BYTES + byteLength;
  }

  /** Drops the oldest `count` messages. */
  drop(count: number): void {
    let slab = this.#head;
    let at = this.#headAt;
    for (let left = Math.min(count, this.count); left > 0 && slab !== undefined; left--) {
      const length = lengthAt(slab, at);
      this.count--;
      this.bytes -= length;
      at += slab.single ? length : LENGTH_BYTES + length;
      if (at < slab.used) continue;
      const { next } = slab;
      giveBack(slab);
      slab = next;
      at = 0;
    }
    this.#head = slab;
    this.#headAt = at;
    if (slab === undefined) this.#tail = undefined;
  }

  /** The messages, oldest first, as views that are valid until the next `drop`. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    let at = this.#headAt;
    for (let slab = this.#head; slab !== undefined; slab = slab.next) {
      while (at < slab.used) {
        const length = lengthAt(slab, at);
        const start = slab.single ? at : at + LENGTH_BYTES;
        yield slab.bytes.subarray(start, start + length);
        at = start + length;
      }
      at = 0;
    }
  }

  /** Lets everything go. */
  clear(): void {
    this.drop(this.count);
  }

  #append(slab: Slab): void {
    if (this.#tail === undefined) this.#head = slab;
    else this.#tail.next = slab;
    this.#tail = slab;
  }
}

function lengthAt({ bytes, used, single }: Slab, at: number): number {
  return single ? used : (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}
