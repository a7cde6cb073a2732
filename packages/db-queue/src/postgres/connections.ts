import { createHash } from "node:crypto";
import { RpcError } from "@rpc/core";
import {
  type CustomTypesConfig,
  Pool,
  type PoolClient,
  type PoolConfig,
  type QueryArrayConfig,
  type QueryConfig,
} from "pg";
import { storeClosedError } from "../store/store-errors.ts";
import { arrayText } from "./array-text.ts";
import { endpointOf, type PostgresSettings } from "./options.ts";
import { isConnectionLost, isStalePlan, isTimeout, isWorthRepeating, postgresError } from "./status.ts";

/** A statement of this package. The name is of its text: equal on all connections, also on those that a program shares with others. */
export interface Statement {
  readonly text: string;
  readonly name: string;
}

export type Value = string | number | boolean | null | readonly (string | number | boolean | null)[];

/** One row, in the order of the statement's columns: text, number, boolean or null. */
export type Row = readonly unknown[];

/** One connection, or any of several. */
export interface Session {
  rows(statement: Statement, values: readonly Value[]): Promise<readonly Row[]>;
}

export interface RunOptions {
  /** The verb may run twice: after a lost connection it is tried again on another. */
  readonly isIdempotent?: boolean | undefined;
  /** How long a statement may take, when less than the settings allow; "any": as long as it takes. */
  readonly timeoutMs?: number | "any" | undefined;
}

const MIN_VERSION = 140_000;
const MAX_TRIES = 4;
/** The server's own limit comes first: its answer leaves the connection usable. */
const GRACE_MS = 1000;

// Plans are kept for as long as a connection, and the first ones are of tables that are small: whatever reads a table whole, or sorts it, is wrong
// a minute later. The planner does not know how few rows a limit or a list stands for, and would plan each claim anew, which takes as long as the
// claim. A program's own pool is left as it is; its statements are planned well once the tables have been analyzed.
const PLANS = [
  "jit=off",
  "plan_cache_mode=force_generic_plan",
  "enable_seqscan=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
  "enable_sort=off",
];

const INT8 = 20;
const NUMBERS: ReadonlySet<number> = new Set([INT8, 21, 23, 700, 701, 1700]);
const BOOLEAN = 16;

// Of its own, whatever the program has told `pg` about its types.
const TYPES: CustomTypesConfig = {
  getTypeParser: (type: number) => {
    if (NUMBERS.has(type)) return Number;
    if (type === BOOLEAN) return (text: string) => text === "t";
    return (text: string) => text;
  },
};

/** `rpc_` names in a statement are those of the schema. */
export function statementIn(schema: string): (text: string) => Statement {
  return (text) => {
    const qualified = text.replaceAll(/\brpc_\w+/g, (name) => `"${schema}".${name}`);
    return { text: qualified, name: `rpcq_${createHash("sha1").update(qualified).digest("hex").slice(0, 24)}` };
  };
}

/** Statements on connections of a pool, each a transaction of its own unless it is asked for otherwise. */
export class Connections {
  readonly #settings: PostgresSettings;
  readonly #pool: Pool;
  readonly #ownsPool: boolean;
  readonly #endpoint: string;
  readonly #busy = new Set<Promise<unknown>>();
  /** Connections through a pooler that have been told what others say at their beginning. */
  readonly #told = new WeakSet<PoolClient>();
  #version: Promise<void> | undefined;
  #isClosed = false;

