import type { RpcError } from "@rpc/core";
import { durationFault } from "../store/checked-command.ts";
import { leaseLostError } from "../store/store-errors.ts";
import type {
  Answer,
  Appended,
  CommandState,
  EventBatch,
  Extended,
  LeaseExtension,
  Settled,
} from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { afterwards, outcomeError, TOUCHED } from "./ending.ts";
import { busyStatement, LOCK_WAIT_MS, patience, withoutLocked } from "./row-locks.ts";

export interface SettleStatements {
  /** A result alone, as most answers are where little happens: to begin a statement with lists in it takes longer than to write a row. */
  readonly one: Statement;
  readonly settle: Statement;
  readonly settled: Statement;
  readonly extend: Statement;
  readonly append: Statement;
  readonly busy: Statement;
}

const AGAIN = `(x.retryable AND c.cancel_requested_at IS NULL AND c.attempts < c.max_attempts
      AND (c.expires_at IS NULL OR c.expires_at > clock.now))`;
const GIVEN_BACK = "(x.is_released AND c.cancel_requested_at IS NULL)";
// Not as a plain test of the state: that would offer the planner the index of leases, which it takes for short when it was so a minute ago, and
// compares each of its rows with each of the list.
const HELD = "c.claim_token = x.token AND (c.state || '') = 'claimed'";
// The exponent is bounded, because power() fails beyond 2^1024, and with it the whole statement.
const REST_MS =
  "coalesce(x.delay_ms, least(1000 * power(2::float8, least(c.attempts - 1, 20)), 300000) * (0.5 + random()))";

export function settleStatements(
  make: (text: string) => Statement,
  wakeOne: ((topic: string) => string) | undefined,
  wakesForEvents: boolean,
): SettleStatements {
  const wakes = wakeOne !== undefined;
  const woken =
    wakeOne === undefined
      ? "NULL"
      : `${wakeOne("'result of: ' || c.id")}, CASE WHEN c.ordering_key IS NOT NULL THEN (
    SELECT ${wakeOne("'command on: ' || a.name")} FROM rpc_address a WHERE a.id = c.address_id) END`;
  return {
    // Not for copies and notifications, which have more to do at their end. The next one of its key can start now.
    one: make(`UPDATE rpc_command c SET state = 'done', delayed = false, finished_at = clock_timestamp(), lease_until = NULL, result = $3::json,
       error = NULL
 WHERE c.id = $1::bigint AND c.claim_token = $2::uuid AND (c.state || '') = 'claimed' AND c.parent_id IS NULL AND NOT c.notification
   AND ${patience(LOCK_WAIT_MS)} IS NOT NULL
RETURNING ${woken}`),
    settle: make(`WITH x AS MATERIALIZED (
  SELECT *, outcome = 'released' AS is_released FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::json[], $5::json[], $6::boolean[], $7::float8[])
    WITH ORDINALITY AS t(id, token, outcome, result, error, retryable, delay_ms, n)),
clock AS MATERIALIZED (SELECT clock_timestamp() AS now, ${patience(LOCK_WAIT_MS)}),
u AS (
  UPDATE rpc_command c SET
    state = CASE WHEN ${AGAIN} OR ${GIVEN_BACK} THEN 'queued' WHEN x.is_released THEN 'cancelled' ELSE x.outcome END,
    attempts = CASE WHEN ${GIVEN_BACK} THEN greatest(c.attempts - 1, 0) ELSE c.attempts END,
    not_before = CASE WHEN ${AGAIN} THEN clock.now + ${REST_MS} * interval '1 ms' ELSE c.not_before END,
    delayed = ${AGAIN} AND coalesce(x.delay_ms, 1) > 0,
    claim_token = CASE WHEN ${AGAIN} OR ${GIVEN_BACK} THEN NULL ELSE c.claim_token END,
    finished_at = CASE WHEN ${AGAIN} OR ${GIVEN_BACK} THEN NULL ELSE clock.now END,
    lease_until = NULL,
    result = x.result,
    error = CASE WHEN x.outcome = 'done' THEN NULL WHEN ${GIVEN_BACK} THEN c.error
                 WHEN x.is_released THEN ${outcomeError("CANCELLED", "c.attempts > 1")} ELSE x.error END
    FROM x, clock
   WHERE c.id = x.id AND ${HELD}
  RETURNING ${TOUCHED.replaceAll(/\w+/g, "c.$&")}, x.n, CASE WHEN c.state <> 'queued' THEN NULL WHEN x.is_released THEN 0
    ELSE extract(epoch FROM c.not_before - clock.now) * 1000 END AS rest_ms)
SELECT n, state, rest_ms, ${afterwards("u", wakes)} FROM u`),
    settled: make(`SELECT x.n, c.state FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS x(id, token, n)
  LEFT JOIN rpc_command c ON c.id = x.id WHERE c.id IS NULL OR (c.claim_token = x.token AND c.finished_at IS NOT NULL)`),
    extend: make(`WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', $4, true))
UPDATE rpc_command c SET lease_until = clock_timestamp() + x.lease_ms * interval '1 ms'
  FROM patience, unnest($1::bigint[], $2::uuid[], $3::float8[]) AS x(id, token, lease_ms)
 WHERE c.id = x.id AND ${HELD}
RETURNING c.id, c.claim_token, floor(extract(epoch FROM c.lease_until) * 1000),
  CASE WHEN c.cancel_requested_at IS NOT NULL THEN coalesce(c.cancel_reason, '') END`),
    // The row counts its events and batches, and is locked before it is looked at: of two appends at once the second one waits for the first, and
    // goes on where that has ended.
    append: make(`WITH patience AS MATERIALIZED (SELECT ${patience(LOCK_WAIT_MS)}),
b AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS t(id, token, n)),
e AS MATERIALIZED (SELECT * FROM unnest($3::int[], $4::int[], $5::text[], $6::json[]) WITH ORDINALITY AS t(n, batch, kind, data, place)),
held AS MATERIALIZED (
  SELECT x.n, c.id, c.last_event, c.last_batch FROM patience, b AS x, rpc_command c WHERE c.id = x.id AND ${HELD} FOR UPDATE OF c),
fresh AS MATERIALIZED (
  SELECT h.id, h.last_event + row_number() OVER (PARTITION BY h.n ORDER BY e.place) AS seq, e.batch, e.kind, e.data
    FROM held h JOIN e ON e.n = h.n WHERE e.batch IS NULL OR e.batch > h.last_batch),
made AS (INSERT INTO rpc_command_event (command_id, seq, kind, data) SELECT id, seq, kind, data FROM fresh),
u AS (
  UPDATE rpc_command c SET last_event = x.seq, last_batch = coalesce(x.batch, c.last_batch), progress = coalesce(x.progress, c.progress)
    FROM (SELECT id, max(seq) AS seq, max(batch) AS batch, (array_agg(data ORDER BY seq DESC) FILTER (WHERE kind = 'progress'))[1] AS progress
            FROM fresh GROUP BY id) AS x
   WHERE c.id = x.id RETURNING c.id)
SELECT n, last_event, last_batch${wakesForEvents ? ", (SELECT rpc_wake(array_agg('events of: ' || id)) FROM u HAVING count(*) > 0)" : ""} FROM held`),
    busy: busyStatement(make),
  };
}

