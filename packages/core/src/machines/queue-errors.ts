import { RpcError } from "../words/rpc-error.ts";

export function expired(name: string, when: string): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${name}: the job's time was over ${when}`, { reason: "DEADLINE" });
}

export function full(name: string, what: string, reason: string): RpcError {
  const message = `${name}: the queue holds ${what} already; submit again when consumers have caught up`;
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason, delivered: "no", retryable: true });
}

export function conflict(name: string): RpcError {
  const message = `${name}: a job with this key waits that has another input; submit this one with a key of its own`;
  return new RpcError("ALREADY_EXISTS", message, { reason: "CONFLICT", delivered: "no" });
}
