import { MAX_NAME_BYTES } from "./words.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const PLAIN_ASCII = /^[\x21-\x7e]+$/;

/** The name of a service, if the frame is one: 1 to 255 bytes of printable UTF-8. */
export function serviceNameOf(frame: Uint8Array): string | undefined {
  if (frame.length === 0 || frame.length > MAX_NAME_BYTES) return undefined;
  let name: string;
  try {
    name = strictUtf8.decode(frame);
  } catch {
    return undefined;
  }
  return PLAIN_ASCII.test(name) || !UNPRINTABLE.test(name) ? name : undefined;
}

/** Whether two frames have the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  for (let at = 0; at < length; at += 1) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}
