import { RpcError } from "@rpc/core";

/** An answer that is none: what came is not what the protocol says. The call itself may have run. */
export function unreadable(what: string, cause?: unknown): RpcError {
  return new RpcError("INTERNAL", what, { reason: "PROTOCOL", delivered: "unknown", cause });
}
