import { durationFault } from "../store/checked-command.ts";
import { retryDelayMs } from "../store/retry-delay.ts";
import {
  CANCELLED_CLAIMED_ERROR,
  EXPIRED_ERROR,
  EXPIRED_TRIED_ERROR,
  LEASE_LOST_ERROR,
  NO_AGENT_ERROR,
} from "../store/store-errors.ts";
import type { Reaped, ReapOptions, Retention } from "../store/store-words.ts";
import { ENDABLE, type Endable, endCommand } from "./ending.ts";
import { canRunAgain, type Held, queueAgain } from "./settle.ts";
import type { Work } from "./work.ts";

const DAY_MS = 86_400_000;

const EXPIRED = `SELECT ${ENDABLE}, attempts FROM rpc_command WHERE state = 'queued' AND expires_at <= ? ORDER BY expires_at LIMIT ?`;

const LAPSED = `SELECT ${ENDABLE}, attempts, max_attempts, expires_at, not_before, cancel_requested_at FROM rpc_command
  WHERE state = 'claimed' AND lease_until <= ? ORDER BY lease_until LIMIT ?`;

// By the index of queued copies: that of all copies, which SQLite takes for shorter, has all that ever ended.
const ORPHANED = `SELECT ${ENDABLE} FROM rpc_command c INDEXED BY rpc_command_copies
  WHERE address_id > 0 AND parent_id IS NOT NULL AND state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM rpc_agent g WHERE g.address_id = c.address_id AND g.name = c.target_agent AND g.last_seen > ?) LIMIT ?`;

export function reap(work: Work, options: ReapOptions): Reaped {
  const { connection } = work;
  const limit = Math.max(1, Math.floor(options.limit ?? 500));
  const now = work.now();
  const count = { requeued: 0, failed: 0, cancelled: 0 };

  const expired = connection.all<Endable & { readonly attempts: number }>(EXPIRED, now, limit);
  for (const row of expired) {
    endCommand(work, row, "expired", { error: row.attempts === 0 ? EXPIRED_ERROR : EXPIRED_TRIED_ERROR });
  }

  const lapsed = connection.all<Held>(LAPSED, now, limit);
  for (const row of lapsed) {
    if (canRunAgain(row, now)) {
      queueAgain(work, row, { delayMs: retryDelayMs(row.attempts, work.random), error: null });
      count.requeued += 1;
    } else if (row.cancel_requested_at === null) {
      endCommand(work, row, "failed", { error: LEASE_LOST_ERROR });
      count.failed += 1;
    } else {
      endCommand(work, row, "cancelled", { error: CANCELLED_CLAIMED_ERROR });
      count.cancelled += 1;
    }
  }

  const orphaned =
    options.agentLostMs === undefined ? [] : connection.all<Endable>(ORPHANED, now - options.agentLostMs, limit);
  for (const row of orphaned) endCommand(work, row, "failed", { error: NO_AGENT_ERROR });

  return {
    expired: expired.length,
    requeued: count.requeued,
    failed: count.failed + orphaned.length,
    cancelled: count.cancelled,
    more: Math.max(expired.length, lapsed.length, orphaned.length) >= limit,
  };
}

// Of one state, as each has its time. Copies go with their broadcast: its result names them.
const PRUNE = `DELETE FROM rpc_command WHERE id IN (
  SELECT id FROM rpc_command WHERE state = ? AND finished_at <= ? AND parent_id IS NULL ORDER BY finished_at LIMIT ?)`;

export function prune(work: Work, retention: Retention): number {
  const doneMs = retention.doneMs ?? 7 * DAY_MS;
  const othersMs = retention.othersMs ?? 30 * DAY_MS;
  const fault = durationFault("doneMs", doneMs) ?? durationFault("othersMs", othersMs);
  if (fault !== undefined) throw fault;
  const limit = Math.max(1, Math.floor(retention.limit ?? 500));
  const now = work.now();
  let count = 0;
  for (const state of ["done", "failed", "expired", "cancelled"]) {
    if (count >= limit) break;
    count += work.connection.run(PRUNE, state, now - (state === "done" ? doneMs : othersMs), limit - count);
  }
  return count;
}
