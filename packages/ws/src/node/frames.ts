import { randomFillSync } from "node:crypto";

// Data frames of RFC 6455 §5.2, each a whole message: FIN and opcode, MASK and length, 16 or 64 bits of a longer length, the key, the payload.

/** Largest header: 2 bytes, 8 of a long length, 4 of a key. */
export const MAX_HEADER_BYTES = 14;

export const TEXT_FRAME = 0x81;
export const BINARY_FRAME = 0x82;

/** Bytes in front of a payload of this length. */
export function headerBytes(length: number, masked: boolean): number {
  return (length < 126 ? 2 : length < 65_536 ? 4 : 10) + (masked ? 4 : 0);
}

/** Writes the header up to the key, and gives the place behind it. */
export function writeHeader(into: Uint8Array, start: number, first: number, length: number, masked: boolean): number {
  let at = start;
  const mask = masked ? 0x80 : 0;
  into[at++] = first;
  if (length < 126) {
    into[at++] = mask | length;
    return at;
  }
  if (length < 65_536) {
    into[at++] = mask | 126;
  } else {
    into[at++] = mask | 127;
    // Divided, not shifted: a shift knows 32 bits.
    const high = Math.floor(length / 2 ** 32);
    into[at++] = high >>> 24;
    into[at++] = high >>> 16;
    into[at++] = high >>> 8;
    into[at++] = high;
    into[at++] = length >>> 24;
    into[at++] = length >>> 16;
  }
  into[at++] = length >>> 8;
  into[at++] = length;
  return at;
}

/** Writes a fresh key at `at` and the masked payload behind it; gives the place behind all of it. */
export function writeMasked(into: Uint8Array, start: number, payload: Uint8Array): number {
  if (poolAt === POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const a = pool[poolAt] as number;
  const b = pool[poolAt + 1] as number;
  const c = pool[poolAt + 2] as number;
  const d = pool[poolAt + 3] as number;
  poolAt += 4;
  into[start] = a;
  into[start + 1] = b;
  into[start + 2] = c;
  into[start + 3] = d;
  const at = start + 4;
  const { length } = payload;
  if (length >= WORDS_FROM_BYTES) return maskWords(into, at, payload, [a, b, c, d]);
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    into[at + i] = (payload[i] as number) ^ a;
    into[at + i + 1] = (payload[i + 1] as number) ^ b;
    into[at + i + 2] = (payload[i + 2] as number) ^ c;
    into[at + i + 3] = (payload[i + 3] as number) ^ d;
  }
  if (whole < length) into[at + whole] = (payload[whole] as number) ^ a;
  if (whole + 1 < length) into[at + whole + 1] = (payload[whole + 1] as number) ^ b;
  if (whole + 2 < length) into[at + whole + 2] = (payload[whole + 2] as number) ^ c;
  return at + length;
}

/** Four bytes at a time, on the words of the target. */
function maskWords(into: Uint8Array, at: number, payload: Uint8Array, key: readonly number[]): number {
  const { length } = payload;
  into.set(payload, at);
  const end = at + length;
  let i = at;
  for (; (into.byteOffset + i) % 4 !== 0 && i < end; i++) into[i] = (into[i] as number) ^ (key[(i - at) & 3] as number);
  const shift = i - at;
  const turned = Uint8Array.of(
    key[shift & 3] as number,
    key[(shift + 1) & 3] as number,
    key[(shift + 2) & 3] as number,
    key[(shift + 3) & 3] as number,
  );
  const word = new Int32Array(turned.buffer)[0] as number;
  const count = (end - i) >> 2;
  const words = new Int32Array(into.buffer, into.byteOffset + i, count);
  for (let w = 0; w < count; w++) words[w] = (words[w] as number) ^ word;
  for (i += count * 4; i < end; i++) into[i] = (into[i] as number) ^ (key[(i - at) & 3] as number);
  return end;
}

/** From here on three small arrays cost less than going byte by byte (measured on Node 24). */
const WORDS_FROM_BYTES = 256;

/** Keys must not be guessed (RFC 6455 §5.3); taken in stock, because each draw goes into native code. */
const POOL_BYTES = 8 * 1024;
const pool = new Uint8Array(POOL_BYTES);
let poolAt = POOL_BYTES;
