import { type Clock, RpcError, systemClock } from "@rpc/core";
import type { Pool } from "pg";
import { checkedIdentifier } from "../migrations.ts";

export interface PostgresStoreOptions {
  /**
   * `postgres://user:password@host:5432/database?sslmode=verify-full`, or a Pool of `pg` that the program has made: it stays the program's, and
   * is not closed with the store. Listening and leases have a connection each beside it, made with the pool's own settings.
   */
  readonly connection: string | Pool;
  /** Connections of a pool that the store makes. Default: 10. */
  readonly maxConnections?: number | undefined;
  /** Where the tables are; `migrate()` makes it. 1 to 40 of a-z, 0-9 and _. Default: `public`. */
  readonly schema?: string | undefined;
  /**
   * Who sends wake-ups. `app`: the store's own verbs, in the statement that is the reason. `trigger`: the database, so that a row written by
   * other programs in plain SQL wakes as well; claims and answers take about a tenth longer. `off`: nobody, agents and issuers poll.
   * `migrate()` makes and removes the triggers: the same for all processes on one schema. Default: `app`.
   */
  readonly notify?: "app" | "trigger" | "off" | undefined;
  /**
   * What is between here and the server. `session`: a pooler that gives out connections for as long as they are open; all works, and settings are
   * made after connecting, as it refuses them before. `transaction`: one that gives them out by the transaction. No LISTEN, no named statements.
   * Default: `none`.
   */
  readonly pooler?: "none" | "session" | "transaction" | undefined;
  /**
   * Of a pooler in transaction mode: it keeps the named statements of its clients, as PgBouncer does from 1.21 on where `max_prepared_statements`
   * is above 0. Then they are planned once, and not whenever they run, which is most of what a claim costs. Default: false.
   */
  readonly namedStatements?: boolean | undefined;
  /** Without LISTEN (`notify: "off"`, or a pooler): how often those who watch are told to look. Default: 1000. */
  readonly pollIntervalMs?: number | undefined;
  /** How long a verb waits for a connection; then RESOURCE_EXHAUSTED, reason `POOL_EXHAUSTED`, or UNAVAILABLE. Default: 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a statement may take; then UNAVAILABLE, reason `STATEMENT_TIMEOUT`, and its connection is given up. Default: 30,000. */
  readonly statementTimeoutMs?: number | undefined;
  /** How often the listening connection is asked whether it is alive: as long again it may take to answer. Default: 15,000. */
  readonly keepAliveMs?: number | undefined;
  /** For timers; instants are the server's. Default: the process's. */
  readonly clock?: Clock | undefined;
}

export interface PostgresSettings {
  readonly connection: string | Pool;
  readonly maxConnections: number;
  readonly schema: string;
  readonly notify: "app" | "trigger" | "off";
  readonly pooler: "none" | "session" | "transaction";
  /** By the transaction. */
  readonly isPooled: boolean;
  readonly isNamed: boolean;
  readonly pollIntervalMs: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly clock: Clock;
}

export function postgresSettings(options: PostgresStoreOptions): PostgresSettings {
  const { notify = "app", pooler = "none" } = options;
  oneOf("notify", notify, ["app", "trigger", "off"]);
  oneOf("pooler", pooler, ["none", "session", "transaction"]);
  return {
    connection: options.connection,
    maxConnections: whole("maxConnections", options.maxConnections ?? 10, 1000),
    schema: checkedIdentifier("schema", options.schema ?? "public"),
    notify,
    pooler,
    isPooled: pooler === "transaction",
    isNamed: pooler !== "transaction" || options.namedStatements === true,
    pollIntervalMs: whole("pollIntervalMs", options.pollIntervalMs ?? 1000, 3_600_000),
    connectTimeoutMs: whole("connectTimeoutMs", options.connectTimeoutMs ?? 10_000, 3_600_000),
    statementTimeoutMs: whole("statementTimeoutMs", options.statementTimeoutMs ?? 30_000, 3_600_000),
    keepAliveMs: whole("keepAliveMs", options.keepAliveMs ?? 15_000, 3_600_000),
    clock: options.clock ?? systemClock,
  };
}

/** For messages and logs: without user, password and parameters. */
export function endpointOf({ connection, schema }: PostgresSettings): string {
  return `postgres:${placeOf(connection)}/${schema}`;
}

function placeOf(connection: string | Pool): string {
  if (typeof connection !== "string") {
    const { host = "", port = "", database = "" } = connection.options;
    return `//${host}:${String(port)}/${database}`;
  }
  try {
    const url = new URL(connection);
    return `//${url.host}${url.pathname}`;
  } catch {
    throw new RpcError(
      "INVALID_ARGUMENT",
      "connection must be a URL such as postgres://user:password@host/database, or a Pool of pg",
    );
  }
}

function oneOf(option: string, value: string, among: readonly string[]): void {
  if (!among.includes(value))
    throw new RpcError(
      "INVALID_ARGUMENT",
      `${option} must be one of ${among.join(", ")}, got ${JSON.stringify(value)}`,
    );
}

function whole(option: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new RpcError("INVALID_ARGUMENT", `${option} must be a whole number from 1 to ${most}, got ${value}`);
}
