import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { type Clock, RpcError } from "@rpc/core";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";

const LONGEST_PAUSE_MS = 50;
const MOST_STATEMENTS = 500;

export interface SqliteOptions {
  /** The file, or `:memory:`. */
  readonly file: string;
  readonly clock: Clock;
  /** How long to wait while another process writes. */
  readonly lockTimeoutMs: number;
}

/** One connection of node:sqlite. Kysely gives it to one at a time: who is in a transaction keeps all others out. */
export class NodeSqliteDialect implements Dialect {
  readonly #options: SqliteOptions;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#options);
  }

  createAdapter(): DialectAdapter {
    return new Adapter();
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

class Adapter extends SqliteAdapter {
  // It does; Kysely is careful on behalf of other drivers. A migration is all there or not at all, and two processes take turns.
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver implements Driver {
  readonly #options: SqliteOptions;
  #connection: SqliteConnection | undefined;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    // Loaded when it is needed: Node 22 and 24 warn that it is experimental, which who uses PostgreSQL need not see.
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const database = new DatabaseSync(this.#options.file, { enableForeignKeyConstraints: true });
    this.#connection = new SqliteConnection(database, this.#options);
    // SQLite would wait by stopping the whole process. Who finds the database locked comes back by a timer.
    database.exec("pragma busy_timeout = 0");
    await this.#connection.patiently(() => database.exec("pragma journal_mode = wal"));
    database.exec("pragma synchronous = full");
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#used());
  }

  // Takes the lock for writing at once: a transaction that began by reading could not wait for it any more.
  async beginTransaction(): Promise<void> {
    const connection = this.#used();
    await connection.patiently(() => connection.handle.exec("begin immediate"));
    connection.isInTransaction = true;
  }

  async commitTransaction(): Promise<void> {
    const connection = this.#used();
    connection.handle.exec("commit");
    connection.isInTransaction = false;
  }

  async rollbackTransaction(): Promise<void> {
    const connection = this.#used();
    connection.isInTransaction = false;
    try {
      connection.handle.exec("rollback");
    } catch {
      // SQLite has rolled back by itself, on a full disk for example.
    }
  }

  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }

  async destroy(): Promise<void> {
    this.#connection?.handle.close();
    this.#connection = undefined;
  }

  #used(): SqliteConnection {
    if (this.#connection === undefined) throw new RpcError("FAILED_PRECONDITION", "the database has been closed");
    return this.#connection;
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly handle: DatabaseSync;
  /** The lock for writing is held: nothing in it has to wait. */
  isInTransaction = false;
  readonly #options: SqliteOptions;
  readonly #statements = new Map<string, StatementSync>();

  constructor(handle: DatabaseSync, options: SqliteOptions) {
    this.handle = handle;
    this.#options = options;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const statement = this.#statement(query.sql);
    const values = query.parameters as readonly SQLInputValue[];
    if (this.isInTransaction) return run<Row>(statement, query, values);
    return this.patiently(() => run<Row>(statement, query, values));
  }

  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    for (const row of this.handle.prepare(query.sql).iterate(...(query.parameters as readonly SQLInputValue[]))) {
      yield { rows: [row as Row] };
    }
  }

  async patiently<T>(attempt: () => T): Promise<T> {
    const { clock, lockTimeoutMs } = this.#options;
    const until = clock.now() + lockTimeoutMs;
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return attempt();
      } catch (thrown) {
        if (!isBusy(thrown)) throw thrown;
        if (clock.now() >= until) {
          const text = `sqlite ${this.#options.file}: another process has been writing for ${lockTimeoutMs} ms`;
          throw new RpcError("UNAVAILABLE", text, { reason: "DATABASE_LOCKED", delivered: "no", cause: thrown });
        }
      }
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, pauseMs);
      });
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      // Filters and lists make texts without end.
      if (this.#statements.size >= MOST_STATEMENTS) this.#statements.clear();
      statement = this.handle.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function run<Row>(
  statement: StatementSync,
  { query, sql }: CompiledQuery,
  values: readonly SQLInputValue[],
): QueryResult<Row> {
  const gives = query.kind === "RawNode" ? /^\s*(select|with|pragma|explain)\b/i.test(sql) : givesRows(query);
  if (gives) return { rows: statement.all(...values) as Row[] };
  const { changes, lastInsertRowid } = statement.run(...values);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}

function givesRows(query: CompiledQuery["query"]): boolean {
  return query.kind === "SelectQueryNode" || ("returning" in query && query.returning !== undefined);
}

function isBusy(thrown: unknown): boolean {
  // SQLITE_BUSY with all its kinds.
  return thrown instanceof Error && "errcode" in thrown && (Number(thrown.errcode) & 0xff) === 5;
}
