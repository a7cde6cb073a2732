import { readUtf8 } from "@rpc/core/transport";
import { LongBits } from "./long-bits.ts";
import { exhausted, parseError } from "./parse-error.ts";

/** How deep groups may stand in one another; generated readers hold their messages to the same number. */
export const MAX_NESTING = 100;
/** Elements of lists and maps that one message may have, however small they are (hostile inputs H102). */
const MAX_ELEMENTS = 1_000_000;

const NO_BYTES = new Uint8Array(0);
/** From here on, `bytes` may stay a view when it fills its buffer but for these few other bytes. */
const VIEW_BYTES = 16 * 1024;
const VIEW_SLACK_BYTES = 512;

const bits = new LongBits();
const floatBytes = new Uint8Array(8);
const floatView = new DataView(floatBytes.buffer);

/**
 * Reads protobuf's wire format, strictly: every read is checked against the end, and bytes that are no message are refused with
 * INVALID_ARGUMENT, reason `PARSE`. One reader serves any number of messages through {@link ProtoReader.reset}.
 */
export class ProtoReader {
  buf: Uint8Array = NO_BYTES;
  /** Where the next byte is read. */
  pos = 0;
  /** Where reading ends. */
  len = 0;
  readonly #maxElements: number;
  #elements = 0;

  constructor(maxElements: number = MAX_ELEMENTS) {
    this.#maxElements = maxElements;
  }

  /** Turns to bytes `start` to `end`. Without arguments: lets go of the last bytes. */
  reset(bytes: Uint8Array = NO_BYTES, start = 0, end: number = bytes.length): this {
    if (start < 0 || end > bytes.length || start > end)
      throw parseError(`bytes ${start} to ${end} of ${bytes.length} do not exist`);
    this.buf = bytes;
    this.pos = start;
    this.len = end;
    this.#elements = 0;
    return this;
  }

  /** Must be called for each element of a list or map. Throws RESOURCE_EXHAUSTED beyond the limit. */
  countElement(): void {
    if (++this.#elements > this.#maxElements) {
      throw exhausted("maxElements", `a message has more than ${this.#maxElements} elements in its lists and maps`);
    }
  }

  /** Field number times 8 plus wire type. Refuses field number 0 and the wire types that do not exist. */
  tag(): number {
    const { buf, pos } = this;
    const first = pos < this.len ? (buf[pos] as number) : 128;
    let tag: number;
    if (first < 128) {
      this.pos = pos + 1;
      tag = first;
    } else {
      tag = this.#longTag();
    }
    if (tag < 8) throw parseError(`field number 0 at byte ${pos}`);
    if ((tag & 7) > 5) throw parseError(`wire type ${tag & 7} at byte ${pos} does not exist`);
    return tag;
  }

  /** Reads a length and gives the position behind what it measures, which lies within the message. */
  lengthEnd(): number {
    const { pos } = this;
    const first = pos < this.len ? (this.buf[pos] as number) : 128;
    let end: number;
    if (first < 128) {
      this.pos = pos + 1;
      end = pos + 1 + first;
    } else {
      end = this.#wideVarint();
      end += this.pos;
    }
    if (end > this.len) throw parseError(`a length at byte ${pos} leads beyond the end`);
    return end;
  }

