import type { RpcError } from "@rpc/core";
import { textFault } from "../store/checked-command.ts";
import { fencedError, noAddressError } from "../store/store-errors.ts";
import type { AddressRow, AgentRef, AgentRow, Subscribed, Subscription } from "../store/store-words.ts";
import type { Row, Session, Statement } from "./connections.ts";
import { KINDS } from "./list.ts";

/** Commands that one statement deletes. */
const MAX_REMOVED = 5000;

export interface AddressStatements {
  readonly byName: Statement;
  readonly byId: Statement;
  readonly make: Statement;
  readonly pause: Statement;
  readonly remove: Statement;
  readonly removeCommands: Statement;
  readonly list: Statement;
  readonly subscribe: Statement;
  readonly endLeases: Statement;
  readonly unsubscribe: Statement;
  readonly keepAlive: Statement;
  readonly agents: Statement;
}

const COLUMNS = "id, name, paused, floor(extract(epoch FROM created_at) * 1000)";

export function addressStatements(make: (text: string) => Statement, wakes: boolean): AddressStatements {
  const wake = (topics: string, otherwise: string): string => (wakes ? `rpc_wake(${topics})` : otherwise);
  return {
    byName: make(`SELECT ${COLUMNS} FROM rpc_address WHERE name = $1`),
    byId: make(`SELECT ${COLUMNS} FROM rpc_address WHERE id = $1::bigint`),
    make: make(`INSERT INTO rpc_address (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING ${COLUMNS}`),
    // Only a change wakes. Without triggers on addresses it is the verb that does it, whoever wakes for commands.
    pause: make(`WITH u AS (UPDATE rpc_address SET paused = $2 WHERE name = $1 AND paused <> $2 RETURNING name, paused)
SELECT CASE WHEN NOT paused THEN ${wake("ARRAY['command on: ' || name]", "0")} END FROM u`),
    remove: make("DELETE FROM rpc_address WHERE name = $1 RETURNING id"),
    // Kind by kind, each by its index: no index has all of an address. Copies go before their broadcast, which would take them along untold. What has
    // finished goes in the order in which it has: each piece begins where the one before has ended, and not with all that is gone.
    removeCommands: make(`WITH c AS MATERIALIZED (
  SELECT id FROM (${KINDS.map(removed).join(" UNION ALL ")}) AS each_kind LIMIT ${MAX_REMOVED}),
gone AS (DELETE FROM rpc_command r WHERE r.id = ANY (ARRAY(SELECT id FROM c)) RETURNING r.id, r.finished_at)
SELECT count(*), coalesce(max(finished_at), $3::timestamptz)::text, ${wake("array_agg('result of: ' || id) FILTER (WHERE finished_at IS NULL) || ('command on: ' || $2::text)", "count($2::text)")} FROM gone`),
    list: make(`SELECT ${COLUMNS} FROM rpc_address ORDER BY name COLLATE "C"`),
    // The lock waits for claims of the incarnation before, which are then found by endLeases.
    subscribe: make(`WITH a AS MATERIALIZED (SELECT id FROM rpc_address WHERE name = $1 FOR KEY SHARE),
old AS MATERIALIZED (SELECT incarnation FROM rpc_agent WHERE address_id = (SELECT id FROM a) AND name = $2 FOR UPDATE),
made AS (
  INSERT INTO rpc_agent AS g (address_id, name, incarnation, methods, concurrency) SELECT id, $2, $3, $4::json, $5::int FROM a
  ON CONFLICT (address_id, name) DO UPDATE SET incarnation = excluded.incarnation, methods = excluded.methods,
    concurrency = excluded.concurrency, last_seen = excluded.last_seen,
    started_at = CASE WHEN g.incarnation = excluded.incarnation THEN g.started_at ELSE excluded.started_at END
  RETURNING last_seen)
SELECT a.id, (SELECT incarnation FROM old), (SELECT floor(extract(epoch FROM last_seen) * 1000) FROM made) FROM a`),
    endLeases: make(`UPDATE rpc_command SET lease_until = clock_timestamp(), claim_token = NULL
  WHERE state = 'claimed' AND lease_until > clock_timestamp() AND address_id = $1::bigint AND agent_name = $2 AND agent_incarnation <> $3`),
    unsubscribe:
      make(`DELETE FROM rpc_agent WHERE address_id = (SELECT id FROM rpc_address WHERE name = $1) AND name = $2
  AND incarnation = coalesce($3::text, incarnation) RETURNING name`),
    keepAlive: make(`UPDATE rpc_agent g SET last_seen = clock_timestamp()
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS x(address, name, incarnation, n) JOIN rpc_address a ON a.name = x.address
 WHERE g.address_id = a.id AND g.name = x.name AND g.incarnation = x.incarnation RETURNING x.n`),
    agents:
      make(`SELECT a.name, g.name, g.incarnation, g.methods::text, g.concurrency, floor(extract(epoch FROM g.started_at) * 1000),
       floor(extract(epoch FROM g.last_seen) * 1000), greatest(0, floor(extract(epoch FROM clock_timestamp() - g.last_seen) * 1000))
  FROM rpc_agent g JOIN rpc_address a ON a.id = g.address_id WHERE $1::text IS NULL OR a.name = $1 ORDER BY a.name COLLATE "C", g.name COLLATE "C"`),
  };
}

