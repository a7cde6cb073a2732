import type { Socket } from "node:net";
import { BINARY_FRAME, headerBytes, MAX_HEADER_BYTES, TEXT_FRAME, writeHeader, writeMasked } from "./frames.ts";

/**
 * The frames that one tick sends over one socket, written together. Small ones are copied one behind the other into a slab, so
 * that they leave as one piece; large ones stay where they are and leave beside it in the same `writev`. `ws` itself writes header and
 * payload of each message by themselves.
 */
export class WriteBatch {
  /** Bytes that wait for {@link WriteBatch.flush}, headers included. */
  bytes = 0;

  readonly #first: number;
  /** A dialing end masks what it sends. */
  readonly #masks: boolean;
  #slab: Slab | undefined = undefined;
  /** Where the unwritten region of the slab begins. */
  #start = 0;
  /** Finished pieces in front of that region. */
  #pieces: Uint8Array[] | undefined = undefined;

  constructor(binary: boolean, masks: boolean) {
    this.#first = binary ? BINARY_FRAME : TEXT_FRAME;
    this.#masks = masks;
  }

  /** Adds a message. Without `transfer` its bytes are copied before this returns (C06). */
  add(message: Uint8Array, transfer: boolean): void {
    const { length } = message;
    const head = headerBytes(length, this.#masks);
    this.bytes += head + length;
    if (length >= LARGE_BYTES) return this.#addLarge(message, transfer);
    const slab = this.#slabWithRoom(head + length);
    const at = writeHeader(slab.memory, slab.used, this.#first, length, this.#masks);
    if (this.#masks) writeMasked(slab.memory, at, message);
    else slab.memory.set(message, at);
    slab.used += head + length;
  }

  /** Hands everything to the socket in one write. */
  flush(socket: Socket): void {
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

  #addLarge(message: Uint8Array, transfer: boolean): void {
    const { length } = message;
    const pieces = (this.#pieces ??= []);
    if (this.#masks) {
      const frame = Buffer.allocUnsafeSlow(MAX_HEADER_BYTES + length);
      const end = writeMasked(frame, writeHeader(frame, 0, this.#first, length, true), message);
      this.#finishRegion();
      pieces.push(frame.subarray(0, end));
      return;
    }
    const slab = this.#slabWithRoom(MAX_HEADER_BYTES);
    slab.used = writeHeader(slab.memory, slab.used, this.#first, length, false);
    this.#finishRegion();
    pieces.push(transfer ? message : new Uint8Array(message));
  }

  #slabWithRoom(bytes: number): Slab {
    const slab = this.#slab;
    if (slab !== undefined && slab.memory.length - slab.used >= bytes) return slab;
    this.#finishRegion();
    // The slab of a batch that outgrows it is left to the garbage collector with its last piece.
    const fresh = takeSlab(slab === undefined && bytes <= SMALL_SLABS.bytes ? SMALL_SLABS : LARGE_SLABS, bytes);
    this.#slab = fresh;
    this.#start = fresh.used;
    return fresh;
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

/** From here on a message costs less as a piece of its own in a `writev` than as a copy. */
const LARGE_BYTES = 16 * 1024;

/**
 * Memory for outgoing bytes. A region is not written again while the socket may still hold it; the rest of the slab goes on to whichever
 * channel sends next, so an idle channel holds none.
 */
interface Slab {
  readonly memory: Buffer;
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
  return { memory: Buffer.allocUnsafeSlow(pool.bytes), used: 0 };
}

function giveBack(slab: Slab): void {
  const pool = slab.memory.length === SMALL_SLABS.bytes ? SMALL_SLABS : LARGE_SLABS;
  if (pool.bytes - slab.used >= WORTH_KEEPING_BYTES && pool.spare.length < pool.mostSpare) pool.spare.push(slab);
}
