import { RpcError } from "@rpc/core";
import { durationFault } from "../store/checked-command.ts";
import { fencedError, noAddressError } from "../store/store-errors.ts";
import type { AgentRef, Claim, Claimed, ClaimRequest } from "../store/store-words.ts";
import type { Row, Session, Statement } from "./connections.ts";
import { isConnectionLost, isUniqueViolation } from "./status.ts";

const MAX_ROUNDS = 10;
const MAX_CLAIMS = 1000;
/** Delayed commands that are moved to the ready ones at once: bounds how long it takes when very many fall due together. */
const MAX_DUE = 1000;

export interface ClaimStatements {
  /** Where no command has an ordering key, or is for this agent alone. Most addresses know neither, and to begin the other takes as long again. */
  readonly plain: Statement;
  /** Addresses, each with an agent, that had such commands at the last look. */
  readonly special: Set<string>;
  readonly claim: Statement;
  /** The first of each ordering key, going from key to key: where there are too many that wait behind the first of theirs. */
  readonly firsts: Statement;
  /** Moves what has fallen due to the ready ones. A statement of its own: none sees what another part of it has changed. */
  readonly due: Statement;
}

/** Commands with an ordering key at which a claim looks one by one. What it has not found among them it looks for key by key. */
const NEAR = 128;

const DUE = `q.not_before <= (SELECT now FROM who) AND (q.expires_at IS NULL OR q.expires_at > (SELECT now FROM who))`;
/** What is for one agent alone, or has a key: by the words of its index. `target`: the empty text is nobody's name. */
const special = (
  address: string,
  target: string,
  isKeyed: 0 | 1,
): string => `q.address_id = ${address} AND coalesce(q.target_agent, '') = ${target}
     AND (CASE WHEN q.ordering_key IS NULL THEN 0 ELSE 1 END) = ${isKeyed} AND q.state = 'queued' AND NOT q.delayed
     AND (q.ordering_key IS NOT NULL OR q.target_agent IS NOT NULL)`;
// Not the difference of two instants: before version 17 the server cannot tell it from one that never comes, which somebody else may have written.
const DUE_MS = `(date_part('epoch', (SELECT min(d.not_before) FROM rpc_command d
           WHERE d.address_id = who.id AND d.state = 'queued' AND d.delayed)) - date_part('epoch', who.now)) * 1000`;
const READY = `q.state = 'queued' AND NOT q.delayed AND q.ordering_key IS NULL AND q.target_agent IS NULL AND ${DUE}
   ORDER BY q.priority DESC, q.id LIMIT $2::int FOR UPDATE OF q SKIP LOCKED`;
// Not as NOT EXISTS, of which the planner makes a join that reads all that is claimed.
const NONE_CLAIMED = `(SELECT o.id FROM rpc_command o
  WHERE o.address_id = q.address_id AND o.ordering_key = q.ordering_key AND coalesce(o.target_agent, '') = coalesce(q.target_agent, '')
    AND o.state = 'claimed' AND o.ordering_key IS NOT NULL LIMIT 1) IS NULL`;

const nextKey = (target: string, after: string): string => `(SELECT o.ordering_key FROM rpc_command o
  WHERE o.address_id = (SELECT id FROM who JOIN live ON live.address_id = id WHERE NOT paused) AND coalesce(o.target_agent, '') = ${target}
    AND o.state = 'queued' AND o.ordering_key IS NOT NULL${after} ORDER BY o.ordering_key LIMIT 1)`;
const KEYS = `WITH RECURSIVE k(target, ordering_key) AS (
    SELECT target, ${nextKey("target", "")} FROM unnest(ARRAY['', $3::text]) AS t(target)
    UNION ALL SELECT k.target, ${nextKey("k.target", " AND o.ordering_key > k.ordering_key")} FROM k WHERE k.ordering_key IS NOT NULL)
  SELECT * FROM k WHERE ordering_key IS NOT NULL`;

