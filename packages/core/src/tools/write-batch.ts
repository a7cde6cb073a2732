import { allocateBytes } from "./utf8.ts";

/** What a batch is written to: a socket as Node has them. */
export interface BatchTarget {
  /** Bytes that it has taken and not yet given on. */
  readonly writableLength: number;
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array): unknown;
}

/** From here on a message costs less as a piece of its own in a `writev` than as a copy. */
export const LARGE_BYTES: number = 16 * 1024;

/**
 * The messages that one tick sends over one socket, written together. Small ones are copied one behind the other into a slab, so that they
 * leave as one piece; large ones stay where they are and leave beside it in the same `writev`. Who extends it knows how a message is framed.
 */
export abstract class WriteBatch {
  /** Bytes that wait for {@link WriteBatch.flush}, headers included. */
  bytes = 0;

  #slab: Slab | undefined = undefined;
  /** Where the unwritten region of the slab begins. */
  #start = 0;
  /** Finished pieces in front of that region. */
  #pieces: Uint8Array[] | undefined = undefined;

  /** Adds a message, framed, and counts its bytes. Without `transfer` its bytes are copied before this returns (C06). */
  abstract add(message: Uint8Array, transfer: boolean): void;

  /** Hands everything to the socket in one write. */
  flush(socket: BatchTarget): void {
    const slab = this.#slab;
    const start = this.#start;
    const region = this.#cutRegion();
    const pieces = this.#pieces;
    this.bytes = 0;
    this.#slab = undefined;
    this.#pieces = undefined;
    if (pieces === undefined) {
      if (region !== undefined) socket.write(region);
    } else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      if (region !== undefined) socket.write(region);
      socket.uncork();
    }
    if (slab === undefined) return;
    // Written at once, as nearly always: nobody holds the region any more.
    if (socket.writableLength === 0) slab.used = start;
    giveBack(slab);
  }

  /** Forgets what was not flushed. */
  drop(): void {
    this.bytes = 0;
    this.#slab = undefined;
    this.#pieces = undefined;
  }

  /** A slab with room for so many bytes from `used` on; who writes them moves `used` behind them. */
  protected room(bytes: number): Slab {
    const slab = this.#slab;
    if (slab !== undefined && slab.memory.length - slab.used >= bytes) return slab;
    this.#finishRegion();
    // The slab of a batch that outgrows it is left to the garbage collector with its last piece.
    const pool = slab === undefined && bytes <= SMALL_SLABS.bytes ? SMALL_SLABS : LARGE_SLABS;
    const fresh = takeSlab(pool, bytes);
    this.#slab = fresh;
    this.#start = fresh.used;
    return fresh;
  }

  /** Bytes that leave as they are, behind all that was written so far. */
  protected addPiece(piece: Uint8Array): void {
    this.#finishRegion();
    (this.#pieces ??= []).push(piece);
  }

  #finishRegion(): void {
    const region = this.#cutRegion();
    if (region !== undefined) (this.#pieces ??= []).push(region);
  }

  #cutRegion(): Uint8Array | undefined {
    const slab = this.#slab;
    if (slab === undefined || slab.used === this.#start) return undefined;
    const region = slab.memory.subarray(this.#start, slab.used);
    this.#start = slab.used;
    return region;
  }
}

/**
 * Memory for outgoing bytes. A region is not written again while the socket may still hold it; the rest of the slab goes on to whichever
 * channel sends next, so an idle channel holds none.
 */
export interface Slab {
  readonly memory: Uint8Array;
  used: number;
}

interface SlabPool {
  /** Size of a slab. */
  readonly bytes: number;
  readonly mostSpare: number;
  readonly spare: Slab[];
}

/** For the first messages of a tick, and most ticks have no more: as many channels as one tick has may each hold one. */
const SMALL_SLABS: SlabPool = { bytes: 8 * 1024, mostSpare: 256, spare: [] };
/** For the rest of a busy tick. */
const LARGE_SLABS: SlabPool = { bytes: 64 * 1024, mostSpare: 8, spare: [] };
/** A slab with less room than this is left to the garbage collector. */
const WORTH_KEEPING_BYTES = 2 * 1024;

function takeSlab(pool: SlabPool, bytes: number): Slab {
  const spare = pool.spare.pop();
  if (spare !== undefined && pool.bytes - spare.used >= bytes) return spare;
  // A spare one that is too full for this message is dropped, not put back: it would be tried and found full again and again.
  return { memory: allocateBytes(pool.bytes), used: 0 };
}

function giveBack(slab: Slab): void {
  const pool = slab.memory.length === SMALL_SLABS.bytes ? SMALL_SLABS : LARGE_SLABS;
  if (pool.bytes - slab.used >= WORTH_KEEPING_BYTES && pool.spare.length < pool.mostSpare) pool.spare.push(slab);
}