  constructor(settings: PostgresSettings, pool: Pool, ownsPool: boolean) {
    this.#settings = settings;
    this.#pool = pool;
    this.#ownsPool = ownsPool;
    this.#endpoint = endpointOf(settings);
    pool.on("error", ignore);
    pool.on("connect", hearFirstBreath);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Statements that are a transaction each. `isRepeat`: what came before may have been kept, its answer was lost. */
  run<T>(verb: (session: Session, isRepeat: boolean) => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.#run(verb, options);
  }

  /** BEGIN, what the verb does, COMMIT. */
  transaction<T>(verb: (session: ClientSession) => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.#run(async (session) => {
      await session.raw("BEGIN");
      try {
        const result = await verb(session);
        await session.raw("COMMIT");
        return result;
      } catch (thrown) {
        // Where there is none any more, there is nothing to roll back.
        if (!isLostUnderIt(thrown)) await session.raw("ROLLBACK");
        throw thrown;
      }
    }, options);
  }

  /** Waits for what was asked for, then ends the pool if it is the store's. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#busy);
    if (this.#ownsPool) await this.#pool.end();
    else this.#pool.off("error", ignore).off("connect", hearFirstBreath);
  }

  #run<T>(verb: (session: ClientSession, isRepeat: boolean) => Promise<T>, options: RunOptions): Promise<T> {
    if (this.#isClosed) return Promise.reject(storeClosedError(this.#endpoint));
    const running = this.#untilDone(verb, options);
    this.#busy.add(running);
    const done = (): void => void this.#busy.delete(running);
    running.then(done, done);
    return running;
  }

  async #untilDone<T>(
    verb: (session: ClientSession, isRepeat: boolean) => Promise<T>,
    options: RunOptions,
  ): Promise<T> {
    let isRepeat = false;
    for (let tries = 1; ; tries += 1) {
      const client = await this.#acquire().catch((thrown: unknown) => {
        throw isRepeat ? perhapsKept(RpcError.from(thrown)) : thrown;
      });
      let isUseless = false;
      try {
        return await verb(new ClientSession(client, this.#settings, options.timeoutMs), isRepeat);
      } catch (thrown) {
        const isLost = isLostUnderIt(thrown);
        isUseless = isLost || isStalePlan(thrown);
        const again = isWorthRepeating(thrown) || (isLost && !isTimeout(thrown) && options.isIdempotent === true);
        if (!again || tries === MAX_TRIES) throw postgresError(thrown, this.#endpoint, "unknown");
        isRepeat ||= isLost;
      } finally {
        // Whoever has lost its connection, or its plans, is not to be given out again; it may still have an error to tell, which nobody wants.
        if (!isUseless) client.off("error", ignore);
        client.release(isUseless);
      }
    }
  }

  async #acquire(): Promise<PoolClient> {
    const client = await this.#connect();
    // A connection that is lost between two statements says so by an event, which would end the process.
    client.on("error", ignore);
    try {
      this.#version ??= checkVersion(client, this.#endpoint, this.#settings.connectTimeoutMs);
      await this.#version;
      if (this.#ownsPool && this.#settings.pooler === "session") await this.#tell(client);
      return client;
    } catch (thrown) {
      this.#version = undefined;
      client.release(true);
      if (isTimeout(thrown) && this.#settings.pooler !== "none") throw this.#withheld();
      throw postgresError(thrown, this.#endpoint);
    }
  }

  async #tell(client: PoolClient): Promise<void> {
    if (this.#told.has(client)) return;
    const settings = [...PLANS, `statement_timeout=${this.#settings.statementTimeoutMs}`];
    const text = settings.map((setting) => `SET ${setting}`).join("; ");
    const query: QueryConfig & { query_timeout: number } = { text, query_timeout: this.#settings.connectTimeoutMs };
    await client.query(query);
    this.#told.add(client);
  }

  #connect(): Promise<PoolClient> {
    const { clock, connectTimeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      let isLate = false;
      const { idleCount, waitingCount, totalCount, options } = this.#pool;
      // An idle one is given out in the next turn, and to those first who have asked before. Only then is there nothing to wait for.
      const isServed = idleCount > waitingCount;
      const isWaiting = !isServed && totalCount >= (options.max ?? 10);
      const timer = isServed
        ? undefined
        : clock.setTimeout(() => {
            isLate = true;
            reject(isWaiting ? this.#exhausted() : this.#unreachable());
          }, connectTimeoutMs);
      this.#pool.connect().then(
        (client) => {
          clock.clearTimeout(timer);
          if (isLate) client.release();
          else resolve(client);
        },
        (thrown: unknown) => {
          clock.clearTimeout(timer);
          const isFull = thrown instanceof Error && thrown.message.startsWith("timeout exceeded");
          reject(isFull && isWaiting ? this.#exhausted() : postgresError(thrown, this.#endpoint));
        },
      );
    });
  }

  #exhausted(): RpcError {
    return new RpcError(
      "RESOURCE_EXHAUSTED",
      `${this.#endpoint}: all ${this.#pool.totalCount} connections have been in use for ${this.#settings.connectTimeoutMs} ms: raise maxConnections, or look for who keeps them`,
      { reason: "POOL_EXHAUSTED", delivered: "no", retryable: true },
    );
  }

  /** A pooler lets everybody in, and has them wait at their first word. */
  #withheld(): RpcError {
    return new RpcError(
      "RESOURCE_EXHAUSTED",
      `${this.#endpoint}: the pooler has had no connection to give for ${this.#settings.connectTimeoutMs} ms: raise its pool size, or lower maxConnections`,
      { reason: "POOL_EXHAUSTED", delivered: "no", retryable: true },
    );
  }

  #unreachable(): RpcError {
    return new RpcError(
      "UNAVAILABLE",
      `${this.#endpoint}: no connection within ${this.#settings.connectTimeoutMs} ms`,
      {
        reason: "CONNECTION_LOST",
        delivered: "no",
      },
    );
  }
}

