import type { CommandFilter, CommandRow, CommandState, EventRow, Outcome } from "../store/store-words.ts";
import type { Session, Statement, Value } from "./connections.ts";
import { isId } from "./settle.ts";

const STATES: readonly CommandState[] = ["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"];
const MAX_ROWS = 1000;

const at = (column: string): string => `floor(extract(epoch FROM c.${column}) * 1000)`;

// In the order of StoredCommand.
const COLUMNS = `c.id, a.name, c.parent_id, c.method, c.args::text, c.kwargs::text, c.meta::text, c.state, c.priority, c.ordering_key,
  c.idempotency_key, c.target_agent, c.notification, c.attempts, c.max_attempts, ${at("not_before")}, ${at("expires_at")}, ${at("lease_until")},
  c.agent_name, c.agent_incarnation, ${at("cancel_requested_at")}, c.cancel_reason, ${at("created_at")}, c.created_by, ${at("claimed_at")},
  ${at("finished_at")}, c.result::text, c.error::text, c.progress::text`;
const ROW = `SELECT ${COLUMNS} FROM rpc_command c JOIN rpc_address a ON a.id = c.address_id`;

export interface ReadStatements {
  readonly outcomes: Statement;
  readonly read: Statement;
  readonly events: Statement;
  readonly make: (text: string) => Statement;
}

export function readStatements(make: (text: string) => Statement): ReadStatements {
  return {
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
  { make }: ReadStatements,
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
  must((p) => `c.parent_id = ${p}::float8`, filter.parentId);
  must((p) => `c.id < ${p}::numeric`, filter.beforeId);
  if (filter.states !== undefined) {
    // In one order, each once: a connection keeps every text that it has been given.
    const wanted = new Set(filter.states);
    const states = STATES.filter((state) => wanted.has(state)).map((state) => `'${state}'`);
    if (states.length === 0) return [];
    // Written out, not bound: a partial index is used only where the text says that its condition holds.
    tests.push(`c.state IN (${states.join(", ")})`);
  }
  const where = tests.length === 0 ? "" : ` WHERE ${tests.join(" AND ")}`;
  values.push(limitOf(filter.limit));
  const rows = await session.rows(make(`${ROW}${where} ORDER BY c.id DESC LIMIT $${values.length}`), values);
  return (rows as unknown as readonly StoredCommand[]).map(commandRow);
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
