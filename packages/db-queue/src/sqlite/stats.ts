import type { FinishedStats, Percentiles, QueueStats } from "../store/store-words.ts";
import { NEWEST_ENDED } from "../store/newest-ended.ts";
import { listAddresses } from "./addresses.ts";
import type { Work } from "./work.ts";

const WINDOW_MS = 300_000;

// One for each of the two indexes that claims walk through.
const READY = (kind: string): string => `SELECT count(*) AS count, min(not_before) AS since FROM rpc_command
  WHERE address_id = ?1 AND state = 'queued' AND delayed = 0 AND (${kind}) AND (expires_at IS NULL OR expires_at > ?2)`;
const READY_FREE = READY("ordering_key IS NULL AND target_agent IS NULL");
const READY_SPECIAL = READY("ordering_key IS NOT NULL OR target_agent IS NOT NULL");
const DELAYED = `SELECT count(*) AS count, coalesce(sum(not_before <= ?2), 0) AS due, min(not_before) AS since FROM rpc_command
  WHERE address_id = ?1 AND state = 'queued' AND delayed = 1`;
const CLAIMED =
  "SELECT address_id, count(*) AS count FROM rpc_command WHERE state = 'claimed' AND lease_until IS NOT NULL GROUP BY address_id";
const WAITING = "SELECT count(*) AS count FROM rpc_command WHERE state = 'waiting' AND address_id = ?";
const AGENTS = "SELECT count(*) AS count FROM rpc_agent WHERE address_id = ?";
const FINISHED = `SELECT state, attempts, claimed_at, not_before, finished_at FROM rpc_command
  WHERE finished_at >= ? AND address_id = ? AND state IN ('done', 'failed', 'expired', 'cancelled') ORDER BY finished_at DESC LIMIT ?`;

interface Finished {
  readonly state: "done" | "failed" | "expired" | "cancelled";
  readonly attempts: number;
  readonly claimed_at: number | null;
  readonly not_before: number;
  readonly finished_at: number;
}

interface Count {
  readonly count: number;
}

interface Ready extends Count {
  readonly since: number | null;
}

export function readStats(work: Work, address: string | undefined, windowMs: number = WINDOW_MS): QueueStats[] {
  const { connection } = work;
  const now = work.now();
  const addresses = listAddresses(work).filter((row) => address === undefined || row.name === address);
  const claimed = new Map(
    connection.all<Count & { readonly address_id: number }>(CLAIMED).map((row) => [row.address_id, row.count]),
  );
  const { ofEach, ofAll, least } = NEWEST_ENDED;
  const newest = Math.max(least, Math.min(ofEach, Math.floor(ofAll / Math.max(1, addresses.length))));
  return addresses.map(({ id, name, paused }) => {
    const free = connection.get<Ready>(READY_FREE, id, now);
    const special = connection.get<Ready>(READY_SPECIAL, id, now);
    const delayed = connection.get<Ready & { readonly due: number }>(DELAYED, id, now);
    const due = delayed?.due ?? 0;
    const since = Math.min(
      free?.since ?? Infinity,
      special?.since ?? Infinity,
      due > 0 ? (delayed?.since ?? Infinity) : Infinity,
    );
    return {
      address: name,
      paused,
      readyCount: (free?.count ?? 0) + (special?.count ?? 0) + due,
      delayedCount: (delayed?.count ?? 0) - due,
      claimedCount: claimed.get(id) ?? 0,
      waitingCount: connection.get<Count>(WAITING, id)?.count ?? 0,
      oldestReadyMs: since === Infinity ? undefined : Math.max(0, now - since),
      agentCount: connection.get<Count>(AGENTS, id)?.count ?? 0,
      finished: finishedStats(connection.all<Finished>(FINISHED, now - windowMs, id, newest)),
    };
  });
}

function finishedStats(rows: readonly Finished[]): FinishedStats {
  const counts = { done: 0, failed: 0, expired: 0, cancelled: 0 };
  let retries = 0;
  const waits: number[] = [];
  const runs: number[] = [];
  for (const row of rows) {
    counts[row.state] += 1;
    retries += Math.max(0, row.attempts - 1);
    if (row.claimed_at === null) continue;
    // A command that was queued again, and then ended without another claim, has waited for none.
    if (row.claimed_at >= row.not_before) waits.push(row.claimed_at - row.not_before);
    if (row.finished_at >= row.claimed_at) runs.push(row.finished_at - row.claimed_at);
  }
  return { ...counts, retries, waitMs: percentiles(waits), runMs: percentiles(runs) };
}

function percentiles(values: readonly number[]): Percentiles | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return sorted.length === 0 ? undefined : { p50: rank(0.5), p95: rank(0.95), max: rank(1) };
}