const claimText = (found: string, told: string): string => `WITH who AS MATERIALIZED (
  SELECT a.id, a.paused, (SELECT clock_timestamp()) AS now, left(gen_random_uuid()::text, 24) AS salt FROM rpc_address a WHERE a.name = $1),
live AS MATERIALIZED (
  SELECT g.address_id FROM rpc_agent g WHERE g.address_id = (SELECT id FROM who) AND g.name = $3 AND g.incarnation = $4 FOR KEY SHARE),
${found},
u AS (
  UPDATE rpc_command r SET state = 'claimed', attempts = least(r.attempts + 1, 32767), claimed_at = who.now,
         claim_token = (who.salt || lpad(to_hex(r.id), 12, '0'))::uuid,
         lease_until = who.now + $5::float8 * interval '1 ms', agent_name = $3, agent_incarnation = $4,
         last_batch = 0
    FROM who WHERE r.id = ANY (ARRAY(SELECT id FROM c))
  RETURNING r.id, r.claim_token, r.method, r.args, r.kwargs, r.meta, r.attempts, r.max_attempts, r.priority, r.ordering_key, r.idempotency_key,
    r.created_by, floor(extract(epoch FROM r.created_at) * 1000), CASE WHEN isfinite(r.expires_at) THEN extract(epoch FROM r.expires_at - who.now) * 1000 END, r.notification)
SELECT EXISTS (SELECT 1 FROM live), ${told}, u.* FROM who LEFT JOIN u ON true`;

/**
 * The traps of it: a plain `IN (SELECT … LIMIT … FOR UPDATE)` may be evaluated again and takes too many, hence MATERIALIZED. The clock is asked
 * once, in a subquery, or no index could be used for what is due. The lock on the agent makes a new incarnation wait, and find these claims.
 * Rows are updated by a list of ids, here as elsewhere: of a join the planner, who does not know the limit, expects a tenth of the table.
 * A token is random for the claim and has the command's number at its end: to ask for random bytes is a fifth of what a claimed row costs.
 * What is returned is named, here as elsewhere: to copy a row of thirty columns takes as long as to write it.
 * Of two ready rows of one key the second fails the last test; where a row with a lower id has come late, the unique index fails the statement.
 */
