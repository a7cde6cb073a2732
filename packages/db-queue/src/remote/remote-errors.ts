import { RpcError } from "@rpc/core";

/** What only a store with a login to the database can do. */
export function remoteError(what: string, endpoint: string, code: "UNIMPLEMENTED" | "FAILED_PRECONDITION"): RpcError {
  return new RpcError(code, `${endpoint} cannot ${what}: it has no login to the database; do it where the service is`, {
    reason: "REMOTE",
    delivered: "no",
  });
}

/** Why a verb has failed, as a store says it: of a service that is away it says what it would say of a database. */
export function storeError(thrown: unknown, endpoint: string): RpcError {
  const error = RpcError.from(thrown);
  const { code, message, reason } = error;
  if (code === "DEADLINE_EXCEEDED" && reason === "DEADLINE") {
    return new RpcError("UNAVAILABLE", `${endpoint} has not answered in time: ${message}`, {
      reason: "NO_ANSWER",
      delivered: "unknown",
      cause: error,
    });
  }
  // Refused on the way already, as the store itself would have refused it.
  if (code === "INVALID_ARGUMENT" && reason === code)
    return new RpcError(code, message, { delivered: "no", cause: error });
  return error;
}
