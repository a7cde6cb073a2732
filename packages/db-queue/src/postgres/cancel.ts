import type { RpcError } from "@rpc/core";
import { noCommandError } from "../store/store-errors.ts";
import type { Cancel, Cancelled, CommandState } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { afterwards, outcomeError, TOUCHED } from "./ending.ts";
import { isId } from "./settle.ts";

export interface CancelStatements {
  readonly cancel: Statement;
  readonly states: Statement;
}

// Copies before their broadcast, in the order in which whoever answers for a copy locks the two. The first reason stays: it is the one that
// the agent may have been told.
export function cancelStatements(make: (text: string) => Statement, wakes: boolean): CancelStatements {
  return {
    cancel: make(`WITH x AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(id, reason)),
all_of AS MATERIALIZED (
  SELECT DISTINCT ON (is_broadcast, id) id, reason, is_broadcast FROM (
    SELECT c.id, x.reason, false AS is_broadcast FROM x JOIN rpc_command c ON c.parent_id = x.id
    UNION ALL
    SELECT c.id, x.reason, c.state = 'waiting' FROM x JOIN rpc_command c ON c.id = x.id) AS each_one ORDER BY is_broadcast, id),
clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
u AS (
  UPDATE rpc_command c SET
    state = CASE WHEN c.state = 'queued' THEN 'cancelled' ELSE c.state END,
    finished_at = CASE WHEN c.state = 'queued' THEN clock.now END,
    error = CASE WHEN c.state = 'queued' THEN ${outcomeError("CANCELLED", "c.attempts > 0")} ELSE c.error END,
    cancel_requested_at = coalesce(c.cancel_requested_at, clock.now),
    cancel_reason = CASE WHEN c.cancel_requested_at IS NULL THEN x.reason ELSE c.cancel_reason END
    FROM all_of x, clock WHERE c.id = ANY (ARRAY(SELECT id FROM all_of)) AND c.id = x.id AND c.state IN ('queued', 'claimed', 'waiting') RETURNING c.*),
touched AS (SELECT ${TOUCHED} FROM u)
SELECT id, ${afterwards("touched", wakes)} FROM u`),
    states: make("SELECT id, state FROM rpc_command WHERE id = ANY ($1::bigint[])"),
  };
}

/** Two statements: a row that ended between the first one's look and its lock would be told as it was. */
export async function cancelCommands(
  session: Session,
  { cancel, states }: CancelStatements,
  cancels: readonly Cancel[],
): Promise<(Cancelled | RpcError)[]> {
  const sound = cancels.filter(({ id }) => isId(id));
  if (sound.length === 0) return cancels.map(({ id }) => noCommandError(id));
  const ids = sound.map(({ id }) => id);
  const before = await session.rows(states, [ids]);
  await session.rows(cancel, [ids, sound.map(({ reason }) => reason ?? null)]);
  const after = new Map((await session.rows(states, [ids])) as readonly [number, CommandState][]);
  const known = new Set(before.map(([id]) => id));
  return cancels.map(({ id }) => {
    const state = after.get(id);
    if (state !== undefined) return { state };
    // Gone in between: it was a notification, which leaves nothing behind.
    return known.has(id) ? { state: "cancelled" } : noCommandError(id);
  });
}
