import { allocateBytes, utf8Length, writeUtf8 } from "@rpc/core/transport";
import { LongBits, type LongValue } from "./long-bits.ts";
import { wrongValue } from "./parse-error.ts";

/** The buffer that a writer starts with, and falls back to. */
const FIRST_BYTES = 4 * 1024;
/** A result of this size leaves with the writer's buffer instead of being copied. */
export const OWN_BUFFER_BYTES: number = 64 * 1024;
/** A larger buffer is dropped after the message that needed it, so that one huge message does not stay in memory. */
const KEPT_BYTES = 256 * 1024;
/** Up to this many characters a loop is faster than a call into native code (measured on Node 24). */
const SHORT_TEXT = 24;
/** From here on text is measured first; below it, room for the worst case of three bytes a character is made. */
const MEASURED_TEXT = 1024;

const bits = new LongBits();

/**
 * Writes protobuf's wire format into one growing buffer. It takes the place of protobufjs' `Writer` in that library's generated
 * encoders. A number that does not fit its field, and text with a lone surrogate, are refused instead of changed in silence.
 */
export class ProtoWriter {
  /** The buffer; replaced when it grows. */
  buf: Uint8Array = allocateBytes(FIRST_BYTES);
  /** Where the next byte goes. */
  pos = 0;
  /** Open {@link fork}s. */
  #depth = 0;
  /** Where the content of each open fork starts. */
  readonly #starts: number[] = [];
  /** How many bytes of length the last message at each depth needed: the next one there is mostly like it. */
  readonly #lengthBytes: number[] = [];
  #floats: DataView | undefined = undefined;

  /** The name that protobufjs' encoders ask for. */
  get len(): number {
    return this.pos;
  }

  /** Makes room for `byteCount` more bytes. */
  reserve(byteCount: number): void {
    if (this.pos + byteCount > this.buf.length) this.#grow(byteCount);
  }

