import {
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryCompiler,
  type QueryResult,
} from "kysely";
import { Pool, type PoolClient, TypeOverrides, types } from "pg";

export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`. */
  readonly url: string;
  readonly maxConnections: number;
}

/** Kysely's own dialect, but that a transaction shows its client, and that a bigint is a number. */
export class PoolDialect implements Dialect {
  readonly #options: PostgresOptions;

  constructor(options: PostgresOptions) {
    this.#options = options;
  }

  createDriver(): Driver {
    return new PoolDriver(this.#options);
  }

  createAdapter(): DialectAdapter {
    return new PostgresAdapter();
  }

  createQueryCompiler(): QueryCompiler {
    return new PostgresQueryCompiler();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new PostgresIntrospector(db);
  }
}

// Ids, instants and counts stay far below 2^53; all else is read as `pg` does.
class Types extends TypeOverrides {
  constructor() {
    super();
    this.setTypeParser(types.builtins.INT8, Number);
  }
}

class PoolDriver implements Driver {
  readonly #options: PostgresOptions;
  readonly #connections = new WeakMap<PoolClient, PoolConnection>();
  #pool: Pool | undefined;

  constructor(options: PostgresOptions) {
    this.#options = options;
  }

  async init(): Promise<void> {
    const { url, maxConnections } = this.#options;
    this.#pool = new Pool({
      connectionString: url,
      max: maxConnections,
      types: new Types(),
      connectionTimeoutMillis: 10_000,
      application_name: "buildbot",
    });
    // An idle connection that breaks is replaced at the next use; without a listener it would end the process. The pool does not listen to one that
    // it has given out: what breaks between two statements of a transaction is told by the next of them.
    this.#pool.on("error", ignore);
    this.#pool.on("connect", (client) => void client.on("error", ignore));
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#pool === undefined) throw new Error("the database has been closed");
    const client = await this.#pool.connect();
    let connection = this.#connections.get(client);
    if (connection === undefined) {
      connection = new PoolConnection(client);
      this.#connections.set(client, connection);
    }
    return connection;
  }

  async beginTransaction(connection: PoolConnection): Promise<void> {
    await connection.handle.query("begin");
  }

  async commitTransaction(connection: PoolConnection): Promise<void> {
    const { command } = await connection.handle.query("commit");
    // The server answers so when a statement had failed and the failure was swallowed.
    if (command === "ROLLBACK") throw new Error("the transaction had failed before its commit and was rolled back");
  }

  async rollbackTransaction(connection: PoolConnection): Promise<void> {
    try {
      await connection.handle.query("rollback");
    } catch (thrown) {
      connection.isBroken = true;
      throw thrown;
    }
  }

  async releaseConnection(connection: PoolConnection): Promise<void> {
    connection.handle.release(connection.isBroken);
  }

  async destroy(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}

class PoolConnection implements DatabaseConnection {
  readonly handle: PoolClient;
  isBroken = false;

  constructor(handle: PoolClient) {
    this.handle = handle;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, rowCount } = await this.handle.query(query.sql, [...query.parameters]);
    return { rows: rows as Row[], ...(rowCount === null ? {} : { numAffectedRows: BigInt(rowCount) }) };
  }

  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("nothing is streamed from the database: ask for pages");
  }
}

function ignore(): void {
  // Whoever uses the connection next is told.
}
