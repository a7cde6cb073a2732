import { RpcError } from "@rpc/core";
import type { AgentRef, Answer, Claim } from "../store/store-words.ts";

/** What an agent says when something is not as it should be. */

/** To the handler of a command that is somebody else's now, or may be. */
export function leaseOverError(claim: Claim, cause: RpcError | undefined): RpcError {
  const why = cause === undefined ? "the database did not answer" : cause.message;
  return new RpcError("ABORTED", `command ${claim.id} (${claim.method}): its lease is over: ${why}`, {
    reason: "LEASE_LOST",
    delivered: "unknown",
    cause,
  });
}

/** `isUncertain`: it was sent before, and the database did not say what became of it. */
export function lateAnswerError(
  claim: Claim,
  outcome: Answer["outcome"],
  cause: RpcError | undefined,
  isUncertain = false,
): RpcError {
  const why = isUncertain ? "its lease was over, or it had arrived at the first try" : "its lease was over";
  const message = `command ${claim.id} (${claim.method}): its answer (${outcome}) came too late and was refused: ${why}`;
  return new RpcError("ABORTED", message, { reason: "LEASE_LOST", cause });
}

export function closingError(claim: Claim): RpcError {
  return new RpcError("UNAVAILABLE", `command ${claim.id} (${claim.method}): its agent was closed while it ran`, {
    reason: "LEASE_LOST",
    delivered: "unknown",
  });
}

export function cancelledError(claim: Claim, why: string): RpcError {
  const message = `command ${claim.id} (${claim.method}) was cancelled${why === "" ? "" : `: ${why}`}`;
  return new RpcError("CANCELLED", message, { reason: "CANCELLED", details: why === "" ? undefined : { reason: why } });
}

export function unstoredError(what: string, cause: RpcError): RpcError {
  const { code, reason, retryable } = cause;
  return new RpcError(code, `${what}: ${cause.message}`, { reason, retryable, cause });
}

/** Whether another try of a verb cannot help before somebody has changed something. */
export function isFinal({ code, reason }: RpcError): boolean {
  switch (code) {
    case "INVALID_ARGUMENT":
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
    case "FAILED_PRECONDITION":
    case "UNIMPLEMENTED":
      return true;
    default:
      return reason === "FENCED" || reason === "NO_ADDRESS";
  }
}

export function closedError({ agent, address }: AgentRef): RpcError {
  return new RpcError("CANCELLED", `agent "${agent}" at "${address}" was closed before it had started`, {
    reason: "CLOSED",
  });
}

export function startupError({ agent }: AgentRef, thrown: unknown): RpcError {
  const { code, message, reason, details } = RpcError.from(thrown);
  return new RpcError(code, `agent "${agent}": onStartup failed: ${message}`, {
    reason,
    details,
    retryable: false,
    cause: thrown,
  });
}

export function deadlineError(claim: Claim): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `command ${claim.id} (${claim.method}): deadline exceeded`, {
    reason: "DEADLINE",
  });
}