  /** Higher bits than 32 are cut off, as protobuf demands: that is how a 64-bit field becomes a 32-bit one. */
  uint32(): number {
    const { pos } = this;
    if (pos < this.len) {
      const first = this.buf[pos] as number;
      if (first < 128) {
        this.pos = pos + 1;
        return first;
      }
    }
    this.#varint64();
    return bits.low;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  uint64(): bigint {
    this.#varint64();
    return bits.unsigned();
  }

  int64(): bigint {
    this.#varint64();
    return bits.signed();
  }

  sint64(): bigint {
    this.#varint64();
    bits.undoZigZag();
    return bits.signed();
  }

  /** A uint64 as a number. Throws OUT_OF_RANGE beyond 2^53 − 1, as do the other `…Number` readers. */
  uint64Number(): number {
    const { pos } = this;
    if (pos < this.len) {
      const first = this.buf[pos] as number;
      if (first < 128) {
        this.pos = pos + 1;
        return first;
      }
    }
    const value = this.#wideVarint();
    return value === Number.POSITIVE_INFINITY ? bits.unsignedNumber() : value;
  }

  int64Number(): number {
    this.#varint64();
    return bits.signedNumber();
  }

  sint64Number(): number {
    this.#varint64();
    bits.undoZigZag();
    return bits.signedNumber();
  }

  fixed32(): number {
    const pos = this.#take(4);
    const { buf } = this;
    return (
      ((buf[pos] as number) |
        ((buf[pos + 1] as number) << 8) |
        ((buf[pos + 2] as number) << 16) |
        ((buf[pos + 3] as number) << 24)) >>>
      0
    );
  }

  sfixed32(): number {
    return this.fixed32() | 0;
  }

  fixed64(): bigint {
    this.#fixed64();
    return bits.unsigned();
  }

  sfixed64(): bigint {
    this.#fixed64();
    return bits.signed();
  }

  fixed64Number(): number {
    this.#fixed64();
    return bits.unsignedNumber();
  }

  sfixed64Number(): number {
    this.#fixed64();
    return bits.signedNumber();
  }

  float(): number {
    this.#takeFloatBytes(4);
    return floatView.getFloat32(0, true);
  }

  double(): number {
    this.#takeFloatBytes(8);
    return floatView.getFloat64(0, true);
  }

  bool(): boolean {
    this.#varint64();
    return (bits.low | bits.high) !== 0;
  }

  /**
   * Length and bytes, as a copy that nobody else holds. Only a large field that all but fills the buffer it came in stays a view:
   * a copy of it would double the memory, and there is no neighbour to expose.
   */
  bytes(): Uint8Array {
    const end = this.lengthEnd();
    const start = this.pos;
    const { buf } = this;
    this.pos = end;
    const view = new Uint8Array(buf.buffer, buf.byteOffset + start, end - start);
    if (view.length >= VIEW_BYTES && buf.buffer.byteLength - view.length <= VIEW_SLACK_BYTES) return view;
    return view.slice();
  }

  /** Length and text; refuses what is not UTF-8. */
  string(): string {
    const end = this.lengthEnd();
    const start = this.pos;
    this.pos = end;
    return readUtf8(this.buf, start, end);
  }

  /** Must be called after the fields of a message: a field that ran over its end is a lie about a length. */
  checkEnd(end: number): void {
    if (this.pos !== end) throw parseError(`a field runs ${this.pos - end} bytes over the end of its message`);
  }

  /** Skips so many bytes, or one varint. */
  skip(byteCount?: number): this {
    if (byteCount === undefined) this.#varint64();
    else this.#take(byteCount);
    return this;
  }

  /** Skips a field whose tag was read. Groups are skipped whole, in a loop, to a depth of {@link MAX_NESTING}. */
  skipType(wireType: number, fieldNumber: number): this {
    if (wireType === 3) this.#skipGroup(fieldNumber);
    else this.#skipValue(wireType, fieldNumber);
    return this;
  }

  #skipValue(wireType: number, fieldNumber: number): void {
    if (wireType === 0) this.#varint64();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.pos = this.lengthEnd();
    else if (wireType === 5) this.#take(4);
    else throw parseError(`a group ends (field ${fieldNumber}) that has not begun`);
  }

  #skipGroup(fieldNumber: number): void {
    const open = [fieldNumber];
    while (open.length > 0) {
      const tag = this.tag();
      const number = tag >>> 3;
      if ((tag & 7) === 3) {
        if (open.length >= MAX_NESTING) throw exhausted("maxDepth", `groups are nested deeper than ${MAX_NESTING}`);
        open.push(number);
      } else if ((tag & 7) === 4) {
        const expected = open.pop();
        if (expected !== number) throw parseError(`group ${String(expected)} ends as ${number}`);
      } else {
        this.#skipValue(tag & 7, number);
      }
    }
  }

  /** Moves on and gives the position before. */
  #take(byteCount: number): number {
    const { pos } = this;
    if (byteCount > this.len - pos) throw this.#cutShort();
    this.pos = pos + byteCount;
    return pos;
  }

  #takeFloatBytes(byteCount: number): void {
    const pos = this.#take(byteCount);
    for (let i = 0; i < byteCount; i++) floatBytes[i] = this.buf[pos + i] as number;
  }

  #fixed64(): void {
    this.#take(8);
    this.pos -= 8;
    const low = this.fixed32();
    bits.high = this.fixed32();
    bits.low = low;
  }

  #longTag(): number {
    const start = this.pos;
    this.#varint64();
    if (bits.high !== 0) throw parseError(`field number at byte ${start} is beyond 2^29 - 1`);
    return bits.low;
  }

  /** Two and three bytes are common (lengths, ids), more are not. Beyond 2^53 - 1: infinite. */
  #wideVarint(): number {
    const { buf, pos, len } = this;
    if (pos + 2 < len) {
      const first = (buf[pos] as number) & 127;
      const second = buf[pos + 1] as number;
      if (second < 128) {
        this.pos = pos + 2;
        return first | (second << 7);
      }
      const third = buf[pos + 2] as number;
      if (third < 128) {
        this.pos = pos + 3;
        return first | ((second & 127) << 7) | (third << 14);
      }
    }
    this.#varint64();
    return bits.high > 0x1f_ffff ? Number.POSITIVE_INFINITY : bits.unsignedNumber();
  }

  #varint64(): void {
    const { buf, len } = this;
    let { pos } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (pos >= len) throw this.#cutShort();
      const byte = buf[pos++] as number;
      const seven = byte & 127;
      if (shift < 28) low |= seven << shift;
      else if (shift === 28) {
        low |= seven << 28;
        high = seven >>> 4;
      } else high |= seven << (shift - 32);
      if (byte < 128) {
        if (shift === 63 && byte > 1) throw parseError(`a varint before byte ${pos} does not fit 64 bits`);
        bits.low = low >>> 0;
        bits.high = high >>> 0;
        this.pos = pos;
        return;
      }
    }
    throw parseError(`a varint before byte ${pos} is longer than 10 bytes`);
  }

  #cutShort(): Error {
    return parseError(`the message is cut short at byte ${this.len}`);
  }
}
