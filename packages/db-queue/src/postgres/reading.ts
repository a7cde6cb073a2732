import type { CommandFilter, CommandRow, CommandState, EventRow, Outcome } from "../store/store-words.ts";
import type { Session, Statement, Value } from "./connections.ts";
import { isId } from "./settle.ts";

const STATES: readonly CommandState[] = ["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"];
const MAX_ROWS = 1000;
const LARGEST_ID = Number.MAX_SAFE_INTEGER;

const at = (column: string): string => `floor(extract(epoch FROM c.${column}) * 1000)`;

// In the order of StoredCommand.
const COLUMNS = `c.id, a.name, c.parent_id, c.method, c.args::text, c.kwargs::text, c.meta::text, c.state, c.priority, c.ordering_key,
  c.idempotency_key, c.target_agent, c.notification, c.attempts, c.max_attempts, ${at("not_before")}, ${at("expires_at")}, ${at("lease_until")},
  c.agent_name, c.agent_incarnation, ${at("cancel_requested_at")}, c.cancel_reason, ${at("created_at")}, c.created_by, ${at("claimed_at")},
  ${at("finished_at")}, c.result::text, c.error::text, c.progress::text`;
const ROW = `SELECT ${COLUMNS} FROM rpc_command c JOIN rpc_address a ON a.id = c.address_id`;

/** Of one address: so many of the newest commands of all are looked through for its own, before all of its own are. */
const NEAR_IDS = 10_000;
/** All that an address can have, each by an index that begins with the address, or is short. */
const OF_AN_ADDRESS = [
  "c.state = 'queued' AND NOT c.delayed AND c.ordering_key IS NULL AND c.target_agent IS NULL",
  "c.state = 'queued' AND NOT c.delayed AND (c.ordering_key IS NOT NULL OR c.target_agent IS NOT NULL)",
  "c.state = 'queued' AND c.delayed",
  "c.state = 'waiting'",
  "c.state = 'claimed'",
  "c.finished_at IS NOT NULL",
];

export interface ReadStatements {
  readonly newest: Statement;
  readonly outcomes: Statement;
  readonly read: Statement;
  readonly events: Statement;
  readonly make: (text: string) => Statement;
}

export function readStatements(make: (text: string) => Statement): ReadStatements {
  return {
    newest: make("SELECT id FROM rpc_command ORDER BY id DESC LIMIT 1"),
    outcomes: make("SELECT id, state, result::text, error::text FROM rpc_command WHERE id = ANY ($1::bigint[])"),
    read: make(`${ROW} WHERE c.id = ANY ($1::bigint[])`),
    events: make(`SELECT seq, floor(extract(epoch FROM at) * 1000), kind, data::text FROM rpc_command_event
  WHERE command_id = $1::bigint AND seq > $2::float8 ORDER BY seq LIMIT $3::int`),
    make,
  };
}

export async function readOutcomes(
  session: Session,
  { outcomes }: ReadStatements,
  ids: readonly number[],
): Promise<(Outcome | undefined)[]> {
  const rows = (await session.rows(outcomes, [ids.filter(isId)])) as readonly [
    number,
    CommandState,
    string | null,
    string | null,
  ][];
  const found = new Map(
    rows.map(([id, state, result, error]) => [
      id,
      { id, state, result: result ?? undefined, error: error ?? undefined } satisfies Outcome,
    ]),
  );
  return ids.map((id) => found.get(id));
}

export async function readCommands(
  session: Session,
  { read }: ReadStatements,
  ids: readonly number[],
): Promise<(CommandRow | undefined)[]> {
  const rows = await session.rows(read, [ids.filter(isId)]);
  const found = new Map((rows as unknown as readonly StoredCommand[]).map((row) => [row[0], commandRow(row)]));
  return ids.map((id) => found.get(id));
}

export async function readEvents(
  session: Session,
  { events }: ReadStatements,
  id: number,
  options: { readonly afterSeq?: number | undefined; readonly limit?: number | undefined },
): Promise<EventRow[]> {
  if (!isId(id)) return [];
  const rows = (await session.rows(events, [id, options.afterSeq ?? 0, limitOf(options.limit)])) as readonly [
    number,
    number,
    string,
    string,
  ][];
  return rows.map(([seq, eventAt, kind, data]) => ({ seq, at: eventAt, kind, data }));
}