export function claimStatements(make: (text: string) => Statement, wakes: boolean): ClaimStatements {
  // What is locked for nothing, others have passed over meanwhile.
  const surplus = `(SELECT count(*) FROM ready) + (SELECT count(*) FROM mine) + (SELECT count(*) FROM keyed) > $2::int`;
  const wake = wakes ? `CASE WHEN ${surplus} THEN rpc_wake(ARRAY['command on: ' || $1::text]) END` : "NULL";
  return {
    special: new Set(),
    plain: make(
      claimText(
        `here AS MATERIALIZED (
  SELECT who.id, (SELECT k.id FROM rpc_command k
           WHERE k.address_id = who.id AND coalesce(k.target_agent, '') = ANY (ARRAY['', $3::text]) AND k.state = 'queued' AND NOT k.delayed
             AND (k.ordering_key IS NOT NULL OR k.target_agent IS NOT NULL) LIMIT 1) IS NOT NULL AS has_special,
         ${DUE_MS} AS due_ms
    FROM who JOIN live ON live.address_id = who.id WHERE NOT paused),
c AS MATERIALIZED (
  SELECT q.id FROM rpc_command q
   WHERE q.address_id = (SELECT id FROM here WHERE NOT has_special AND coalesce(due_ms, 1) > 0) AND ${READY})`,
        "(SELECT due_ms FROM here), coalesce((SELECT has_special FROM here), false), NULL::boolean, NULL",
      ),
    ),
    claim: make(
      claimText(
        `due AS MATERIALIZED (
  SELECT ${DUE_MS} AS ms
    FROM who JOIN live ON live.address_id = who.id WHERE NOT paused),
here AS MATERIALIZED (
  SELECT id FROM who JOIN live ON live.address_id = id WHERE NOT paused AND ($6::boolean OR coalesce((SELECT ms FROM due), 1) > 0)),
ready AS MATERIALIZED (SELECT q.id, q.priority FROM rpc_command q WHERE q.address_id = (SELECT id FROM here) AND ${READY}),
mine AS MATERIALIZED (
  SELECT q.id, q.priority FROM rpc_command q WHERE ${special("(SELECT id FROM here)", "$3", 0)} AND ${DUE}
   ORDER BY q.priority DESC, q.id LIMIT $2::int FOR UPDATE OF q SKIP LOCKED),
near AS MATERIALIZED (
  SELECT found.* FROM unnest(ARRAY['', $3::text]) AS t(target) CROSS JOIN LATERAL (
    SELECT q.id, q.target_agent, q.ordering_key FROM rpc_command q WHERE ${special("(SELECT id FROM here)", "t.target", 1)} AND ${DUE}
     ORDER BY q.priority DESC, q.id LIMIT ${NEAR}) AS found),
keyed AS MATERIALIZED (
  SELECT q.id, q.priority FROM rpc_command q
   WHERE q.id = ANY (ARRAY(SELECT min(id) FROM near GROUP BY target_agent, ordering_key)) AND q.state = 'queued' AND ${NONE_CLAIMED}
     AND (SELECT o.id FROM rpc_command o
       WHERE o.address_id = q.address_id AND coalesce(o.target_agent, '') = coalesce(q.target_agent, '') AND o.ordering_key = q.ordering_key
         AND (o.ordering_key, o.id) < (q.ordering_key, q.id) AND o.state = 'queued' AND o.ordering_key IS NOT NULL
         AND (o.expires_at IS NULL OR o.expires_at > (SELECT now FROM who)) LIMIT 1) IS NULL
   ORDER BY q.priority DESC, q.id LIMIT $2::int FOR UPDATE OF q SKIP LOCKED),
c AS MATERIALIZED (
  SELECT id FROM (SELECT * FROM ready UNION ALL SELECT * FROM mine UNION ALL SELECT * FROM keyed) AS all_kinds ORDER BY priority DESC, id LIMIT $2::int)`,
        `(SELECT ms FROM due), (SELECT count(*) FROM near) >= ${NEAR}, (SELECT count(*) FROM near) + (SELECT count(*) FROM mine) > 0, ${wake}`,
      ),
    ),
    firsts: make(
      claimText(
        `k AS MATERIALIZED (${KEYS}),
c AS MATERIALIZED (
  SELECT q.id FROM rpc_command q
   WHERE q.id = ANY (ARRAY(
           SELECT (SELECT o.id FROM rpc_command o
                    WHERE o.address_id = (SELECT id FROM who) AND coalesce(o.target_agent, '') = k.target AND o.ordering_key = k.ordering_key
                      AND o.state = 'queued' AND o.ordering_key IS NOT NULL
                      AND (o.expires_at IS NULL OR o.expires_at > (SELECT now FROM who))
                    ORDER BY o.ordering_key, o.id LIMIT 1) FROM k))
     AND q.state = 'queued' AND NOT q.delayed AND ${DUE} AND ${NONE_CLAIMED}
   ORDER BY q.priority DESC, q.id LIMIT $2::int FOR UPDATE OF q SKIP LOCKED)`,
        "NULL::float8, false, NULL::boolean, NULL",
      ),
    ),
    due: make(`WITH c AS MATERIALIZED (
  SELECT d.id FROM rpc_command d WHERE d.address_id = (SELECT id FROM rpc_address WHERE name = $1) AND d.state = 'queued' AND d.delayed
     AND d.not_before <= (SELECT clock_timestamp()) ORDER BY d.not_before LIMIT ${MAX_DUE} FOR UPDATE SKIP LOCKED)
UPDATE rpc_command r SET delayed = false WHERE r.id = ANY (ARRAY(SELECT id FROM c))`),
  };
}

type ClaimRow = readonly [
  isLive: boolean,
  dueMs: number | null,
  hasMore: boolean,
  isSpecial: boolean | null,
  woken: number | null,
  id: number | null,
  token: string,
  method: string,
  args: string,
  kwargs: string,
  meta: string,
  attempts: number,
  maxAttempts: number,
  priority: number,
  orderingKey: string | null,
  idempotencyKey: string | null,
  createdBy: string | null,
  createdAt: number,
  remainingMs: number | null,
  notification: boolean,
];

