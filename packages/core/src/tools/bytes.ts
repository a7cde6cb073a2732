/** Node's Buffer, where there is one: its base64 is written in C++ and a hundred times faster than what browsers have had so far. */
interface NodeBuffer {
  from(bytes: ArrayBufferLike, offset: number, length: number): { toString(encoding: "base64" | "hex"): string };
  from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer>;
}
const nodeBuffer = (globalThis as { readonly Buffer?: NodeBuffer }).Buffer;

export function base64FromBytes(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined)
    return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  let binary = "";
  // In slices, because a call takes a limited number of arguments.
  for (let start = 0; start < bytes.length; start += 0x2000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x2000));
  }
  return btoa(binary);
}

/** Undefined for text that is not padded base64 of RFC 4648 §4. */
export function bytesFromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const length = (text.length / 4) * 3 - padding;
  if (nodeBuffer !== undefined) {
    // Node skips what is no base64, which the length gives away, and takes the URL alphabet, which it does not.
    if (text.includes("-") || text.includes("_")) return undefined;
    const decoded = nodeBuffer.from(text, "base64");
    // A copy: small Buffers are views into a pool that others write to.
    return decoded.length === length ? new Uint8Array(decoded) : undefined;
  }
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function hexFromBytes(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined)
    return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
  // Joined, not added up: a text that was added up stays a tree of its parts, and sessions keep theirs for hours.
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes that nobody can guess, at most 1 KiB. Each byte is given out once and then forgotten. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  // From a pool, because a call of getRandomValues costs the same 8 µs for sixteen bytes as for a thousand.
  if (nextRandom + length > randomPool.length) {
    crypto.getRandomValues(randomPool);
    nextRandom = 0;
  }
  const bytes = randomPool.slice(nextRandom, nextRandom + length);
  randomPool.fill(0, nextRandom, nextRandom + length);
  nextRandom += length;
  return bytes;
}

const randomPool = new Uint8Array(1024);
let nextRandom = randomPool.length;

/** Text from a peer, made harmless for a message or a log: bounded, on one line, without terminal escapes. */
export function shown(text: string, maxLength = 100): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  return cut.replace(NOT_SHOWN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const NOT_SHOWN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
