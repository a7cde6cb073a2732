import type { RpcError } from "@rpc/core";
import { CANCELLED_CLAIMED_ERROR, CANCELLED_QUEUED_ERROR, noCommandError } from "../store/store-errors.ts";
import { cancelTopic } from "../store/store.ts";
import type { Cancel, Cancelled, ClaimRef, CommandState } from "../store/store-words.ts";
import { ENDABLE, type Endable, endBroadcast, endCommand } from "./ending.ts";
import type { Work } from "./work.ts";

interface Cancellable extends Endable {
  readonly state: CommandState;
  readonly attempts: number;
}

const COLUMNS = `${ENDABLE}, state, attempts`;

// The first reason stays: it is the one that the agent may have been told.
const ASK = `UPDATE rpc_command SET cancel_requested_at = coalesce(cancel_requested_at, ?),
  cancel_reason = iif(cancel_requested_at IS NULL, ?, cancel_reason) WHERE id = ?`;

export function cancelCommand(work: Work, { id, reason }: Cancel): Cancelled | RpcError {
  const row = work.connection.get<Cancellable>(`SELECT ${COLUMNS} FROM rpc_command WHERE id = ?`, id);
  if (row === undefined) return noCommandError(id);
  if (row.state !== "waiting") return { state: cancelOne(work, row, reason) };
  ask(work, id, reason);
  const copies = work.connection.all<Cancellable>(
    `SELECT ${COLUMNS} FROM rpc_command WHERE parent_id = ? AND state IN ('queued', 'claimed')`,
    id,
  );
  // Without their parent, which is looked at once, after the last.
  for (const copy of copies) cancelOne(work, { ...copy, parent_id: null }, reason);
  endBroadcast(work, id);
  const after = work.connection.get<{ state: CommandState }>("SELECT state FROM rpc_command WHERE id = ?", id);
  return { state: after?.state ?? "cancelled" };
}

function cancelOne(work: Work, row: Cancellable, reason: string | undefined): CommandState {
  if (row.state === "queued") {
    ask(work, row.id, reason);
    endCommand(work, row, "cancelled", {
      error: row.attempts === 0 ? CANCELLED_QUEUED_ERROR : CANCELLED_CLAIMED_ERROR,
    });
    return "cancelled";
  }
  if (row.state === "claimed") {
    ask(work, row.id, reason);
    work.topics.set(cancelTopic(row.id), undefined);
  }
  return row.state;
}

function ask(work: Work, id: number, reason: string | undefined): void {
  work.connection.run(ASK, work.now(), reason ?? null, id);
}

// Row by row, and nothing but this of each: an index of those that are to end would cost every command something, and not only the few that have it.
const CANCELLATION = `SELECT coalesce(cancel_reason, '') AS reason FROM rpc_command
  WHERE id = ? AND claim_token = ? AND state = 'claimed' AND cancel_requested_at IS NOT NULL`;

export function cancellations(work: Work, claims: readonly ClaimRef[]): (string | undefined)[] {
  return claims.map(
    ({ id, token }) => work.connection.get<{ readonly reason: string }>(CANCELLATION, id, token)?.reason,
  );
}