/** One statement, which is a transaction of its own, unless something has fallen due, or keys have backlogs: what one agent meets is not the others' fault. */
export async function claimCommands(
  session: Session,
  statements: ClaimStatements,
  request: ClaimRequest,
): Promise<Claimed | RpcError> {
  const fault = durationFault("leaseMs", request.leaseMs);
  if (fault !== undefined) return fault;
  const max = Math.min(Math.max(0, Math.floor(request.max)), MAX_CLAIMS);
  const { special: places } = statements;
  const place = `${request.agent}\0${request.address}`;
  let found = places.has(place) ? undefined : await claimOnce(session, statements.plain, request, max, []);
  if (found === undefined || (!(found instanceof RpcError) && found.hasMore)) {
    found = await claimOnce(session, statements.claim, request, max, [false]);
    if (!(found instanceof RpcError) && found.isSpecial) places.add(place);
    else places.delete(place);
  }
  if (!(found instanceof RpcError) && found.nextDueMs === 0 && max > 0) {
    await session.rows(statements.due, [request.address]);
    found = await claimOnce(session, statements.claim, request, max, [true]);
  }
  if (found instanceof RpcError) return found;
  const { claims, nextDueMs } = found.hasMore
    ? await withFirsts(session, statements.firsts, request, max, found)
    : found;
  return { claims, nextDueMs: claims.length < max ? nextDueMs : undefined };
}

interface Found extends Claimed {
  /** There are more commands with keys, or for this agent alone, than were looked at. */
  readonly hasMore: boolean;
  /** There were some of these. */
  readonly isSpecial: boolean;
}

async function withFirsts(
  session: Session,
  statement: Statement,
  request: ClaimRequest,
  max: number,
  found: Found,
): Promise<Claimed> {
  const { claims, nextDueMs } = found;
  if (claims.length >= max) return found;
  try {
    const more = await claimOnce(session, statement, request, max - claims.length, []);
    if (more instanceof RpcError) return found;
    return { claims: [...claims, ...more.claims].toSorted(byRank), nextDueMs: more.nextDueMs ?? nextDueMs };
  } catch (thrown) {
    // What is claimed is claimed. After the loss of a connection there may be more of it, for which an agent asks when it hears of the loss.
    if (claims.length > 0 && !isConnectionLost(thrown)) return found;
    throw thrown;
  }
}

/** `nextDueMs`, 0: something has fallen due, and nothing was claimed before it unless that is asked for. */
async function claimOnce(
  session: Session,
  statement: Statement,
  { address, agent, incarnation, leaseMs }: ClaimRequest,
  max: number,
  words: readonly boolean[],
): Promise<Found | RpcError> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    try {
      const rows = await session.rows(statement, [address, max, agent, incarnation, leaseMs, ...words]);
      return answerOf({ address, agent, incarnation }, rows);
    } catch (thrown) {
      if (!isUniqueViolation(thrown)) throw thrown;
    }
  }
  // Others take the keys faster than we see them go.
  return { claims: [], nextDueMs: 10, hasMore: false, isSpecial: true };
}

function answerOf(agent: AgentRef, rows: readonly Row[]): Found | RpcError {
  // The type of a row is what the statement selects.
  const found = rows as unknown as readonly ClaimRow[];
  const [first] = found;
  if (first === undefined) return noAddressError(agent.address);
  const [isLive, dueMs, hasMore, isSpecial] = first;
  if (!isLive) return fencedError(agent);
  // RETURNING gives no order.
  const claims = found.flatMap(toClaim).toSorted(byRank);
  return {
    claims,
    nextDueMs: dueMs === null || dueMs === Infinity ? undefined : Math.max(0, Math.ceil(dueMs)),
    hasMore,
    isSpecial: isSpecial === true,
  };
}

function byRank(one: Claim, other: Claim): number {
  return other.priority - one.priority || one.id - other.id;
}

function toClaim(row: ClaimRow): Claim[] {
  const [, , , , , id, token, method, args, kwargs, meta, attempt, maxAttempts, priority] = row;
  if (id === null) return [];
  const [orderingKey, idempotencyKey, createdBy, createdAt, remainingMs, notification] = row.slice(14) as unknown as [
    string | null,
    string | null,
    string | null,
    number,
    number | null,
    boolean,
  ];
  return [
    {
      id,
      token,
      method,
      args,
      kwargs,
      meta,
      attempt,
      maxAttempts,
      priority,
      orderingKey: orderingKey ?? undefined,
      idempotencyKey: idempotencyKey ?? undefined,
      createdBy: createdBy ?? undefined,
      createdAt,
      remainingMs: remainingMs ?? undefined,
      notification,
    },
  ];
}
