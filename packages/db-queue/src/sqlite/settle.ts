import type { RpcError } from "@rpc/core";
import { durationFault } from "../store/checked-command.ts";
import { retryDelayMs } from "../store/retry-delay.ts";
import { CANCELLED_QUEUED_ERROR, leaseLostError } from "../store/store-errors.ts";
import type { Answer, Extended, LeaseExtension, Settled } from "../store/store-words.ts";
import { ENDABLE, type Endable, endCommand } from "./ending.ts";
import type { Work } from "./work.ts";

// Most commands are nobody's copy, have no key and are kept: nothing follows from their end. Asked for with RETURNING, the same costs twice as much.
const DONE_PLAIN = `UPDATE rpc_command SET state = 'done', result = ?, error = NULL, finished_at = ?, lease_until = NULL
  WHERE id = ? AND claim_token = ? AND state = 'claimed' AND parent_id IS NULL AND ordering_key IS NULL AND notification = 0`;

export const HELD_COLUMNS: string = `${ENDABLE}, attempts, max_attempts, expires_at, not_before, cancel_requested_at`;
const HELD = `SELECT ${HELD_COLUMNS} FROM rpc_command
  WHERE id = ? AND claim_token = ? AND state = 'claimed'`;

const AGAIN = `UPDATE rpc_command SET state = 'queued', not_before = ?, delayed = ?, error = coalesce(?, error), attempts = ?,
  lease_until = NULL, claim_token = NULL WHERE id = ?`;

const EXTEND = `UPDATE rpc_command SET lease_until = ? WHERE id = ? AND claim_token = ? AND state = 'claimed'
  RETURNING lease_until, cancel_requested_at, cancel_reason`;

const DONE: Settled = { state: "done", delayMs: undefined };

export interface Held extends Endable {
  readonly attempts: number;
  readonly max_attempts: number;
  readonly expires_at: number | null;
  readonly not_before: number;
  readonly cancel_requested_at: number | null;
}

export function settleClaim(work: Work, answer: Answer): Settled | RpcError {
  if (
    answer.outcome === "done" &&
    work.connection.run(DONE_PLAIN, answer.result, work.now(), answer.id, answer.token) > 0
  ) {
    work.wakeIssuers(answer.id, { id: answer.id, state: "done", result: answer.result, error: undefined });
    return DONE;
  }
  const held = work.connection.get<Held>(HELD, answer.id, answer.token);
  if (held === undefined) return leaseLostError(answer.id);
  switch (answer.outcome) {
    case "done":
      endCommand(work, held, "done", { result: answer.result });
      return DONE;
    case "failed":
      return settleFailure(work, held, answer);
    case "cancelled":
      endCommand(work, held, "cancelled", { error: answer.error });
      return { state: "cancelled", delayMs: undefined };
    case "released":
      return release(work, held);
    default:
      return answer satisfies never;
  }
}

function settleFailure(work: Work, held: Held, answer: Answer & { readonly outcome: "failed" }): Settled | RpcError {
  const delayMs = answer.retryDelayMs ?? retryDelayMs(held.attempts, work.random);
  const fault = durationFault("retryDelayMs", delayMs);
  if (fault !== undefined) return fault;
  if (answer.retryable === true && canRunAgain(held, work.now())) {
    queueAgain(work, held, { delayMs, error: answer.error });
    return { state: "queued", delayMs };
  }
  endCommand(work, held, "failed", { error: answer.error });
  return { state: "failed", delayMs: undefined };
}

/** It never started: queued again, and the attempt does not count. */
export function release(work: Work, held: Held): Settled {
  if (held.cancel_requested_at !== null) {
    // It never started: the cancellation that was asked of its agent is all that was still to be done.
    endCommand(work, held, "cancelled", { error: CANCELLED_QUEUED_ERROR });
    return { state: "cancelled", delayMs: undefined };
  }
  work.connection.run(AGAIN, held.not_before, 0, null, Math.max(0, held.attempts - 1), held.id);
  work.wakeAgentsOf(held.address_id);
  return { state: "queued", delayMs: 0 };
}

export function canRunAgain(held: Held, now: number): boolean {
  return (
    held.cancel_requested_at === null &&
    held.attempts < held.max_attempts &&
    (held.expires_at === null || held.expires_at > now)
  );
}

export function queueAgain(
  work: Work,
  held: Held,
  { delayMs, error }: { delayMs: number; error: string | null },
): void {
  const delay = Math.ceil(delayMs);
  work.connection.run(AGAIN, work.now() + delay, delay > 0 ? 1 : 0, error, held.attempts, held.id);
  work.wakeAgentsOf(held.address_id);
}

export function extendLease(work: Work, lease: LeaseExtension): Extended | RpcError {
  const fault = durationFault("leaseMs", lease.leaseMs);
  if (fault !== undefined) return fault;
  const row = work.connection.get<{
    readonly lease_until: number;
    readonly cancel_requested_at: number | null;
    readonly cancel_reason: string | null;
  }>(EXTEND, work.now() + Math.ceil(lease.leaseMs), lease.id, lease.token);
  if (row === undefined) return leaseLostError(lease.id);
  return {
    leaseUntilAt: row.lease_until,
    cancel: row.cancel_requested_at === null ? undefined : (row.cancel_reason ?? ""),
  };
}