/** Known ids only; a number that PostgreSQL has no bigint for is nobody's. */
export function isId(id: number): boolean {
  return Number.isSafeInteger(id) && id > 0;
}

/** As the database writes it; any other text is nobody's token. */
const TOKEN = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isToken(token: string): boolean {
  return TOKEN.test(token);
}

function isClaim({ id, token }: { readonly id: number; readonly token: string }): boolean {
  return isId(id) && isToken(token);
}

/** `isRepeat`: the same was asked for before, on a connection that was lost; what it has done is no lost lease. */
export function settleClaims(
  session: Session,
  statements: SettleStatements,
  answers: readonly Answer[],
  isRepeat: boolean,
): Promise<(Settled | RpcError)[]> {
  return withoutLocked(session, statements.busy, answers, (free) => settleFree(session, statements, free, isRepeat));
}

async function settleFree(
  session: Session,
  { one: settleOne, settle, settled: settledBefore }: SettleStatements,
  answers: readonly Answer[],
  isRepeat: boolean,
): Promise<(Settled | RpcError)[]> {
  const [only] = answers.length === 1 ? answers : [];
  if (only?.outcome === "done" && isClaim(only)) {
    const rows = await session.rows(settleOne, [only.id, only.token, only.result]);
    if (rows.length > 0) return [{ state: "done", delayMs: undefined }];
  }
  const settled: (Settled | RpcError | undefined)[] = answers.map((answer) =>
    answer.outcome === "failed" && answer.retryDelayMs !== undefined
      ? durationFault("retryDelayMs", answer.retryDelayMs)
      : undefined,
  );
  const sound = answers.flatMap((answer, index) =>
    settled[index] === undefined && isClaim(answer) ? [{ answer, index }] : [],
  );
  // In one order everywhere, so that two transactions do not wait for each other.
  sound.sort((a, b) => a.answer.id - b.answer.id);
  if (sound.length > 0) {
    const rows = await session.rows(settle, [
      sound.map(({ answer }) => answer.id),
      sound.map(({ answer }) => answer.token),
      sound.map(({ answer }) => answer.outcome),
      sound.map(({ answer }) => (answer.outcome === "done" ? answer.result : null)),
      sound.map(({ answer }) => ("error" in answer ? answer.error : null)),
      sound.map(({ answer }) => answer.outcome === "failed" && answer.retryable === true),
      sound.map(({ answer }) => (answer.outcome === "failed" ? (answer.retryDelayMs ?? null) : null)),
    ]);
    for (const [n, state, delayMs] of rows as readonly [number, CommandState, number | null][]) {
      const one = sound[n - 1];
      if (one === undefined) continue;
      settled[one.index] = { state, delayMs: delayMs === null ? undefined : Math.max(0, Math.ceil(delayMs)) };
    }
    const left = isRepeat ? sound.filter(({ index }) => settled[index] === undefined) : [];
    if (left.length > 0) {
      const before = await session.rows(settledBefore, [
        left.map(({ answer }) => answer.id),
        left.map(({ answer }) => answer.token),
      ]);
      for (const [n, state] of before as readonly [number, CommandState | null][]) {
        const one = left[n - 1];
        // No row: a notification, which its answer deletes.
        if (one !== undefined) settled[one.index] = { state: state ?? "done", delayMs: undefined };
      }
    }
  }
  return answers.map((answer, index) => settled[index] ?? leaseLostError(answer.id));
}

