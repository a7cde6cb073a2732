import { RpcError } from "../words/rpc-error.ts";

/*
 * Text to bytes and back, strictly: no lone surrogate goes out, nothing overlong or broken comes in (hostile inputs H87, H101).
 * In Node the two native functions that Buffer's prototype carries are several times faster than TextEncoder and TextDecoder;
 * they work on any Uint8Array. Browsers take the standard classes.
 */

type NativeWrite = (this: Uint8Array, text: string, at: number, maxBytes: number) => number;
type NativeSlice = (this: Uint8Array, start: number, end: number) => string;
interface NodeBuffer {
  allocUnsafeSlow(byteCount: number): Uint8Array;
  byteLength(text: string): number;
  readonly prototype: { readonly utf8Write?: NativeWrite; readonly utf8Slice?: NativeSlice };
}

const nodeBuffer = (globalThis as { readonly Buffer?: NodeBuffer }).Buffer;
const nativeWrite = nodeBuffer?.prototype.utf8Write;
const nativeSlice = nodeBuffer?.prototype.utf8Slice;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to this many characters a loop is faster than a call into native code (measured on Node 24). */
const SHORT_READ = 24;

/** Bytes whose content is whatever the memory held; in a buffer of their own, never in a shared pool. */
export function allocateBytes(byteCount: number): Uint8Array {
  return nodeBuffer === undefined ? new Uint8Array(byteCount) : nodeBuffer.allocUnsafeSlow(byteCount);
}

/** The bytes of a text, in an array of their own. A lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** How many bytes `text` takes; a lone surrogate counts three. */
export function utf8Length(text: string): number {
  return nodeBuffer === undefined ? encoder.encode(text).length : nodeBuffer.byteLength(text);
}

/** Writes `text` at `at` and gives the bytes written. There must be room for them. Throws INVALID_ARGUMENT for a lone surrogate. */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  const byteCount =
    nativeWrite === undefined
      ? encoder.encodeInto(text, bytes.subarray(at)).written
      : nativeWrite.call(bytes, text, at, bytes.length - at);
  // Only text beyond ASCII can hold a surrogate, and it takes more bytes than characters.
  if (byteCount !== text.length && !text.isWellFormed()) throw loneSurrogate(text);
  return byteCount;
}

/** Reads text strictly, from `start` to `end`. Throws INVALID_ARGUMENT (`PARSE`) for bytes that are not UTF-8. */
export function readUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  if (end - start <= SHORT_READ) {
    const text = readShortAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  if (nativeSlice === undefined) return readStrictly(bytes, start, end);
  const text = nativeSlice.call(bytes, start, end);
  // Native decoding puts U+FFFD in the place of bad bytes; the sender may also have meant that very character.
  return text.includes("\uFFFD") ? readStrictly(bytes, start, end) : text;
}

function readShortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    if ((a | b | c | d) > 127) return undefined;
    text += String.fromCharCode(a, b, c, d);
  }
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 127) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function readStrictly(bytes: Uint8Array, start: number, end: number): string {
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch {
    throw new RpcError("INVALID_ARGUMENT", `text at byte ${start} is not valid UTF-8`, { reason: "PARSE" });
  }
}

function loneSurrogate(text: string): RpcError {
  const before = /^(?:[^\uD800-\uDFFF]|[\uD800-\uDBFF][\uDC00-\uDFFF])*/.exec(text);
  const problem = `text has a lone surrogate at character ${before?.[0].length ?? 0}, which UTF-8 cannot hold`;
  return new RpcError("INVALID_ARGUMENT", problem, { reason: "INVALID_ARGUMENT" });
}
