import type { RpcError } from "@rpc/core";
import { durationFault } from "../store/checked-command.ts";
import { fencedError, noAddressError } from "../store/store-errors.ts";
import type { Claim, Claimed, ClaimRequest } from "../store/store-words.ts";
import { findAddress } from "./addresses.ts";
import { type Held, HELD_COLUMNS, release } from "./settle.ts";
import type { Work } from "./work.ts";

/** Delayed commands that one claim moves to the ready ones: bounds how long it takes when very many fall due at once. */
const MAX_DUE = 1000;

const DUE = `UPDATE rpc_command SET delayed = 0 WHERE id IN (
  SELECT id FROM rpc_command WHERE address_id = ? AND state = 'queued' AND delayed = 1 AND not_before <= ? ORDER BY not_before LIMIT ${MAX_DUE})`;

/** A program of somebody else's may have written larger integers than a number holds, and none of them is to stop the others' claims. */
const LARGEST = 8_640_000_000_000_000;

/** Commands with an ordering key at which a claim looks one by one. What it has not found among them it looks for key by key. */
const NEAR = 128;

const UNEXPIRED = "(q.expires_at IS NULL OR q.expires_at > ?1)";
const NONE_CLAIMED = `NOT EXISTS (SELECT 1 FROM rpc_command o
  WHERE o.address_id = ?5 AND o.ordering_key = q.ordering_key AND coalesce(o.target_agent, '') = coalesce(q.target_agent, '')
    AND o.state = 'claimed' AND o.ordering_key IS NOT NULL)`;

const READY = `SELECT q.id, q.priority FROM rpc_command q
  WHERE q.address_id = ?5 AND q.state = 'queued' AND q.delayed = 0 AND q.ordering_key IS NULL AND q.target_agent IS NULL AND ${UNEXPIRED}
  ORDER BY q.priority DESC, q.id LIMIT ?6`;

/** What is for one agent alone, or has a key: by the words of its index. `target`: the empty text is nobody's name. */
const special = (
  target: string,
  isKeyed: 0 | 1,
): string => `q.address_id = ?5 AND coalesce(q.target_agent, '') = ${target}
    AND (CASE WHEN q.ordering_key IS NULL THEN 0 ELSE 1 END) = ${isKeyed} AND q.state = 'queued' AND q.delayed = 0
    AND (q.ordering_key IS NOT NULL OR q.target_agent IS NOT NULL)`;

const isThere = (target: string): string => `EXISTS (SELECT 1 FROM rpc_command
  WHERE address_id = ?1 AND coalesce(target_agent, '') = ${target} AND state = 'queued' AND delayed = 0
    AND (ordering_key IS NOT NULL OR target_agent IS NOT NULL))`;
// Not IN: for the list of two a table is made, each time.
const IS_SPECIAL = `SELECT 1 WHERE ${isThere("''")} OR ${isThere("?2")}`;

const IS_KEYED = `SELECT 1 FROM rpc_command
  WHERE address_id = ? AND coalesce(target_agent, '') = ? AND (CASE WHEN ordering_key IS NULL THEN 0 ELSE 1 END) = 1
    AND state = 'queued' AND delayed = 0 AND (ordering_key IS NOT NULL OR target_agent IS NOT NULL) LIMIT 1 OFFSET ?`;

const MINE = `SELECT q.id, q.priority FROM rpc_command q WHERE ${special("?3", 0)} AND ${UNEXPIRED} ORDER BY q.priority DESC, q.id LIMIT ?6`;

const near = (target: string): string => `SELECT * FROM (
  SELECT q.id, q.target_agent, q.ordering_key FROM rpc_command q WHERE ${special(target, 1)} AND ${UNEXPIRED}
   ORDER BY q.priority DESC, q.id LIMIT ${NEAR})`;

// The tests of the ordering key are two, because each has a partial index of its own. Of two ready rows of one key the second fails the
// second test, so that one claim never takes both.
const KEYED = `SELECT q.id, q.priority FROM rpc_command q
  WHERE q.id IN (SELECT min(id) FROM (${near("''")} UNION ALL ${near("?3")}) GROUP BY target_agent, ordering_key)
    AND ${NONE_CLAIMED}
    AND NOT EXISTS (SELECT 1 FROM rpc_command o
      WHERE o.address_id = ?5 AND o.ordering_key = q.ordering_key AND coalesce(o.target_agent, '') = coalesce(q.target_agent, '')
        AND o.id < q.id AND o.state = 'queued' AND o.ordering_key IS NOT NULL AND (o.expires_at IS NULL OR o.expires_at > ?1))
  ORDER BY q.priority DESC, q.id LIMIT ?6`;

const NEXT_KEY = (target: string, after: string): string => `(SELECT ordering_key FROM rpc_command
  WHERE address_id = ?5 AND coalesce(target_agent, '') = ${target} AND state = 'queued' AND ordering_key IS NOT NULL${after}
  ORDER BY ordering_key LIMIT 1)`;

