import { durationFault } from "../store/checked-command.ts";
import {
  CANCELLED_CLAIMED_ERROR,
  EXPIRED_ERROR,
  EXPIRED_TRIED_ERROR,
  LEASE_LOST_ERROR,
  NO_AGENT_ERROR,
} from "../store/store-errors.ts";
import type { CommandState, Reaped, ReapOptions, Retention } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { afterwards, TOUCHED } from "./ending.ts";

const DAY_MS = 86_400_000;

export interface UpkeepStatements {
  readonly expire: Statement;
  readonly lapse: Statement;
  readonly orphans: Statement;
  readonly stuck: Statement;
  readonly prune: Statement;
}

export function upkeepStatements(make: (text: string) => Statement, wakes: boolean): UpkeepStatements {
  const after = afterwards("touched", wakes);
  return {
    expire: make(`WITH c AS MATERIALIZED (
  SELECT id FROM rpc_command WHERE state = 'queued' AND expires_at <= (SELECT clock_timestamp()) ORDER BY expires_at LIMIT $1::int FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE rpc_command r SET state = 'expired', finished_at = clock_timestamp(),
         error = CASE WHEN attempts = 0 THEN '${EXPIRED_ERROR}'::json ELSE '${EXPIRED_TRIED_ERROR}'::json END
   WHERE r.id = ANY (ARRAY(SELECT id FROM c)) RETURNING r.*),
touched AS (SELECT ${TOUCHED} FROM u)
SELECT state, ${after} FROM u`),
    lapse: make(`WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
c AS MATERIALIZED (
  SELECT id, cancel_requested_at IS NULL AND attempts < max_attempts AND (expires_at IS NULL OR expires_at > (SELECT now FROM clock)) AS again
    FROM rpc_command WHERE state = 'claimed' AND lease_until <= (SELECT now FROM clock) ORDER BY lease_until LIMIT $1::int FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE rpc_command r SET
    state = CASE WHEN c.again THEN 'queued' WHEN r.cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'failed' END,
    not_before = CASE WHEN c.again
      THEN now + least(1000 * power(2::float8, least(r.attempts - 1, 20)), 300000) * (0.5 + random()) * interval '1 ms' ELSE r.not_before END,
    delayed = c.again,
    finished_at = CASE WHEN c.again THEN NULL ELSE now END,
    error = CASE WHEN c.again THEN r.error WHEN r.cancel_requested_at IS NOT NULL THEN '${CANCELLED_CLAIMED_ERROR}'::json
                 ELSE '${LEASE_LOST_ERROR}'::json END,
    lease_until = NULL, claim_token = NULL
    FROM c, clock WHERE r.id = ANY (ARRAY(SELECT id FROM c)) AND r.id = c.id RETURNING r.*),
touched AS (SELECT ${TOUCHED} FROM u)
SELECT state, ${after} FROM u`),
    orphans: make(`WITH c AS MATERIALIZED (
  SELECT id FROM rpc_command c WHERE parent_id IS NOT NULL AND state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM rpc_agent g WHERE g.address_id = c.address_id AND g.name = c.target_agent
       AND g.last_seen > clock_timestamp() - $2::float8 * interval '1 ms')
   LIMIT $1::int FOR UPDATE OF c SKIP LOCKED),
u AS (
  UPDATE rpc_command r SET state = 'failed', finished_at = clock_timestamp(), error = '${NO_AGENT_ERROR}'::json WHERE r.id = ANY (ARRAY(SELECT id FROM c))
  RETURNING r.*),
touched AS (SELECT ${TOUCHED} FROM u)
SELECT state, ${after} FROM u`),
    // Copies that were ended, or deleted, by hand.
    stuck: make(`SELECT rpc_command_ended('{}', array_agg(id), ${String(wakes)}) FROM (
  SELECT id FROM rpc_command p WHERE state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM rpc_command c WHERE c.parent_id = p.id AND c.state IN ('queued', 'claimed')) LIMIT $1::int) AS found HAVING count(*) > 0`),
    // Of one state, as each has its time. The clock is asked once, in a subquery, or all that has ended later would be walked through as well.
    // Copies go with their broadcast: its result names them.
    prune: make(`WITH c AS MATERIALIZED (
  SELECT id FROM rpc_command WHERE state = $1 AND finished_at <= (SELECT clock_timestamp()) - $2::float8 * interval '1 ms' AND parent_id IS NULL
   ORDER BY finished_at LIMIT $3::int FOR UPDATE SKIP LOCKED),
gone AS (DELETE FROM rpc_command r WHERE r.id = ANY (ARRAY(SELECT id FROM c)) RETURNING r.id)
SELECT count(*) FROM gone`),
  };
}

export async function reap(session: Session, statements: UpkeepStatements, options: ReapOptions): Promise<Reaped> {
  const limit = limitOf(options.limit);
  const expired = await session.rows(statements.expire, [limit]);
  const lapsed = (await session.rows(statements.lapse, [limit])) as readonly (readonly [CommandState])[];
  const orphans =
    options.agentLostMs === undefined ? [] : await session.rows(statements.orphans, [limit, options.agentLostMs]);
  await session.rows(statements.stuck, [limit]);
  const count = (state: CommandState): number => lapsed.filter((row) => row[0] === state).length;
  return {
    expired: expired.length,
    requeued: count("queued"),
    failed: count("failed") + orphans.length,
    cancelled: count("cancelled"),
    more: Math.max(expired.length, lapsed.length, orphans.length) >= limit,
  };
}

export async function prune(session: Session, statements: UpkeepStatements, retention: Retention): Promise<number> {
  const doneMs = retention.doneMs ?? 7 * DAY_MS;
  const othersMs = retention.othersMs ?? 30 * DAY_MS;
  const fault = durationFault("doneMs", doneMs) ?? durationFault("othersMs", othersMs);
  if (fault !== undefined) throw fault;
  const limit = limitOf(retention.limit);
  let count = 0;
  for (const state of ["done", "failed", "expired", "cancelled"]) {
    if (count >= limit) break;
    const rows = await session.rows(statements.prune, [state, state === "done" ? doneMs : othersMs, limit - count]);
    count += (rows as readonly (readonly [number])[])[0]?.[0] ?? 0;
  }
  return count;
}

function limitOf(limit: number | undefined): number {
  return Math.min(Math.max(1, Math.floor(limit ?? 500)), 10_000);
}