function removed({ states, test, order }: (typeof KINDS)[number]): string {
  const from = states.includes("done") ? " AND c.finished_at >= $3::timestamptz" : "";
  return `(SELECT c.id FROM rpc_command c WHERE c.address_id = $1::bigint AND ${test}${from} ORDER BY ${order} LIMIT ${MAX_REMOVED})`;
}

export async function findAddress(
  session: Session,
  statements: AddressStatements,
  address: string | number,
): Promise<AddressRow | undefined> {
  if (typeof address === "number" && !Number.isSafeInteger(address)) return undefined;
  if (typeof address === "string" && address.includes("\0")) return undefined;
  const rows = await session.rows(typeof address === "number" ? statements.byId : statements.byName, [address]);
  return addressRow(rows[0]);
}

export async function ensureAddress(
  session: Session,
  statements: AddressStatements,
  name: string,
): Promise<AddressRow> {
  const fault = textFault("address", name);
  if (fault !== undefined) throw fault;
  for (;;) {
    // Not the insert first: each one that finds it there uses up an id.
    const found =
      addressRow((await session.rows(statements.byName, [name]))[0]) ??
      addressRow((await session.rows(statements.make, [name]))[0]);
    if (found !== undefined) return found;
  }
}

export async function pauseAddress(
  session: Session,
  statements: AddressStatements,
  name: string,
  paused: boolean,
): Promise<void> {
  if ((await findAddress(session, statements, name)) === undefined) throw noAddressError(name);
  await session.rows(statements.pause, [name, paused]);
}

/** In a transaction: whoever inserts meanwhile has its lock on the address, and is waited for. */
export async function removeAddress(session: Session, statements: AddressStatements, name: string): Promise<boolean> {
  if (name.includes("\0")) return false;
  const rows = (await session.rows(statements.remove, [name])) as readonly [number][];
  const [row] = rows;
  if (row === undefined) return false;
  // Piece by piece: of any number none takes longer than a statement may.
  for (let from = "-infinity"; ;) {
    const values = [row[0], name, from];
    const [gone] = (await session.rows(statements.removeCommands, values)) as readonly (readonly [number, string])[];
    if (gone === undefined || gone[0] === 0) return true;
    from = gone[1];
  }
}

export async function listAddresses(session: Session, statements: AddressStatements): Promise<AddressRow[]> {
  const rows = await session.rows(statements.list, []);
  return rows.flatMap((row) => addressRow(row) ?? []);
}

/** In a transaction. */
export async function subscribe(
  session: Session,
  statements: AddressStatements,
  subscription: Subscription,
): Promise<Subscribed> {
  const { address, agent, incarnation } = subscription;
  const fault = textFault("agent", agent) ?? textFault("incarnation", incarnation);
  if (fault !== undefined) throw fault;
  const rows = (await session.rows(statements.subscribe, [
    address,
    agent,
    incarnation,
    subscription.methods === undefined ? null : JSON.stringify(subscription.methods),
    subscription.concurrency ?? 1,
  ])) as readonly (readonly [number, string | null, number])[];
  const [row] = rows;
  if (row === undefined) throw noAddressError(address);
  const [addressId, before, serverAt] = row;
  const isSame = before === incarnation;
  if (!isSame) await session.rows(statements.endLeases, [addressId, agent, incarnation]);
  return { replaced: isSame ? undefined : (before ?? undefined), serverAt };
}

export async function unsubscribe(
  session: Session,
  statements: AddressStatements,
  agent: { readonly address: string; readonly agent: string; readonly incarnation?: string | undefined },
): Promise<boolean> {
  const rows = await session.rows(statements.unsubscribe, [agent.address, agent.agent, agent.incarnation ?? null]);
  return rows.length > 0;
}

export async function keepAlive(
  session: Session,
  statements: AddressStatements,
  agents: readonly AgentRef[],
): Promise<(RpcError | undefined)[]> {
  if (agents.length === 0) return [];
  const rows = await session.rows(statements.keepAlive, [
    agents.map((ref) => ref.address),
    agents.map((ref) => ref.agent),
    agents.map((ref) => ref.incarnation),
  ]);
  const seen = new Set(rows.map(([n]) => n));
  const key = (ref: AgentRef): string => JSON.stringify([ref.address, ref.agent, ref.incarnation]);
  // An UPDATE takes one of two that are the same.
  const alive = new Set(agents.filter((_ref, index) => seen.has(index + 1)).map(key));
  return agents.map((ref) => (alive.has(key(ref)) ? undefined : fencedError(ref)));
}

type StoredAgent = readonly [
  address: string,
  agent: string,
  incarnation: string,
  methods: string | null,
  concurrency: number,
  startedAt: number,
  lastSeenAt: number,
  unseenMs: number,
];

export async function listAgents(
  session: Session,
  statements: AddressStatements,
  address: string | undefined,
): Promise<AgentRow[]> {
  const rows = (await session.rows(statements.agents, [address ?? null])) as unknown as readonly StoredAgent[];
  return rows.map(([name, agent, incarnation, methods, concurrency, startedAt, lastSeenAt, unseenMs]) => ({
    address: name,
    agent,
    incarnation,
    // Written by subscribe() alone.
    methods: methods === null ? undefined : (JSON.parse(methods) as string[]),
    concurrency,
    startedAt,
    lastSeenAt,
    unseenMs,
  }));
}

function addressRow(row: Row | undefined): AddressRow | undefined {
  if (row === undefined) return undefined;
  const [id, name, paused, createdAt] = row as readonly [number, string, boolean, number];
  return { id, name, paused, createdAt };
}