// From one key to the next, and of each the first one alone.
const FIRST_OF_KEYS = `WITH RECURSIVE k(target, ordering_key) AS (
    SELECT '', ${NEXT_KEY("''", "")} UNION ALL SELECT ?3, ${NEXT_KEY("?3", "")}
    UNION ALL SELECT k.target, ${NEXT_KEY("k.target", " AND ordering_key > k.ordering_key")} FROM k WHERE k.ordering_key IS NOT NULL)
  SELECT q.id, q.priority FROM k JOIN rpc_command q ON q.id = (
    SELECT o.id FROM rpc_command o
     WHERE o.address_id = ?5 AND coalesce(o.target_agent, '') = k.target AND o.ordering_key = k.ordering_key AND o.state = 'queued'
       AND o.ordering_key IS NOT NULL AND (o.expires_at IS NULL OR o.expires_at > ?1) ORDER BY o.id LIMIT 1)
  WHERE q.delayed = 0 AND ${NONE_CLAIMED} ORDER BY q.priority DESC, q.id LIMIT ?6`;

const claim = (
  found: string,
): string => `UPDATE rpc_command SET state = 'claimed', attempts = min(attempts, ${LARGEST}) + 1, claimed_at = ?1,
       lease_until = ?1 + ?2, claim_token = lower(hex(randomblob(16))), agent_name = ?3, agent_incarnation = ?4,
       last_batch = 0
 WHERE id IN (SELECT id FROM (${found}))
RETURNING id, claim_token, method, args, kwargs, meta, attempts, min(max_attempts, ${LARGEST}) AS max_attempts,
  max(min(priority, ${LARGEST}), -${LARGEST}) AS priority, ordering_key, idempotency_key, created_by, min(created_at, ${LARGEST}) AS created_at,
  min(expires_at, ${LARGEST}) AS expires_at, notification`;
const CLAIM = claim(READY);
const CLAIM_ALL = claim(
  `SELECT * FROM (${READY}) UNION ALL SELECT * FROM (${MINE}) UNION ALL SELECT * FROM (${KEYED}) ORDER BY priority DESC, id LIMIT ?6`,
);
const CLAIM_FIRSTS = claim(FIRST_OF_KEYS);

const HELD_BY_ME = `SELECT ${HELD_COLUMNS}, claim_token FROM rpc_command
  WHERE state = 'claimed' AND lease_until IS NOT NULL AND address_id = ? AND agent_name = ? AND agent_incarnation = ?`;

const NEXT_DUE = `SELECT not_before FROM rpc_command WHERE address_id = ? AND state = 'queued' AND delayed = 1 ORDER BY not_before LIMIT 1`;

interface StoredClaim {
  readonly id: number;
  readonly claim_token: string;
  readonly method: string;
  readonly args: string;
  readonly kwargs: string;
  readonly meta: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly priority: number;
  readonly ordering_key: string | null;
  readonly idempotency_key: string | null;
  readonly created_by: string | null;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly notification: number;
}

export function claimCommands(work: Work, request: ClaimRequest): Claimed | RpcError {
  const fault = durationFault("leaseMs", request.leaseMs);
  if (fault !== undefined) return fault;
  const { connection } = work;
  const address = findAddress(work, request.address);
  if (address === undefined) return noAddressError(request.address);
  const agent = connection.get<{ incarnation: string }>(
    "SELECT incarnation FROM rpc_agent WHERE address_id = ? AND name = ?",
    address.id,
    request.agent,
  );
  if (agent?.incarnation !== request.incarnation) return fencedError(request);
  if (request.held !== undefined) giveBackLost(work, address.id, request, new Set(request.held));
  // The end of the pause wakes.
  if (address.paused || request.max < 1) return { claims: [], nextDueMs: undefined };
  const now = work.now();
  connection.run(DUE, address.id, now);
  const max = Math.floor(request.max);
  const { agent: name, incarnation } = request;
  const take = (sql: string, count: number): StoredClaim[] =>
    connection.all(sql, now, Math.ceil(request.leaseMs), name, incarnation, address.id, count);
  const isSpecial = connection.get(IS_SPECIAL, address.id, name) !== undefined;
  const rows = take(isSpecial ? CLAIM_ALL : CLAIM, max);
  const isMore = (target: string): boolean =>
    connection.get(IS_KEYED, address.id, target, Math.max(0, NEAR - 1 - rows.length)) !== undefined;
  if (isSpecial && rows.length < max && (isMore("") || isMore(name))) {
    rows.push(...take(CLAIM_FIRSTS, max - rows.length));
  }
  // RETURNING gives no order.
  const claims = rows.toSorted((a, b) => b.priority - a.priority || a.id - b.id).map((row) => toClaim(row, now));
  if (claims.length >= max) return { claims, nextDueMs: undefined };
  const next = connection.get<{ not_before: number }>(NEXT_DUE, address.id);
  return { claims, nextDueMs: next === undefined ? undefined : Math.max(0, next.not_before - now) };
}

/** What this incarnation has claimed and does not hold. */
function giveBackLost(
  work: Work,
  addressId: number,
  { agent, incarnation }: ClaimRequest,
  held: ReadonlySet<string>,
): void {
  const mine = work.connection.all<Held & { readonly claim_token: string | null }>(
    HELD_BY_ME,
    addressId,
    agent,
    incarnation,
  );
  for (const row of mine) if (row.claim_token !== null && !held.has(row.claim_token)) release(work, row);
}

function toClaim(row: StoredClaim, now: number): Claim {
  return {
    id: row.id,
    token: row.claim_token,
    method: row.method,
    args: row.args,
    kwargs: row.kwargs,
    meta: row.meta,
    attempt: row.attempts,
    maxAttempts: row.max_attempts,
    priority: row.priority,
    orderingKey: row.ordering_key ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    createdBy: row.created_by ?? undefined,
    createdAt: row.created_at,
    remainingMs: row.expires_at === null ? undefined : row.expires_at - now,
    notification: row.notification === 1,
  };
}