/** One connection of a pool, while it is lent. */
export class ClientSession implements Session {
  readonly #client: Pick<PoolClient, "query">;
  readonly #isNamed: boolean;
  readonly #timeoutMs: number;

  constructor(
    client: Pick<PoolClient, "query">,
    settings: PostgresSettings,
    timeoutMs: number | "any" = Number.POSITIVE_INFINITY,
  ) {
    this.#client = client;
    this.#isNamed = settings.isNamed;
    // 0 is pg's word for no limit.
    this.#timeoutMs = timeoutMs === "any" ? 0 : Math.ceil(Math.min(timeoutMs, settings.statementTimeoutMs + GRACE_MS));
  }

  async rows(statement: Statement, values: readonly Value[]): Promise<readonly Row[]> {
    const query: QueryArrayConfig & { query_timeout: number } = {
      text: statement.text,
      values: values.map((value) => (typeof value === "object" && value !== null ? arrayText(value) : value)),
      rowMode: "array",
      types: TYPES,
      query_timeout: this.#timeoutMs,
      ...(this.#isNamed ? { name: statement.name } : {}),
    };
    return (await this.#client.query(query)).rows;
  }

  /** Without parameters and result; several statements are one transaction. */
  async raw(text: string): Promise<void> {
    const query: QueryConfig & { query_timeout: number } = { text, query_timeout: this.#timeoutMs };
    await this.#client.query(query);
  }
}

/** How the store's own connections are made; the program's pool is asked for its settings. */
export function connectionConfig(settings: PostgresSettings): PoolConfig {
  if (typeof settings.connection !== "string") {
    const { options } = settings.connection;
    // pg hides a pool's password from enumeration, and with it from every copy.
    return options.password === undefined ? { ...options } : { ...options, password: options.password };
  }
  return {
    connectionString: settings.connection,
    max: settings.maxConnections,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    application_name: "rpc-db-queue",
    // A connection that nobody uses keeps no process alive.
    allowExitOnIdle: true,
    keepAlive: true,
    // Poolers know few parameters of a session's beginning, and refuse it for the others.
    ...(settings.pooler === "none"
      ? {
          statement_timeout: settings.statementTimeoutMs,
          options: PLANS.map((setting) => `-c ${setting}`).join(" "),
        }
      : {}),
  };
}

export function createPool(config: PoolConfig): Pool {
  return new Pool(config);
}

async function checkVersion(client: PoolClient, endpoint: string, timeoutMs: number): Promise<void> {
  const query: QueryConfig & { query_timeout: number } = {
    text: "SELECT current_setting('server_version_num') AS version",
    query_timeout: timeoutMs,
  };
  const { rows } = await client.query<{ version: string }>(query);
  const version = Number(rows[0]?.version);
  if (version >= MIN_VERSION) return;
  throw new RpcError(
    "FAILED_PRECONDITION",
    `${endpoint}: needs PostgreSQL 14 or newer, this is ${Math.floor(version / 10_000)}`,
    {
      reason: "DATABASE_TOO_OLD",
      delivered: "no",
    },
  );
}

/** That there is no connection now says nothing of the try before. */
function perhapsKept({ code, message, reason, retryable, cause }: RpcError): RpcError {
  return new RpcError(code, message, { reason, retryable, cause, delivered: "unknown" });
}

function isLostUnderIt(thrown: unknown): boolean {
  return !(thrown instanceof RpcError) && isConnectionLost(thrown);
}

/**
 * The pool listens to a new connection no more when it gives it out, and whoever has asked for it listens a microtask later. What the server says
 * in the same breath as that it is ready, such as that an administrator has ended the connection, would end the process.
 */
function hearFirstBreath(client: PoolClient): void {
  client.on("error", ignore);
  setImmediate(() => client.off("error", ignore));
}

function ignore(): void {
  // Whoever uses the connection next is told.
}
