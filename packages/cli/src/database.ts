import { existsSync } from "node:fs";
import { createPostgresStore, createSqliteStore, type PostgresStoreOptions, type QueueStore } from "@rpc/db-queue";
import { UsageError } from "./problems.ts";

/** Where the queue is, as the options of the command line say it. */
export interface DatabaseOptions {
  readonly database?: string;
  readonly schema?: string;
  readonly tablePrefix?: string;
  readonly notify?: NonNullable<PostgresStoreOptions["notify"]>;
  readonly pooler?: NonNullable<PostgresStoreOptions["pooler"]>;
}

const FORMS = "sqlite:<file> or postgres://user@host/database";

/** `--database`, or what the environment has in its place. */
export function databaseUrl({ database }: DatabaseOptions): string | undefined {
  const { RPC_QUEUE_DATABASE: own, DATABASE_URL: usual } = process.env;
  return database ?? (own || usual || undefined);
}

/** Connects to nothing yet. `makes`: a file that is not there is made; else it is a mistake, and an empty file would hide it. */
export function openStore(options: DatabaseOptions, makes: boolean): QueueStore {
  const url = databaseUrl(options);
  if (url === undefined) throw new UsageError(`no database: give --database ${FORMS}, or set RPC_QUEUE_DATABASE`);
  const scheme = /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase();
  const { schema, tablePrefix, notify, pooler } = options;
  if (scheme === "sqlite") {
    refuse({ schema, notify, pooler }, "PostgreSQL");
    return createSqliteStore({ file: sqliteFile(url, makes), tablePrefix });
  }
  if (scheme === "postgres" || scheme === "postgresql") {
    refuse({ tablePrefix }, "SQLite");
    return createPostgresStore({ connection: url, schema, notify, pooler, maxConnections: 2 });
  }
  // The rest of it may be a secret.
  throw new UsageError(`the database must be ${FORMS}${scheme === undefined ? "" : `, got ${scheme}:…`}`);
}

function sqliteFile(url: string, makes: boolean): string {
  const file = url.slice("sqlite:".length).replace(/^\/\//, "");
  if (file === "" || file === ":memory:") throw new UsageError("sqlite: needs a file, as in sqlite:queue.db");
  if (!makes && !existsSync(file))
    throw new Error(`no file ${file}: look at --database, or make it with \`rpc-queue migrate\``);
  return file;
}

function refuse(options: Readonly<Record<string, string | undefined>>, owner: string): void {
  const [given] = Object.entries(options).find(([, value]) => value !== undefined) ?? [];
  if (given === undefined) return;
  throw new UsageError(`--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is for ${owner} only`);
}
