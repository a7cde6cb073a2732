import { textFault } from "../store/checked-command.ts";
import { fencedError, noAddressError } from "../store/store-errors.ts";
import type { AddressRow, AgentRef, AgentRow, Subscribed, Subscription } from "../store/store-words.ts";
import { KINDS } from "./list.ts";
import type { Work } from "./work.ts";

interface StoredAddress {
  readonly id: number;
  readonly name: string;
  readonly paused: number;
  readonly created_at: number;
}

interface StoredAgent {
  readonly address: string;
  readonly name: string;
  readonly incarnation: string;
  readonly methods: string | null;
  readonly concurrency: number;
  readonly started_at: number;
  readonly last_seen: number;
}

// By the index of each kind; of all of them at once there is none.
const UNFINISHED = KINDS.filter(({ states }) => !states.includes("done")).map(
  ({ test, index }) => `SELECT c.id AS id FROM rpc_command c INDEXED BY ${index} WHERE ${test} AND c.address_id = ?`,
);

export function findAddress(work: Work, address: string | number): AddressRow | undefined {
  const row = stored(work, address);
  return row === undefined ? undefined : addressRow(row);
}

/** Throws NO_ADDRESS. */
function addressOf(work: Work, name: string): AddressRow {
  const row = stored(work, name);
  if (row === undefined) throw noAddressError(name);
  return addressRow(row);
}

export function ensureAddress(work: Work, name: string): AddressRow {
  const fault = textFault("address", name);
  if (fault !== undefined) throw fault;
  const found = stored(work, name);
  if (found !== undefined) return addressRow(found);
  work.connection.run("INSERT INTO rpc_address (name, created_at) VALUES (?, ?)", name, work.now());
  return addressOf(work, name);
}

export function pauseAddress(work: Work, name: string, paused: boolean): void {
  const address = addressOf(work, name);
  if (address.paused === paused) return;
  work.connection.run("UPDATE rpc_address SET paused = ? WHERE id = ?", Number(paused), address.id);
  if (!paused) work.wakeAgents(name);
}

export function removeAddress(work: Work, name: string): boolean {
  const address = stored(work, name);
  if (address === undefined) return false;
  const waited = UNFINISHED.flatMap((sql) => work.connection.all<{ id: number }>(sql, address.id));
  work.connection.run("DELETE FROM rpc_address WHERE id = ?", address.id);
  for (const { id } of waited) work.wakeIssuers(id);
  work.wakeAgents(name);
  return true;
}

export function listAddresses(work: Work): AddressRow[] {
  return work.connection.all<StoredAddress>("SELECT * FROM rpc_address ORDER BY name").map(addressRow);
}

export function subscribe(work: Work, subscription: Subscription): Subscribed {
  for (const [what, text] of [
    ["agent", subscription.agent],
    ["incarnation", subscription.incarnation],
  ] as const) {
    const fault = textFault(what, text);
    if (fault !== undefined) throw fault;
  }
  const { connection } = work;
  const address = addressOf(work, subscription.address);
  const now = work.now();
  const before = connection.get<{ incarnation: string }>(
    "SELECT incarnation FROM rpc_agent WHERE address_id = ? AND name = ?",
    address.id,
    subscription.agent,
  )?.incarnation;
  const isSame = before === subscription.incarnation;
  connection.run(
    `INSERT INTO rpc_agent (address_id, name, incarnation, methods, concurrency, started_at, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (address_id, name) DO UPDATE SET incarnation = excluded.incarnation, methods = excluded.methods,
       concurrency = excluded.concurrency, last_seen = excluded.last_seen,
       started_at = iif(incarnation = excluded.incarnation, started_at, excluded.started_at)`,
    address.id,
    subscription.agent,
    subscription.incarnation,
    subscription.methods === undefined ? null : JSON.stringify(subscription.methods),
    subscription.concurrency ?? 1,
    now,
    now,
  );
  if (!isSame) {
    connection.run(
      `UPDATE rpc_command SET lease_until = ?, claim_token = NULL WHERE state = 'claimed' AND lease_until > ? AND address_id = ? AND agent_name = ?
         AND agent_incarnation <> ?`,
      now,
      now,
      address.id,
      subscription.agent,
      subscription.incarnation,
    );
  }
  return { replaced: isSame ? undefined : before, serverAt: now };
}

export function unsubscribe(
  work: Work,
  agent: { readonly address: string; readonly agent: string; readonly incarnation?: string | undefined },
): boolean {
  const address = stored(work, agent.address);
  if (address === undefined) return false;
  const gone = work.connection.run(
    "DELETE FROM rpc_agent WHERE address_id = ? AND name = ? AND incarnation = coalesce(?, incarnation)",
    address.id,
    agent.agent,
    agent.incarnation ?? null,
  );
  return gone > 0;
}

export function keepAlive(work: Work, agent: AgentRef): ReturnType<typeof fencedError> | undefined {
  const seen = work.connection.run(
    `UPDATE rpc_agent SET last_seen = ? WHERE address_id = (SELECT id FROM rpc_address WHERE name = ?) AND name = ? AND incarnation = ?`,
    work.now(),
    agent.address,
    agent.agent,
    agent.incarnation,
  );
  return seen === 0 ? fencedError(agent) : undefined;
}

export function listAgents(work: Work, address: string | undefined): AgentRow[] {
  const now = work.now();
  const rows = work.connection.all<StoredAgent>(
    `SELECT a.name AS address, g.* FROM rpc_agent g JOIN rpc_address a ON a.id = g.address_id
      WHERE a.name = coalesce(?, a.name) ORDER BY a.name, g.name`,
    address ?? null,
  );
  return rows.map((row) => ({
    address: row.address,
    agent: row.name,
    incarnation: row.incarnation,
    // Written by subscribe() alone.
    methods: row.methods === null ? undefined : (JSON.parse(row.methods) as string[]),
    concurrency: row.concurrency,
    startedAt: row.started_at,
    lastSeenAt: row.last_seen,
    unseenMs: Math.max(0, now - row.last_seen),
  }));
}

function stored(work: Work, address: string | number): StoredAddress | undefined {
  return typeof address === "number"
    ? work.connection.get<StoredAddress>("SELECT * FROM rpc_address WHERE id = ?", address)
    : work.connection.get<StoredAddress>("SELECT * FROM rpc_address WHERE name = ?", address);
}

function addressRow(row: StoredAddress): AddressRow {
  return { id: row.id, name: row.name, paused: row.paused === 1, createdAt: row.created_at };
}
