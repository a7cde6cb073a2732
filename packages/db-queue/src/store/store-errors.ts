import { RpcError } from "@rpc/core";
import type { AgentRef, JsonText } from "./store-words.ts";

/** What a store refuses, in the words of both databases. */

export function noAddressError(address: string): RpcError {
  return new RpcError(
    "NOT_FOUND",
    `no address "${address}": make it with ensureAddress() before commands are sent to it`,
    {
      reason: "NO_ADDRESS",
      delivered: "no",
    },
  );
}

export function fencedError(agent: AgentRef): RpcError {
  return new RpcError(
    "ABORTED",
    `agent "${agent.agent}" (${agent.incarnation}) is not subscribed to "${agent.address}" any more: another incarnation has taken its place, by a restart or because two programs have this name (give each its own), or it was unsubscribed`,
    { reason: "FENCED" },
  );
}

export function leaseLostError(id: number): RpcError {
  return new RpcError(
    "UNAVAILABLE",
    `command ${id} is not this claim's any more: its lease was over and it was given away, or it has ended`,
    {
      reason: "LEASE_LOST",
      delivered: "unknown",
      // The answer is too late; the same one again would be, too.
      retryable: false,
    },
  );
}

/** `other`: what the command that has the key has, or is. */
export function conflictError(
  address: string,
  key: string,
  { id, other }: { readonly id: number; readonly other: string },
): RpcError {
  return new RpcError(
    "ALREADY_EXISTS",
    `idempotency key "${key}" at "${address}" belongs to command ${id}, which ${other}`,
    { reason: "CONFLICT", delivered: "no" },
  );
}

export function noAgentError(address: string): RpcError {
  return new RpcError("UNAVAILABLE", `no live agent is subscribed to "${address}"`, {
    reason: "NO_AGENT",
    delivered: "no",
  });
}

export function pausedError(address: string): RpcError {
  return new RpcError("UNAVAILABLE", `address "${address}" is paused`, { reason: "PAUSED", delivered: "no" });
}

export function noCommandError(id: number): RpcError {
  return new RpcError("NOT_FOUND", `no command ${id}: it never was, or it has been deleted`, { reason: "NO_COMMAND" });
}

export function lockedError(what: string): RpcError {
  return new RpcError(
    "UNAVAILABLE",
    `${what} is locked by a transaction that is still open: try again when it has ended`,
    { reason: "DATABASE_LOCKED", delivered: "no", retryable: true },
  );
}

export function storeClosedError(endpoint: string): RpcError {
  return new RpcError("FAILED_PRECONDITION", `${endpoint} was closed in this process`, {
    reason: "CLOSED",
    delivered: "no",
  });
}

/** What a row says of an end that no agent has told. `outcome` is whether the handler has run: "no", or "unknown". */
export const EXPIRED_ERROR: JsonText = '{"code":"EXPIRED","outcome":"no"}';
/** Queued again after a try, and expired then. */
export const EXPIRED_TRIED_ERROR: JsonText = '{"code":"EXPIRED","outcome":"unknown"}';
/** For a command that no agent has ever started; for one that was queued again after a try the next one holds. */
export const CANCELLED_QUEUED_ERROR: JsonText = '{"code":"CANCELLED","outcome":"no"}';
export const CANCELLED_CLAIMED_ERROR: JsonText = '{"code":"CANCELLED","outcome":"unknown"}';
export const LEASE_LOST_ERROR: JsonText = '{"code":"LEASE_LOST","outcome":"unknown"}';
export const NO_AGENT_ERROR: JsonText = '{"code":"NO_AGENT","outcome":"no"}';
