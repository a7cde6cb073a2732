import { NEWEST_ENDED } from "../store/newest-ended.ts";
import type { Percentiles, QueueStats } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";

const WINDOW_MS = 300_000;

// A command that was queued again, and then ended without another claim, has waited for none: hence the two tests of claimed_at.
export function statsStatement(make: (text: string) => Statement): Statement {
  const spread = (name: string): string =>
    `percentile_disc(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (ORDER BY ${name}_ms) FILTER (WHERE ${name}_ms >= 0)`;
  // Each is the condition of an index.
  const parts = [
    "state = 'queued' AND NOT delayed AND ordering_key IS NULL AND target_agent IS NULL",
    "state = 'queued' AND NOT delayed AND (ordering_key IS NOT NULL OR target_agent IS NOT NULL)",
    "state = 'queued' AND delayed",
    "state = 'waiting'",
  ];
  const { ofEach, ofAll, least } = NEWEST_ENDED;
  return make(`WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
asked AS MATERIALIZED (SELECT id FROM rpc_address WHERE $1::text IS NULL OR name = $1),
claimed AS (SELECT address_id, count(*) AS count FROM rpc_command WHERE state = 'claimed' GROUP BY address_id),
live AS (
  SELECT a.id AS address_id, each_one.* FROM asked a CROSS JOIN clock CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'queued' AND not_before <= now) AS ready,
           count(*) FILTER (WHERE state = 'queued' AND not_before > now) AS delayed,
           count(*) FILTER (WHERE state = 'waiting') AS waiting,
           extract(epoch FROM now - min(not_before) FILTER (WHERE state = 'queued' AND not_before <= now AND isfinite(not_before))) * 1000 AS oldest_ms
      FROM (${parts.map((part) => `SELECT state, not_before, expires_at FROM rpc_command WHERE address_id = a.id AND ${part}`).join(" UNION ALL ")}) AS part
     WHERE state = 'waiting' OR expires_at IS NULL OR expires_at > now) AS each_one),
ended AS (
  SELECT a.id AS address_id, e.* FROM asked a CROSS JOIN LATERAL (
    SELECT state, greatest(attempts - 1, 0) AS retries,
           CASE WHEN isfinite(not_before) THEN extract(epoch FROM claimed_at - not_before) * 1000 END AS wait_ms, extract(epoch FROM finished_at - claimed_at) * 1000 AS run_ms
      FROM rpc_command WHERE address_id = a.id AND finished_at >= (SELECT now FROM clock) - $2::float8 * interval '1 ms' AND finished_at IS NOT NULL
     ORDER BY finished_at DESC
     LIMIT (SELECT greatest(${least}, least(${ofEach}, ${ofAll} / greatest(count(*), 1))) FROM asked)) AS e),
sums AS (
  SELECT address_id, count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'failed') AS failed,
         count(*) FILTER (WHERE state = 'expired') AS expired, count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
         sum(retries) AS retries, array_to_json(${spread("wait")})::text AS waits, array_to_json(${spread("run")})::text AS runs
    FROM ended GROUP BY address_id)
SELECT a.name, a.paused, coalesce(l.ready, 0), coalesce(l.delayed, 0), coalesce(c.count, 0), coalesce(l.waiting, 0), l.oldest_ms,
       (SELECT count(*) FROM rpc_agent g WHERE g.address_id = a.id), coalesce(s.done, 0), coalesce(s.failed, 0), coalesce(s.expired, 0),
       coalesce(s.cancelled, 0), coalesce(s.retries, 0), s.waits, s.runs
  FROM rpc_address a LEFT JOIN live l ON l.address_id = a.id LEFT JOIN claimed c ON c.address_id = a.id LEFT JOIN sums s ON s.address_id = a.id
 WHERE $1::text IS NULL OR a.name = $1 ORDER BY a.name COLLATE "C"`);
}

type StoredStats = readonly [
  address: string,
  paused: boolean,
  ready: number,
  delayed: number,
  claimed: number,
  waiting: number,
  oldestMs: number | null,
  agents: number,
  done: number,
  failed: number,
  expired: number,
  cancelled: number,
  retries: number,
  waits: string | null,
  runs: string | null,
];

export async function readStats(
  session: Session,
  statement: Statement,
  options: { readonly address?: string | undefined; readonly windowMs?: number | undefined },
): Promise<QueueStats[]> {
  const rows = await session.rows(statement, [options.address ?? null, options.windowMs ?? WINDOW_MS]);
  return (rows as unknown as readonly StoredStats[]).map((row) => ({
    address: row[0],
    paused: row[1],
    readyCount: row[2],
    delayedCount: row[3],
    claimedCount: row[4],
    waitingCount: row[5],
    oldestReadyMs: row[6] === null ? undefined : Math.max(0, row[6]),
    agentCount: row[7],
    finished: {
      done: row[8],
      failed: row[9],
      expired: row[10],
      cancelled: row[11],
      retries: row[12],
      waitMs: percentiles(row[13]),
      runMs: percentiles(row[14]),
    },
  }));
}

function percentiles(json: string | null): Percentiles | undefined {
  if (json === null) return undefined;
  const [p50 = 0, p95 = 0, max = 0] = JSON.parse(json) as number[];
  return { p50, p95, max };
}
