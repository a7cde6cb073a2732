import type { SQLInputValue } from "node:sqlite";
import type { CommandFilter, CommandRow, CommandState, Outcome } from "../store/store-words.ts";
import type { Work } from "./work.ts";

const STATES: ReadonlySet<string> = new Set(["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"]);
const MAX_ROWS = 1000;

interface StoredOutcome {
  readonly id: number;
  readonly state: CommandState;
  readonly result: string | null;
  readonly error: string | null;
}

interface StoredCommand extends StoredOutcome {
  readonly address: string;
  readonly parent_id: number | null;
  readonly method: string;
  readonly args: string;
  readonly kwargs: string;
  readonly meta: string;
  readonly priority: number;
  readonly ordering_key: string | null;
  readonly idempotency_key: string | null;
  readonly target_agent: string | null;
  readonly notification: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly not_before: number;
  readonly expires_at: number | null;
  readonly lease_until: number | null;
  readonly agent_name: string | null;
  readonly agent_incarnation: string | null;
  readonly cancel_requested_at: number | null;
  readonly cancel_reason: string | null;
  readonly created_at: number;
  readonly created_by: string | null;
  readonly claimed_at: number | null;
  readonly finished_at: number | null;
  readonly progress: string | null;
}

const ROW = "SELECT a.name AS address, c.* FROM rpc_command c JOIN rpc_address a ON a.id = c.address_id";

export function readOutcome(work: Work, id: number): Outcome | undefined {
  const row = work.connection.get<StoredOutcome>("SELECT id, state, result, error FROM rpc_command WHERE id = ?", id);
  return row === undefined
    ? undefined
    : { id, state: row.state, result: row.result ?? undefined, error: row.error ?? undefined };
}

export function readCommand(work: Work, id: number): CommandRow | undefined {
  const row = work.connection.get<StoredCommand>(`${ROW} WHERE c.id = ?`, id);
  return row === undefined ? undefined : commandRow(row);
}

/** Of one address: so many of the newest commands of all are looked through for its own, before all of its own are. */
const NEAR_IDS = 10_000;
const CLAIMED = "c.state = 'claimed' AND c.lease_until IS NOT NULL";
/** All that an address can have, each by an index that begins with the address, or is short. */
const OF_AN_ADDRESS = [
  "c.state = 'queued' AND c.delayed = 0 AND c.ordering_key IS NULL AND c.target_agent IS NULL",
  "c.state = 'queued' AND c.delayed = 0 AND (c.ordering_key IS NOT NULL OR c.target_agent IS NOT NULL)",
  "c.state = 'queued' AND c.delayed = 1",
  "c.state = 'waiting'",
  CLAIMED,
  "c.finished_at IS NOT NULL",
];

export function listCommands(work: Work, filter: CommandFilter): CommandRow[] {
  const tests: string[] = [];
  const values: SQLInputValue[] = [];
  const must = (test: string, value: SQLInputValue | undefined): void => {
    if (value === undefined) return;
    tests.push(test);
    values.push(value);
  };
  must("c.address_id = (SELECT id FROM rpc_address WHERE name = ?)", filter.address);
  must("c.method = ?", filter.method);
  must("c.agent_name = ?", filter.agent);
  must("c.parent_id = ?", filter.parentId);
  must("c.id < ?", filter.beforeId);
  const own = [...tests];
  if (filter.states !== undefined) {
    // Written out, not bound: a partial index is used only where the text says that its condition holds.
    const states = filter.states.filter((state) => STATES.has(state));
    const isOne = `c.state IN (${states.map((state) => `'${state}'`).join(", ")})`;
    tests.push(isOne);
    // The plus keeps it from being looked up in an index of states, which has those of all addresses.
    own.push(`+${isOne}`);
    const isUndone = (state: CommandState): boolean =>
      state === "failed" || state === "expired" || state === "cancelled";
    if (states.every(isUndone)) tests.push("c.finished_at IS NOT NULL AND c.state <> 'done'");
  }
  const limit = Math.min(Math.max(1, Math.floor(filter.limit ?? 100)), MAX_ROWS);
  const found = (conditions: readonly string[], bound: readonly SQLInputValue[]): CommandRow[] => {
    const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
    const statement = work.connection.once(`${ROW}${where} ORDER BY c.id DESC LIMIT ?`);
    return work.connection.allOf<StoredCommand>(statement, ...bound, limit).map(commandRow);
  };
  if (filter.address === undefined || filter.parentId !== undefined) return found(tests, values);
  const newest = work.connection.get<{ id: number | null }>("SELECT max(id) AS id FROM rpc_command")?.id ?? 0;
  const from = Math.min(filter.beforeId ?? Infinity, newest + 1) - NEAR_IDS;
  const near = found([...tests, "c.id >= ?"], [...values, from]);
  if (near.length === limit || from <= 1) return near;
  const each = OF_AN_ADDRESS.map((part) => {
    // What is claimed is in one index, in another order: SQLite would rather walk through the table.
    const table = part === CLAIMED ? "rpc_command c INDEXED BY rpc_command_lease" : "rpc_command c";
    return `SELECT c.id FROM ${table} WHERE ${[...own, part].join(" AND ")}`;
  }).join(" UNION ALL ");
  const ids = `c.id IN (SELECT id FROM (${each}) ORDER BY id DESC LIMIT ${limit})`;
  return found(
    [ids],
    OF_AN_ADDRESS.flatMap(() => values),
  );
}

function commandRow(row: StoredCommand): CommandRow {
  return {
    id: row.id,
    address: row.address,
    parentId: row.parent_id ?? undefined,
    method: row.method,
    args: row.args,
    kwargs: row.kwargs,
    meta: row.meta,
    state: row.state,
    priority: row.priority,
    orderingKey: row.ordering_key ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    targetAgent: row.target_agent ?? undefined,
    notification: row.notification === 1,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    notBeforeAt: row.not_before,
    expiresAt: row.expires_at ?? undefined,
    leaseUntilAt: row.lease_until ?? undefined,
    agent: row.agent_name ?? undefined,
    incarnation: row.agent_incarnation ?? undefined,
    cancelRequestedAt: row.cancel_requested_at ?? undefined,
    cancelReason: row.cancel_reason ?? undefined,
    createdAt: row.created_at,
    createdBy: row.created_by ?? undefined,
    claimedAt: row.claimed_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
    progress: row.progress ?? undefined,
  };
}
