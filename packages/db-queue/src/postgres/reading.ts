import type { CommandRow, CommandState, EventRow, Outcome } from "../store/store-words.ts";
import type { Session, Statement } from "./connections.ts";
import { isId } from "./settle.ts";

const MAX_ROWS = 1000;

const at = (column: string): string => `floor(extract(epoch FROM c.${column}) * 1000)`;

// In the order of StoredCommand.
const COLUMNS = `c.id, a.name, c.parent_id, c.method, c.args::text, c.kwargs::text, c.meta::text, c.state, c.priority, c.ordering_key,
  c.idempotency_key, c.target_agent, c.notification, c.attempts, c.max_attempts, ${at("not_before")}, ${at("expires_at")}, ${at("lease_until")},
  c.agent_name, c.agent_incarnation, ${at("cancel_requested_at")}, c.cancel_reason, ${at("created_at")}, c.created_by, ${at("claimed_at")},
  ${at("finished_at")}, c.result::text, c.error::text, c.progress::text`;
/** A command as `commandRow` takes it; what follows begins with WHERE. */
export const ROW: string = `SELECT ${COLUMNS} FROM rpc_command c JOIN rpc_address a ON a.id = c.address_id`;

export interface ReadStatements {
  readonly outcomes: Statement;
  readonly read: Statement;
  readonly events: Statement;
}

export function readStatements(make: (text: string) => Statement): ReadStatements {
  return {
    outcomes: make("SELECT id, state, result::text, error::text FROM rpc_command WHERE id = ANY ($1::bigint[])"),
    read: make(`${ROW} WHERE c.id = ANY ($1::bigint[])`),
    events: make(`SELECT seq, floor(extract(epoch FROM at) * 1000), kind, data::text FROM rpc_command_event
  WHERE command_id = $1::bigint AND seq > $2::float8 ORDER BY seq LIMIT $3::int`),
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

export function limitOf(limit: number | undefined): number {
  return Math.min(Math.max(1, Math.floor(limit ?? 100)), MAX_ROWS);
}

type Text = string | null;
type Instant = number | null;
export type StoredCommand = readonly [
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

export function commandRow(row: StoredCommand): CommandRow {
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
