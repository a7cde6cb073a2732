import { sameBytes } from "../frames/names.ts";
import type { Request } from "./roster.ts";

/** Whom a worker's reply is for, as the reply says it. */
interface ReplyAddressees {
  readonly addressAt: number;
  readonly addressCount: number;
}

/** An identity as the key of a map. */
export function keyOf(identity: Uint8Array | undefined): string {
  if (identity === undefined) return "";
  return Buffer.isBuffer(identity) ? identity.toString("latin1") : Buffer.from(identity).toString("latin1");
}

/** Whether a reply goes to whom the worker was asked by: all address frames, unchanged. */
export function isAddressOf(request: Request, frames: readonly Buffer[], seen: ReplyAddressees): boolean {
  if (seen.addressCount !== request.envelopeCount + 1) return false;
  const client = frames[seen.addressAt];
  if (client === undefined || !sameBytes(client, request.client)) return false;
  for (let at = 0; at < request.envelopeCount; at += 1) {
    const said = frames[seen.addressAt + 1 + at];
    const asked = request.frames[request.envelopeAt + at];
    if (said === undefined || asked === undefined || !sameBytes(said, asked)) return false;
  }
  return true;
}
