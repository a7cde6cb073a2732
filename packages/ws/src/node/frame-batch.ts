import { LARGE_BYTES, WriteBatch } from "@rpc/core/transport";
import { BINARY_FRAME, headerBytes, MAX_HEADER_BYTES, TEXT_FRAME, writeHeader, writeMasked } from "./frames.ts";

/** The messages of one tick, each as a frame. `ws` itself writes header and payload of each message by themselves. */
export class FrameBatch extends WriteBatch {
  readonly #first: number;
  /** A dialing end masks what it sends. */
  readonly #masks: boolean;

  constructor(binary: boolean, masks: boolean) {
    super();
    this.#first = binary ? BINARY_FRAME : TEXT_FRAME;
    this.#masks = masks;
  }

  add(message: Uint8Array, transfer: boolean): void {
    const { length } = message;
    const head = headerBytes(length, this.#masks);
    this.bytes += head + length;
    if (length >= LARGE_BYTES) return this.#addLarge(message, transfer);
    const slab = this.room(head + length);
    const at = writeHeader(slab.memory, slab.used, this.#first, length, this.#masks);
    if (this.#masks) writeMasked(slab.memory, at, message);
    else slab.memory.set(message, at);
    slab.used += head + length;
  }

  #addLarge(message: Uint8Array, transfer: boolean): void {
    const { length } = message;
    if (this.#masks) {
      const frame = Buffer.allocUnsafeSlow(MAX_HEADER_BYTES + length);
      const end = writeMasked(frame, writeHeader(frame, 0, this.#first, length, true), message);
      return this.addPiece(frame.subarray(0, end));
    }
    const slab = this.room(MAX_HEADER_BYTES);
    slab.used = writeHeader(slab.memory, slab.used, this.#first, length, false);
    this.addPiece(transfer ? message : new Uint8Array(message));
  }
}
