import type { RpcError } from "../words/rpc-error.ts";

/**
 * Errors with which calls of this process have failed. A handler that lets one of them through says nothing about its own call: `delivered`
 * was about another. Weak, so that it keeps none of them alive.
 */
const CALL_ERRORS = new WeakSet<RpcError>();

/** Remembers the error of a call that this process made. */
export function noteCallError(error: RpcError): RpcError {
  CALL_ERRORS.add(error);
  return error;
}

/** Whether an error is that of a call that this process made. */
export function isCallError(error: RpcError): boolean {
  return CALL_ERRORS.has(error);
}