export async function listCommands(
  session: Session,
  { make, newest }: ReadStatements,
  filter: CommandFilter,
): Promise<CommandRow[]> {
  const tests: string[] = [];
  const values: Value[] = [];
  const must = (test: (parameter: string) => string, value: string | number | undefined): void => {
    if (value === undefined) return;
    values.push(value);
    tests.push(test(`$${values.length}`));
  };
  must((p) => `c.address_id = (SELECT id FROM rpc_address WHERE name = ${p})`, filter.address);
  must((p) => `c.method = ${p}`, filter.method);
  must((p) => `c.agent_name = ${p}`, filter.agent);
  if (filter.parentId !== undefined && !isId(filter.parentId)) return [];
  must((p) => `c.parent_id = ${p}::bigint`, filter.parentId);
  // As a whole number: compared with any other kind an id is looked up in no index.
  const before =
    filter.beforeId === undefined ? undefined : Math.max(0, Math.ceil(Math.min(filter.beforeId, LARGEST_ID))) || 0;
  must((p) => `c.id < ${p}::bigint`, before);
  const own = [...tests];
  if (filter.states !== undefined) {
    // In one order, each once: a connection keeps every text that it has been given.
    const wanted = new Set(filter.states);
    const states = STATES.filter((state) => wanted.has(state)).map((state) => `'${state}'`);
    if (states.length === 0) return [];
    // Written out, not bound: a partial index is used only where the text says that its condition holds.
    tests.push(`c.state IN (${states.join(", ")})`);
    // Not to be looked up in an index of states, which has those of all addresses.
    own.push(`(c.state || '') IN (${states.join(", ")})`);
  }
  const limit = limitOf(filter.limit);
  const found = async (where: string, bound: readonly Value[]): Promise<CommandRow[]> => {
    const rows = (await session.rows(make(`${ROW}${where}`), bound)) as unknown as readonly StoredCommand[];
    return rows.map(commandRow);
  };
  const newestOf = (conditions: readonly string[], bound: readonly Value[]): Promise<CommandRow[]> => {
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    return found(`${where} ORDER BY c.id DESC LIMIT $${bound.length + 1}`, [...bound, limit]);
  };
  // All, and then the newest: of one statement the planner would make a walk through the table in the order that is asked for.
  const newestAmong = async (parts: readonly string[]): Promise<CommandRow[]> => {
    const shared = own.join(" AND ");
    const each = parts.map((part) => `SELECT c.id FROM rpc_command c WHERE ${shared} AND ${part}`).join(" UNION ALL ");
    const ids = `WITH of_all AS MATERIALIZED (${each}) SELECT id FROM of_all ORDER BY id DESC LIMIT $${values.length + 1}`;
    const rows = await found(` WHERE c.id = ANY (ARRAY(${ids}))`, [...values, limit]);
    return rows.toSorted((one, other) => other.id - one.id);
  };
  if (filter.parentId !== undefined) return newestAmong(["true"]);
  if (filter.address === undefined) return newestOf(tests, values);
  const [last] = (await session.rows(newest, [])) as readonly (readonly [number])[];
  const from = Math.max(0, Math.min(before ?? LARGEST_ID, (last?.[0] ?? 0) + 1) - NEAR_IDS);
  const near = await newestOf([...tests, `c.id >= $${values.length + 1}::bigint`], [...values, from]);
  if (near.length === limit || from <= 1) return near;
  return newestAmong(OF_AN_ADDRESS);
}

function limitOf(limit: number | undefined): number {
  return Math.min(Math.max(1, Math.floor(limit ?? 100)), MAX_ROWS);
}

type Text = string | null;
type Instant = number | null;
type StoredCommand = readonly [
  id: number,
  address: string,
  parentId: number | null,
  method: string,
  args: string,
  kwargs: string,
  meta: string,
  state: CommandState,
  priority: number,
  orderingKey: Text,
  idempotencyKey: Text,
  targetAgent: Text,
  notification: boolean,
  attempts: number,
  maxAttempts: number,
  notBeforeAt: number,
  expiresAt: Instant,
  leaseUntilAt: Instant,
  agent: Text,
  incarnation: Text,
  cancelRequestedAt: Instant,
  cancelReason: Text,
  createdAt: number,
  createdBy: Text,
  claimedAt: Instant,
  finishedAt: Instant,
  result: Text,
  error: Text,
  progress: Text,
];

function commandRow(row: StoredCommand): CommandRow {
  const [id, address, parentId, method, args, kwargs, meta, state, priority, orderingKey] = row;
  return {
    id,
    address,
    parentId: parentId ?? undefined,
    method,
    args,
    kwargs,
    meta,
    state,
    priority,
    orderingKey: orderingKey ?? undefined,
    idempotencyKey: row[10] ?? undefined,
    targetAgent: row[11] ?? undefined,
    notification: row[12],
    attempts: row[13],
    maxAttempts: row[14],
    notBeforeAt: row[15],
    expiresAt: row[16] ?? undefined,
    leaseUntilAt: row[17] ?? undefined,
    agent: row[18] ?? undefined,
    incarnation: row[19] ?? undefined,
    cancelRequestedAt: row[20] ?? undefined,
    cancelReason: row[21] ?? undefined,
    createdAt: row[22],
    createdBy: row[23] ?? undefined,
    claimedAt: row[24] ?? undefined,
    finishedAt: row[25] ?? undefined,
    result: row[26] ?? undefined,
    error: row[27] ?? undefined,
    progress: row[28] ?? undefined,
  };
}
