import type { RpcError } from "@rpc/core";
import { commandFault } from "../store/checked-command.ts";
import { answerFor, type EarlierCommand } from "../store/earlier-command.ts";
import { noAddressError, noAgentError, pausedError } from "../store/store-errors.ts";
import type { AddressRow, CommandState, Inserted, NewCommand } from "../store/store-words.ts";
import { findAddress } from "./addresses.ts";
import type { Work } from "./work.ts";

const INSERT = `INSERT INTO rpc_command
  (address_id, parent_id, method, args, kwargs, meta, state, priority, ordering_key, idempotency_key, target_agent, notification, max_attempts,
   not_before, delayed, expires_at, created_at, created_by, finished_at, result)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const EARLIER = `SELECT id, state, method, args, kwargs, notification, attempts, result IS NOT NULL AS has_result FROM rpc_command
  WHERE address_id = ? AND idempotency_key = ?`;

interface Earlier extends Pick<EarlierCommand, "id" | "state" | "method" | "args" | "kwargs" | "attempts"> {
  readonly notification: number;
  readonly has_result: number;
}

export function insertCommands(work: Work, commands: readonly NewCommand[]): (Inserted | RpcError)[] {
  // Good for this call alone: the next verb may make or remove one.
  const addresses = new Map<string, AddressRow | undefined>();
  return commands.map((command) => {
    const fault = commandFault(command);
    if (fault !== undefined) return fault;
    if (!addresses.has(command.address)) addresses.set(command.address, findAddress(work, command.address));
    const address = addresses.get(command.address);
    if (address === undefined) return noAddressError(command.address);
    return earlierOne(work, command, address) ?? refusal(work, command, address) ?? insertOne(work, command, address);
  });
}

function earlierOne(work: Work, command: NewCommand, address: AddressRow): Inserted | RpcError | undefined {
  if (command.idempotencyKey === undefined) return undefined;
  const earlier = work.connection.get<Earlier>(EARLIER, address.id, command.idempotencyKey);
  if (earlier === undefined) return undefined;
  return answerFor(command, {
    ...earlier,
    notification: earlier.notification === 1,
    hasResult: earlier.has_result === 1,
  });
}

function refusal(work: Work, command: NewCommand, address: AddressRow): RpcError | undefined {
  if (command.agentSeenWithinMs === undefined) return undefined;
  if (address.paused) return pausedError(address.name);
  const agents = agentsOf(work, command, address);
  const isThere = command.targetAgent === undefined ? agents.length > 0 : agents.includes(command.targetAgent);
  return isThere ? undefined : noAgentError(address.name);
}

function insertOne(work: Work, command: NewCommand, address: AddressRow): Inserted {
  if (command.broadcast !== true) {
    const id = insertRow(work, command, address, "queued", undefined, command.targetAgent);
    // A delayed one as well: the nearest due time may have come nearer, and who waits for it has to look again.
    work.wakeAgents(address.name);
    return { id, state: "queued", existing: false, copies: 0 };
  }
  const agents = agentsOf(work, command, address);
  const state = agents.length === 0 ? "done" : "waiting";
  const id = insertRow(work, command, address, state, undefined, command.targetAgent);
  for (const agent of agents) insertRow(work, command, address, "queued", id, agent);
  if (agents.length > 0) work.wakeAgents(address.name);
  else if (command.notification === true) work.connection.run("DELETE FROM rpc_command WHERE id = ?", id);
  return { id, state, existing: false, copies: agents.length };
}

function insertRow(
  work: Work,
  command: NewCommand,
  address: AddressRow,
  state: CommandState,
  parentId: number | undefined,
  targetAgent: string | undefined,
): number {
  const now = work.now();
  const delayMs = Math.ceil(command.delayMs ?? 0);
  return work.connection.insert(
    INSERT,
    address.id,
    parentId ?? null,
    command.method,
    command.args ?? "[]",
    command.kwargs ?? "{}",
    command.meta ?? "{}",
    state,
    command.priority ?? 0,
    command.orderingKey ?? null,
    // A copy is found through its broadcast.
    parentId === undefined ? (command.idempotencyKey ?? null) : null,
    targetAgent ?? null,
    parentId === undefined && command.notification === true ? 1 : 0,
    command.maxAttempts ?? 1,
    now + delayMs,
    delayMs > 0 ? 1 : 0,
    command.expiresMs === undefined ? null : now + Math.ceil(command.expiresMs),
    now,
    command.createdBy ?? null,
    state === "done" ? now : null,
    state === "done" ? "[]" : null,
  );
}

/** Names of those who are subscribed, and have been seen lately where that is asked for. */
function agentsOf(work: Work, command: NewCommand, address: AddressRow): string[] {
  const since = command.agentSeenWithinMs === undefined ? 0 : work.now() - command.agentSeenWithinMs;
  const rows = work.connection.all<{ name: string }>(
    "SELECT name FROM rpc_agent WHERE address_id = ? AND last_seen >= ? ORDER BY name",
    address.id,
    since,
  );
  return rows.map((row) => row.name);
}
