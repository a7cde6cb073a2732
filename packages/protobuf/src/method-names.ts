import { readUtf8 } from "@rpc/core/transport";
import { ProtoWriter } from "./writer.ts";

/** Method names are few and repeated with every call, so both directions remember them. */
const REMEMBERED = 512;
const LONGEST_REMEMBERED = 128;

/** A method name as it stands on the wire: its length and its UTF-8. */
export class NameWriter {
  readonly #known = new Map<string, Uint8Array>();
  readonly #writer = new ProtoWriter();
  #lastName = "";
  #lastBytes: Uint8Array = new Uint8Array(1);

  write(name: string, writer: ProtoWriter): void {
    const bytes = name === this.#lastName ? this.#lastBytes : this.#bytesOf(name);
    const length = bytes.length;
    writer.reserve(length);
    const { buf, pos } = writer;
    // For so few bytes a loop beats the call of `set`.
    for (let i = 0; i < length; i++) buf[pos + i] = bytes[i] as number;
    writer.pos = pos + length;
  }

  #bytesOf(name: string): Uint8Array {
    let bytes = this.#known.get(name);
    if (bytes === undefined) {
      bytes = this.#writer.string(name).finish();
      if (this.#known.size >= REMEMBERED) this.#known.clear();
      if (bytes.length <= LONGEST_REMEMBERED) this.#known.set(name, bytes);
    }
    this.#lastName = name;
    this.#lastBytes = bytes;
    return bytes;
  }
}

interface KnownName {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const NO_NAME: KnownName = { bytes: new Uint8Array(0), text: "" };

/**
 * Turns received names into strings without making a new one for each call. The table has a fixed size and a name only ever
 * displaces another: a peer that floods it with names costs itself and others time, never memory.
 */
export class NameReader {
  readonly #table: KnownName[] = Array.from({ length: REMEMBERED }, () => NO_NAME);
  #last = NO_NAME;

  read(bytes: Uint8Array, start: number, end: number): string {
    if (isSame(this.#last.bytes, bytes, start, end)) return this.#last.text;
    if (end - start > LONGEST_REMEMBERED) return readUtf8(bytes, start, end);
    const slot = hash(bytes, start, end) & (REMEMBERED - 1);
    let known = this.#table[slot] as KnownName;
    if (!isSame(known.bytes, bytes, start, end)) {
      known = { text: readUtf8(bytes, start, end), bytes: Uint8Array.prototype.slice.call(bytes, start, end) };
      this.#table[slot] = known;
    }
    this.#last = known;
    return known.text;
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = known.length;
  if (length !== end - start) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = end - start;
  for (let i = start; i < end; i++) value = Math.imul(value ^ (bytes[i] as number), 0x0100_0193);
  return value ^ (value >>> 15);
}
