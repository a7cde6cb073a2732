import { closeSync, fchmodSync, openSync } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { RpcError } from "@rpc/core";
import type { SqliteSettings } from "./options.ts";

/** A connection's statements, each prepared once. */
export class Connection {
  readonly database: DatabaseSync;
  readonly #prefix: string;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, prefix: string) {
    this.database = database;
    this.#prefix = prefix;
  }

  /** `sql` names the tables with `rpc_`. Constant texts only: they are kept for as long as the connection. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.once(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** For a text that was put together. */
  once(sql: string): StatementSync {
    return this.database.prepare(this.named(sql));
  }

  named(sql: string): string {
    return this.#prefix === "rpc_" ? sql : sql.replaceAll(/\brpc_/g, this.#prefix);
  }

  // The row's type is what the statement selects: the one place where it is taken on trust, from SQL in this folder.
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    const statement = this.statement(sql);
    try {
      return statement.get(...values) as Row | undefined;
    } catch (thrown) {
      if (!isTooLarge(thrown)) throw thrown;
      return readLarge(statement, values)[0] as Row | undefined;
    }
  }

  /** What writes as well must not return an integer of somebody else's that may be too large: it runs twice then. */
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.allOf<Row>(this.statement(sql), ...values);
  }

  allOf<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row[] {
    try {
      return statement.all(...values) as Row[];
    } catch (thrown) {
      if (!isTooLarge(thrown)) throw thrown;
      return readLarge(statement, values) as Row[];
    }
  }

  /** Rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.statement(sql).run(...values).changes);
  }

  /** The new row's id. */
  insert(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.statement(sql).run(...values).lastInsertRowid);
  }
}

// A column may hold any integer of 64 bits, nanoseconds say, of a program that writes to the tables by itself. One such row is not to hide others.
function isTooLarge(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ERR_OUT_OF_RANGE";
}

/** The last instant that a Date can be. */
const LARGEST = 8_640_000_000_000_000;

function readLarge(statement: StatementSync, values: readonly SQLInputValue[]): Record<string, unknown>[] {
  statement.setReadBigInts(true);
  try {
    const rows = statement.all(...values) as Record<string, unknown>[];
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, narrowed(value)])));
  } finally {
    statement.setReadBigInts(false);
  }
}

function narrowed(value: unknown): unknown {
  return typeof value === "bigint" ? Math.max(-LARGEST, Math.min(LARGEST, Number(value))) : value;
}

export function openConnection(settings: SqliteSettings): Connection {
  if (settings.file !== ":memory:") makeFile(settings.file, settings.fileMode);
  // Loaded when it is needed: Node 22 and 24 warn that it is experimental, which who uses PostgreSQL need not see.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(settings.file, { enableForeignKeyConstraints: true });
  try {
    // SQLite would wait by stopping the whole process. Whoever finds the database locked comes back by a timer.
    database.exec("PRAGMA busy_timeout = 0");
    const { journal_mode: mode } = database.prepare("PRAGMA journal_mode = WAL").get() as { journal_mode: string };
    if (mode !== "wal" && mode !== "memory") {
      throw new RpcError(
        "FAILED_PRECONDITION",
        `sqlite ${settings.file}: no write-ahead log here (journal_mode ${mode}): use a local disk`,
        { reason: "NO_WAL", delivered: "no" },
      );
    }
    database.exec(`PRAGMA synchronous = ${settings.synchronous === "full" ? "FULL" : "NORMAL"}`);
    if (settings.maxFileBytes !== undefined) {
      const { page_size: pageBytes } = database.prepare("PRAGMA page_size").get() as { page_size: number };
      database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(settings.maxFileBytes / pageBytes))}`);
    }
    return new Connection(database, settings.tablePrefix);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

// SQLite would make it readable for everybody, whatever the umask leaves of that; its two other files take over the mode of the first.
function makeFile(file: string, mode: number): void {
  try {
    const opened = openSync(file, "wx", mode);
    fchmodSync(opened, mode);
    closeSync(opened);
  } catch {
    // It is there, or cannot be made: SQLite's own message says which.
  }
}