/** A short lease is not waited away. */
export function extendLeases(
  session: Session,
  statements: SettleStatements,
  leases: readonly LeaseExtension[],
): Promise<(Extended | RpcError)[]> {
  const shortestMs = leases.reduce((least, { leaseMs }) => (leaseMs < least ? leaseMs : least), LOCK_WAIT_MS * 10);
  const waitMs = Math.ceil(Math.max(shortestMs / 10, 10));
  return withoutLocked(session, statements.busy, leases, (free) => extendFree(session, statements, free, waitMs));
}

async function extendFree(
  session: Session,
  { extend }: SettleStatements,
  leases: readonly LeaseExtension[],
  waitMs: number,
): Promise<(Extended | RpcError)[]> {
  const faults = leases.map((lease) => durationFault("leaseMs", lease.leaseMs));
  const sound = leases
    .filter((lease, index) => faults[index] === undefined && isClaim(lease))
    .toSorted((a, b) => a.id - b.id);
  const found = new Map<string, Extended>();
  if (sound.length > 0) {
    const rows = await session.rows(extend, [
      sound.map((lease) => lease.id),
      sound.map((lease) => lease.token),
      sound.map((lease) => lease.leaseMs),
      String(waitMs),
    ]);
    for (const [id, token, leaseUntilAt, cancel] of rows as readonly [number, string, number, string | null][]) {
      found.set(`${id} ${token}`, { leaseUntilAt, cancel: cancel ?? undefined });
    }
  }
  return leases.map(
    (lease, index) => faults[index] ?? found.get(`${lease.id} ${lease.token}`) ?? leaseLostError(lease.id),
  );
}

export function appendEvents(
  session: Session,
  statements: SettleStatements,
  batches: readonly EventBatch[],
): Promise<(Appended | RpcError)[]> {
  return withoutLocked(session, statements.busy, batches, (free) => appendFree(session, statements, free));
}

async function appendFree(
  session: Session,
  { append }: SettleStatements,
  batches: readonly EventBatch[],
): Promise<(Appended | RpcError)[]> {
  // One for each row: an UPDATE takes only one of several that match.
  const groups = new Map<string, EventBatch[]>();
  for (const batch of batches) {
    if (!isClaim(batch)) continue;
    const key = `${batch.id} ${batch.token}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [batch]);
    else group.push(batch);
  }
  const lists = [...groups.values()].toSorted((a, b) => (a[0]?.id ?? 0) - (b[0]?.id ?? 0));
  const appended = new Map<EventBatch, Appended>();
  if (lists.length > 0) {
    const flat = lists.flatMap((list, group) =>
      unrepeated(list).flatMap(({ batch = null, events }) => events.map((event) => ({ event, batch, n: group + 1 }))),
    );
    const rows = await session.rows(append, [
      lists.map((list) => list[0]?.id ?? 0),
      lists.map((list) => list[0]?.token ?? ""),
      flat.map(({ n }) => n),
      flat.map(({ batch }) => batch),
      flat.map(({ event }) => event.kind),
      flat.map(({ event }) => event.data),
    ]);
    for (const [n, lastEvent, lastBatch] of rows as readonly [number, number, number][]) {
      let seq = lastEvent;
      const list = lists[n - 1] ?? [];
      const written = new Set(unrepeated(list, lastBatch));
      for (const batch of list) {
        if (written.has(batch)) seq += batch.events.length;
        appended.set(batch, { seq });
      }
    }
  }
  return batches.map((batch) => appended.get(batch) ?? leaseLostError(batch.id));
}

/** Those of one claim that are not there: each number is greater than all before it. */
function unrepeated(batches: readonly EventBatch[], lastBatch: number = 0): readonly EventBatch[] {
  let last = lastBatch;
  return batches.filter(({ batch }) => {
    if (batch === undefined) return true;
    if (batch <= last) return false;
    last = batch;
    return true;
  });
}