  #grow(byteCount: number): void {
    const larger = allocateBytes(Math.max(this.buf.length * 2, this.pos + byteCount));
    larger.set(this.buf.subarray(0, this.pos));
    this.buf = larger;
    this.#floats = undefined;
  }

  uint32(value: number): this {
    if (value >>> 0 !== value) throw wrongNumber(value, "uint32");
    this.reserve(5);
    this.#varint(value);
    return this;
  }

  int32(value: number): this {
    if ((value | 0) !== value) throw wrongNumber(value, "int32");
    if (value < 0) return this.int64(value);
    this.reserve(5);
    this.#varint(value);
    return this;
  }

  sint32(value: number): this {
    if ((value | 0) !== value) throw wrongNumber(value, "sint32");
    this.reserve(5);
    this.#varint(((value << 1) ^ (value >> 31)) >>> 0);
    return this;
  }

  uint64(value: LongValue): this {
    // Ids and counts are small numbers nearly always.
    if (typeof value === "number" && value >>> 0 === value) {
      this.reserve(5);
      this.#varint(value);
      return this;
    }
    bits.set(value);
    return this.#varint64();
  }

  int64(value: LongValue): this {
    return this.uint64(value);
  }

  sint64(value: LongValue): this {
    bits.set(value);
    bits.zigZag();
    return this.#varint64();
  }

  fixed32(value: number): this {
    if (value >>> 0 !== value) throw wrongNumber(value, "fixed32");
    this.reserve(4);
    this.#fixed(value);
    return this;
  }

  sfixed32(value: number): this {
    if ((value | 0) !== value) throw wrongNumber(value, "sfixed32");
    this.reserve(4);
    this.#fixed(value);
    return this;
  }

  fixed64(value: LongValue): this {
    bits.set(value);
    this.reserve(8);
    this.#fixed(bits.low);
    this.#fixed(bits.high);
    return this;
  }

  sfixed64(value: LongValue): this {
    return this.fixed64(value);
  }

  float(value: number): this {
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) throw wrongNumber(value, "float");
    this.reserve(4);
    this.#floatView().setFloat32(this.pos, value, true);
    this.pos += 4;
    return this;
  }

  double(value: number): this {
    this.reserve(8);
    this.#floatView().setFloat64(this.pos, value, true);
    this.pos += 8;
    return this;
  }

  bool(value: boolean): this {
    this.reserve(1);
    this.buf[this.pos++] = value ? 1 : 0;
    return this;
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): this {
    this.reserve(5 + value.length);
    this.#varint(value.length);
    this.buf.set(value, this.pos);
    this.pos += value.length;
    return this;
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array): this {
    this.reserve(value.length);
    this.buf.set(value, this.pos);
    this.pos += value.length;
    return this;
  }

  /** Length and UTF-8. Throws INVALID_ARGUMENT for a lone surrogate. */
  string(value: string): this {
    const length = value.length;
    if (length > SHORT_TEXT || !this.#shortAscii(value, length)) this.#text(value, length);
    return this;
  }

  /** Starts a length-delimited message; {@link ldelim} ends it. */
  fork(): this {
    const depth = this.#depth++;
    this.reserve(5);
    this.pos += this.#lengthBytes[depth] ??= 1;
    this.#starts[depth] = this.pos;
    return this;
  }

  /** Ends what {@link fork} started and writes its length in front. Without a fork: puts the length of everything in front. */
  ldelim(): this {
    const depth = this.#depth === 0 ? -1 : --this.#depth;
    const start = depth < 0 ? 0 : (this.#starts[depth] as number);
    const reserved = depth < 0 ? 0 : (this.#lengthBytes[depth] as number);
    const length = this.pos - start;
    const needed = length < 128 ? 1 : varintBytes(length);
    if (needed !== reserved) {
      this.reserve(5);
      this.buf.copyWithin(start + needed - reserved, start, this.pos);
      if (depth >= 0) this.#lengthBytes[depth] = needed;
    }
    this.pos = start - reserved;
    this.#varint(length);
    this.pos += length;
    return this;
  }

  /** Takes back what was written since the last open {@link fork}, or everything. */
  reset(): this {
    if (this.#depth === 0) return this.clear();
    const depth = --this.#depth;
    this.pos = (this.#starts[depth] as number) - (this.#lengthBytes[depth] as number);
    return this;
  }

  /** Starts a new message at `at`. Whatever stood in the buffer is lost, also what an error left behind. */
  clear(at = 0): this {
    if (this.buf.length > KEPT_BYTES) this.#takeFreshBuffer();
    this.pos = at;
    this.#depth = 0;
    return this;
  }

  /** The bytes written, in a buffer that nobody else holds. The writer is empty afterwards. */
  finish(): Uint8Array {
    const { pos } = this;
    if (pos >= OWN_BUFFER_BYTES) return this.handOver(0, pos);
    const copy = new Uint8Array(pos);
    copy.set(this.view(0, pos));
    this.clear();
    return copy;
  }

  /** Bytes `start` to `end` as they stand in the buffer, good until the next write. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.buf.buffer, start, end - start);
  }

  /** Gives the buffer away: the caller holds bytes `start` to `end`, the writer goes on with a fresh buffer. */
  handOver(start: number, end: number): Uint8Array {
    const bytes = this.view(start, end);
    this.#takeFreshBuffer();
    this.clear();
    return bytes;
  }

  uint32s(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.uint32(value);
    return this.ldelim();
  }

  int32s(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.int32(value);
    return this.ldelim();
  }

  sint32s(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.sint32(value);
    return this.ldelim();
  }

  uint64s(values: readonly LongValue[]): this {
    this.fork();
    for (const value of values) this.uint64(value);
    return this.ldelim();
  }

  int64s(values: readonly LongValue[]): this {
    return this.uint64s(values);
  }

  sint64s(values: readonly LongValue[]): this {
    this.fork();
    for (const value of values) this.sint64(value);
    return this.ldelim();
  }

  bools(values: readonly boolean[]): this {
    this.fork();
    for (const value of values) this.bool(value);
    return this.ldelim();
  }

  fixed32s(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.fixed32(value);
    return this.ldelim();
  }

  sfixed32s(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.sfixed32(value);
    return this.ldelim();
  }

  fixed64s(values: readonly LongValue[]): this {
    this.fork();
    for (const value of values) this.fixed64(value);
    return this.ldelim();
  }

  sfixed64s(values: readonly LongValue[]): this {
    return this.fixed64s(values);
  }

  floats(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.float(value);
    return this.ldelim();
  }

  doubles(values: readonly number[]): this {
    this.fork();
    for (const value of values) this.double(value);
    return this.ldelim();
  }

  #takeFreshBuffer(): void {
    this.buf = allocateBytes(FIRST_BYTES);
    this.#floats = undefined;
  }

  #varint(value: number): void {
    const { buf } = this;
    let { pos } = this;
    let rest = value;
    while (rest > 127) {
      buf[pos++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buf[pos++] = rest;
    this.pos = pos;
  }

  #varint64(): this {
    this.reserve(10);
    const { buf } = this;
    let { pos } = this;
    let { low, high } = bits;
    while (high !== 0) {
      buf[pos++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.pos = pos;
    this.#varint(low);
    return this;
  }

  #fixed(value: number): void {
    const { buf, pos } = this;
    buf[pos] = value;
    buf[pos + 1] = value >>> 8;
    buf[pos + 2] = value >>> 16;
    buf[pos + 3] = value >>> 24;
    this.pos = pos + 4;
  }

  #floatView(): DataView {
    return (this.#floats ??= new DataView(this.buf.buffer));
  }

  /** Returns false, and leaves the position, when the text is not ASCII. */
  #shortAscii(value: string, length: number): boolean {
    this.reserve(1 + length);
    const { buf, pos } = this;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 127) return false;
      buf[pos + 1 + i] = unit;
    }
    buf[pos] = length;
    this.pos = pos + 1 + length;
    return true;
  }

  #text(value: string, length: number): void {
    const room = length < MEASURED_TEXT ? length * 3 : utf8Length(value);
    this.reserve(5 + room);
    const guessed = varintBytes(length < MEASURED_TEXT ? length : room);
    const start = this.pos + guessed;
    const byteCount = writeUtf8(value, this.buf, start);
    const needed = varintBytes(byteCount);
    if (needed !== guessed) this.buf.copyWithin(this.pos + needed, start, start + byteCount);
    this.#varint(byteCount);
    this.pos += byteCount;
  }
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

function wrongNumber(value: unknown, type: string): Error {
  return wrongValue(`${String(value)} does not fit ${type}`);
}
