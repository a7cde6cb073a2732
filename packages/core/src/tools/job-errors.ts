import type { Outcome } from "../words/envelope.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { StatusCode } from "../words/status.ts";

/** Codes after which another try may succeed; the others say that the job itself is wrong. */
const RETRIED: ReadonlySet<StatusCode> = new Set([
  "UNAVAILABLE",
  "UNKNOWN",
  "ABORTED",
  "CANCELLED",
  "RESOURCE_EXHAUSTED",
  "INTERNAL",
  "DEADLINE_EXCEEDED",
  "DATA_LOSS",
]);

/** What a handler's error means for its job. An error that the contract declares is an answer: it is not tried again. */
export function outcomeOf(error: RpcError, method: MethodDescriptor): Outcome {
  if (error.retryable) return "retry";
  if (error.reason !== undefined && method.errors.has(error.reason)) return "reject";
  return RETRIED.has(error.code) ? "retry" : "reject";
}

const RETRY_REASON = "JOB_RETRY";
const MAX_RETRY_DELAY_MS = 24 * 60 * 60 * 1_000;

/**
 * For the handler of a job to throw: the job is tried again, in `delayMs` if given (a day at most), else after the queue's own pause. The
 * attempt counts.
 */
export function retryJob(message: string, options: { readonly delayMs?: number | undefined } = {}): RpcError {
  const { delayMs } = options;
  return new RpcError("ABORTED", message, {
    reason: RETRY_REASON,
    retryable: true,
    details: delayMs === undefined ? undefined : { delayMs },
  });
}

/** For the handler of a job to throw: no further try can help, whatever attempts are left. */
export function rejectJob(message: string, options: { readonly cause?: unknown } = {}): RpcError {
  return new RpcError("FAILED_PRECONDITION", message, { reason: "JOB_REJECTED", cause: options.cause });
}

/** The pause that a handler asked for. */
export function retryDelayOf(error: RpcError): number | undefined {
  if (error.reason !== RETRY_REASON || typeof error.details !== "object" || error.details === null) return undefined;
  const delayMs: unknown = (error.details as { readonly delayMs?: unknown }).delayMs;
  if (typeof delayMs !== "number" || !(delayMs >= 0)) return undefined;
  return Math.min(delayMs, MAX_RETRY_DELAY_MS);
}
