import type { CommandRow, CommandState, Outcome } from "../store/store-words.ts";
import type { Work } from "./work.ts";

interface StoredOutcome {
  readonly id: number;
  readonly state: CommandState;
  readonly result: string | null;
  readonly error: string | null;
}

export interface StoredCommand extends StoredOutcome {
  readonly address: string;
  readonly parent_id: number | null;
  readonly method: string;
  readonly args: string;
  readonly kwargs: string;
  readonly meta: string;
  readonly priority: number;
  readonly ordering_key: string | null;
  readonly idempotency_key: string | null;
  readonly target_agent: string | null;
  readonly notification: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly not_before: number;
  readonly expires_at: number | null;
  readonly lease_until: number | null;
  readonly agent_name: string | null;
  readonly agent_incarnation: string | null;
  readonly cancel_requested_at: number | null;
  readonly cancel_reason: string | null;
  readonly created_at: number;
  readonly created_by: string | null;
  readonly claimed_at: number | null;
  readonly finished_at: number | null;
  readonly progress: string | null;
}

/** A command as `commandRow` takes it; what follows begins with WHERE. */
export const ROW = "SELECT a.name AS address, c.* FROM rpc_command c JOIN rpc_address a ON a.id = c.address_id";

export function readOutcome(work: Work, id: number): Outcome | undefined {
  const row = work.connection.get<StoredOutcome>("SELECT id, state, result, error FROM rpc_command WHERE id = ?", id);
  return row === undefined
    ? undefined
    : { id, state: row.state, result: row.result ?? undefined, error: row.error ?? undefined };
}

export function readCommand(work: Work, id: number): CommandRow | undefined {
  const row = work.connection.get<StoredCommand>(`${ROW} WHERE c.id = ?`, id);
  return row === undefined ? undefined : commandRow(row);
}

export function commandRow(row: StoredCommand): CommandRow {
  return {
    id: row.id,
    address: row.address,
    parentId: row.parent_id ?? undefined,
    method: row.method,
    args: row.args,
    kwargs: row.kwargs,
    meta: row.meta,
    state: row.state,
    priority: row.priority,
    orderingKey: row.ordering_key ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    targetAgent: row.target_agent ?? undefined,
    notification: row.notification === 1,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    notBeforeAt: row.not_before,
    expiresAt: row.expires_at ?? undefined,
    leaseUntilAt: row.lease_until ?? undefined,
    agent: row.agent_name ?? undefined,
    incarnation: row.agent_incarnation ?? undefined,
    cancelRequestedAt: row.cancel_requested_at ?? undefined,
    cancelReason: row.cancel_reason ?? undefined,
    createdAt: row.created_at,
    createdBy: row.created_by ?? undefined,
    claimedAt: row.claimed_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
    progress: row.progress ?? undefined,
  };
}
