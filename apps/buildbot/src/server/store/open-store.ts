import { systemClock, type Clock } from "@rpc/core";
import { Kysely, type Transaction } from "kysely";
import { Migrator } from "kysely/migration";
import type { Handle, Kind } from "./dialect.ts";
import { begin } from "./migrations/0001-begin.ts";
import { keep } from "./migrations/0002-keep.ts";
import { cancelReason } from "./migrations/0003-cancel-reason.ts";
import { PoolDialect } from "./postgres-dialect.ts";
import { NodeSqliteDialect } from "./sqlite-dialect.ts";
import type { Tables } from "./tables.ts";

/** The database, or a transaction in it: every function of this folder takes either, unless it says otherwise. */
export type Db = Kysely<Tables>;

export interface Tx {
  readonly db: Transaction<Tables>;
  /** For `queue.inTransaction(handle, …)`. */
  readonly handle: Handle;
}

export interface StoreOptions {
  /** For timers. Default: the process's. */
  readonly clock?: Clock;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly wallClock?: () => number;
  /** Of SQLite: how long to wait while another process writes. Default: 5000. */
  readonly lockTimeoutMs?: number;
  /** Of PostgreSQL. Default: 10. */
  readonly maxConnections?: number;
}

export interface Store extends AsyncDisposable {
  readonly kind: Kind;
  /** For the command queue, which opens the same database: the URL of PostgreSQL, or SQLite's file. */
  readonly place: string;
  readonly db: Db;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /**
   * All or nothing. What `run` throws undoes it all. On SQLite one at a time, and nobody reads meanwhile: nothing slow in it, and inside of it
   * only its own `db`; `store.db` would wait for the transaction's end for ever. Where PostgreSQL has chosen it to end a deadlock, `run` is called
   * once more: what it does outside of the database must bear that.
   */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const MOST_TRIES = 5;

/** Brings the tables up to date. `place`: `postgres://…`, a file, or `:memory:`. Any number of processes may do it at once. */
export async function openStore(place: string, options: StoreOptions = {}): Promise<Store> {
  const { clock = systemClock, wallClock = Date.now, lockTimeoutMs = 5000, maxConnections = 10 } = options;
  const kind: Kind = /^postgres(ql)?:/.test(place) ? "postgres" : "sqlite";
  const dialect =
    kind === "sqlite"
      ? new NodeSqliteDialect({ file: place, clock, lockTimeoutMs })
      : new PoolDialect({ url: place, maxConnections });
  const db = new Kysely<Tables>({ dialect });
  try {
    await migrate(db, kind);
  } catch (thrown) {
    await db.destroy();
    throw thrown;
  }
  const close = (): Promise<void> => db.destroy();
  return {
    kind,
    place,
    db,
    clock,
    wallClock,
    transaction: (run) =>
      whenChosen(() => db.transaction().execute(async (trx) => run({ db: trx, handle: await handleOf(trx) }))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function migrate(db: Db, kind: Kind): Promise<void> {
  const migrations = { "0001-begin": begin(kind), "0002-keep": keep, "0003-cancel-reason": cancelReason };
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: "buildbot_migration",
    migrationLockTableName: "buildbot_migration_lock",
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw error instanceof Error ? error : new Error("the tables could not be brought up to date", { cause: error });
}

/** One of a deadlock's transactions is ended, so that the others can go on: it has its turn after them. */
async function whenChosen<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (thrown) {
      const isDeadlock = thrown instanceof Error && "code" in thrown && thrown.code === "40P01";
      if (!isDeadlock || tries === MOST_TRIES) throw thrown;
    }
  }
}

/** Both drivers' connections have it. */
function handleOf(trx: Transaction<Tables>): Promise<Handle> {
  return trx.getExecutor().provideConnection((connection) => {
    const { handle } = connection as unknown as { readonly handle: Handle };
    return Promise.resolve(handle);
  });
}
