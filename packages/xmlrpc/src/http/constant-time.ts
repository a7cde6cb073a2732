import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

let key: Uint8Array | undefined = undefined;

/** Whether two secrets are equal, in a time that tells nothing of either but its length. For `authenticate` hooks. */
export function constantTimeEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(keyedHash([a]), keyedHash([b]));
}

/** A hash that means nothing outside this process: under a random key, so that what is kept of a secret cannot be tried out elsewhere. */
export function keyedHash(parts: readonly (string | Uint8Array)[]): Buffer {
  key ??= randomBytes(32);
  const hmac = createHmac("sha256", key);
  for (const part of parts) {
    // The length in front: ["ab", "c"] is not ["a", "bc"].
    hmac.update(`${typeof part === "string" ? Buffer.byteLength(part) : part.length}:`);
    hmac.update(part);
  }
  return hmac.digest();
}
