import type { RpcError } from "@rpc/core";
import { noCommandError } from "../store/store-errors.ts";
import type { Cancel, Cancelled, ClaimRef, CommandState } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { afterwards, outcomeError, TOUCHED } from "./ending.ts";
import { busyStatement, LOCK_WAIT_MS, patience, withoutLocked } from "./row-locks.ts";
import { isId } from "./settle.ts";

export interface CancelStatements {
  readonly cancel: Statement;
  /** The same for a transaction of the caller's own, which waits for as long as the caller has it wait. */
  readonly cancelWithin: Statement;
  readonly states: Statement;
  readonly asked: Statement;
  readonly busy: Statement;
}

// Locked before anything is changed: copies before their broadcast, each in the order of their ids, as whoever answers for copies locks them. An
// UPDATE alone would take them in the order of its plan. The first reason stays: it is the one that the agent may have been told.
export function cancelStatements(make: (text: string) => Statement, wakes: boolean): CancelStatements {
  const cancel = (now: string): Statement =>
    make(`WITH x AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::text[]) AS t(id, reason)),
all_of AS MATERIALIZED (
  SELECT DISTINCT ON (is_broadcast, id) id, reason, is_broadcast FROM (
    SELECT c.id, x.reason, false AS is_broadcast FROM x JOIN rpc_command c ON c.parent_id = x.id
    UNION ALL
    SELECT c.id, x.reason, c.state = 'waiting' FROM x JOIN rpc_command c ON c.id = x.id) AS each_one ORDER BY is_broadcast, id),
clock AS MATERIALIZED (SELECT ${now}),
locked AS MATERIALIZED (
  SELECT c.id, clock.now FROM clock, all_of x JOIN rpc_command c ON c.id = x.id ORDER BY x.is_broadcast, c.id FOR UPDATE OF c),
u AS (
  UPDATE rpc_command c SET
    state = CASE WHEN c.state = 'queued' THEN 'cancelled' ELSE c.state END,
    finished_at = CASE WHEN c.state = 'queued' THEN clock.now END,
    error = CASE WHEN c.state = 'queued' THEN ${outcomeError("CANCELLED", "c.attempts > 0")} ELSE c.error END,
    cancel_requested_at = coalesce(c.cancel_requested_at, clock.now),
    cancel_reason = CASE WHEN c.cancel_requested_at IS NULL THEN x.reason ELSE c.cancel_reason END
    FROM all_of x, clock WHERE c.id = ANY (ARRAY(SELECT id FROM locked)) AND c.id = x.id AND c.state IN ('queued', 'claimed', 'waiting') RETURNING c.*),
touched AS (SELECT ${TOUCHED} FROM u)
SELECT id, ${afterwards("touched", wakes)} FROM u`);
  return {
    cancel: cancel(`clock_timestamp() AS now, ${patience(LOCK_WAIT_MS)}`),
    cancelWithin: cancel("clock_timestamp() AS now"),
    busy: busyStatement(make),
    states: make("SELECT id, state FROM rpc_command WHERE id = ANY ($1::bigint[])"),
    asked: make(`SELECT id, claim_token, coalesce(cancel_reason, '') FROM rpc_command
 WHERE id = ANY ($1::bigint[]) AND (state || '') = 'claimed' AND cancel_requested_at IS NOT NULL`),
  };
}

/** Two statements: a row that ended between the first one's look and its lock would be told as it was. */
export function cancelCommands(
  session: Session,
  statements: CancelStatements,
  cancels: readonly Cancel[],
): Promise<(Cancelled | RpcError)[]> {
  const { cancel, states, busy } = statements;
  return withoutLocked(session, busy, cancels, (free) => cancelWith(session, cancel, states, free));
}

export function cancelWithin(
  session: Session,
  { cancelWithin: cancel, states }: CancelStatements,
  cancels: readonly Cancel[],
): Promise<(Cancelled | RpcError)[]> {
  return cancelWith(session, cancel, states, cancels);
}

export async function cancellations(
  session: Session,
  { asked }: CancelStatements,
  claims: readonly ClaimRef[],
): Promise<(string | undefined)[]> {
  const rows = await session.rows(asked, [claims.map(({ id }) => id).filter(isId)]);
  const found = rows as readonly (readonly [number, string, string])[];
  const reasons = new Map(found.map(([id, token, reason]) => [`${id} ${token}`, reason]));
  return claims.map(({ id, token }) => reasons.get(`${id} ${token}`));
}

async function cancelWith(
  session: Session,
  cancel: Statement,
  states: Statement,
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
