import { RpcError } from "@rpc/core/transport";

/** Bytes that are no message: cut short, a length beyond the end, a wire type that does not exist. */
export function parseError(problem: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", problem, { reason: "PARSE" });
}

/** A value that the wire type cannot hold, or a received one that the program cannot hold exactly. */
export function outOfRange(problem: string): RpcError {
  return new RpcError("OUT_OF_RANGE", problem, { reason: "OUT_OF_RANGE" });
}

/** A value of a wrong kind where a writer expected another. */
export function wrongValue(problem: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", problem, { reason: "INVALID_ARGUMENT" });
}

/** A limit was passed; `limit` is its name. */
export function exhausted(limit: string, problem: string): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", problem, { reason: limit });
}
