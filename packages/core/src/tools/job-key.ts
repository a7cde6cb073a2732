import type { CallContext } from "../words/call-context.ts";
import { type Payload, ValuePayload } from "../words/payload.ts";
import { ANYBODY } from "./key-ring.ts";
import { payloadBytes } from "./payloads.ts";

/**
 * A job's key as its queue files it: keys belong to who submits (its identity, or its process where it has none or shares one secret with
 * all). Undefined: none, or of somebody who says neither, who cannot be told from the next one.
 */
export function scopedKey(key: string | undefined, { peer }: CallContext): string | undefined {
  if (key === undefined) return undefined;
  if (peer === undefined) return `here:${key}`;
  if (peer.identity !== undefined && peer.identity !== ANYBODY) return JSON.stringify([peer.identity, key]);
  return peer.instanceId === "" ? undefined : `process:${peer.instanceId}:${key}`;
}

/** Whether two kept payloads are the same input. */
export function isSameInput(a: Payload, b: Payload): boolean {
  if (a instanceof ValuePayload && b instanceof ValuePayload) return a.value === b.value;
  if (a instanceof ValuePayload || b instanceof ValuePayload) return false;
  const [one, other] = [payloadBytes(a), payloadBytes(b)];
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
