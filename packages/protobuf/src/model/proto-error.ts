import { RpcError } from "@rpc/core";
import type { Place } from "./definitions.ts";

/** A `.proto` that cannot be used, with the place in front: `bot.proto:12: …`. */
export function protoError(place: Place | undefined, problem: string): RpcError {
  const where = place === undefined ? "" : `${place.file}${place.line === undefined ? "" : `:${place.line}`}: `;
  return new RpcError("INVALID_ARGUMENT", `${where}${problem}`, { reason: "PROTO" });
}
