import { LARGE_BYTES, WriteBatch } from "@rpc/core/transport";
import { HEADER_BYTES, writeHeader } from "./frames.ts";

/** The messages of one tick, each behind its length. */
export class FrameBatch extends WriteBatch {
  add(message: Uint8Array, transfer: boolean): void {
    const { length } = message;
    this.bytes += HEADER_BYTES + length;
    const isLarge = length >= LARGE_BYTES;
    const slab = this.room(isLarge ? HEADER_BYTES : HEADER_BYTES + length);
    writeHeader(slab.memory, slab.used, length);
    slab.used += HEADER_BYTES;
    if (isLarge) return this.addPiece(transfer ? message : new Uint8Array(message));
    slab.memory.set(message, slab.used);
    slab.used += length;
  }
}
