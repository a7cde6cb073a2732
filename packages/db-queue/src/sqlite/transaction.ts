import { realpathSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { RpcError } from "@rpc/core";
import { storeClosedError } from "../store/store-errors.ts";
import type { StoreTransaction } from "../store/store.ts";
import { ensureAddress, removeAddress } from "./addresses.ts";
import { cancelCommand } from "./cancel.ts";
import { Connection } from "./connection.ts";
import { inSavepoint } from "./group-commit.ts";
import { insertCommands } from "./insert.ts";
import type { SqliteSettings } from "./options.ts";
import { bumpWake } from "./publish.ts";
import { sqliteError } from "./status.ts";
import { Work } from "./work.ts";

/**
 * Verbs on a connection of the caller's own, which run at once, before their promise is given back. Their wake-ups come from the commit
 * itself: it shows in `data_version`, here as in every other process.
 */
export class CallersTransactions {
  readonly #settings: SqliteSettings;
  readonly #isClosed: () => boolean;
  /** Their statements, for as long as the caller keeps the handle. */
  readonly #connections = new WeakMap<DatabaseSync, Connection>();

  constructor(settings: SqliteSettings, isClosed: () => boolean) {
    this.#settings = settings;
    this.#isClosed = isClosed;
  }

  begin(handle: unknown): StoreTransaction {
    const connection = this.#connectionOf(handle);
    const run = <T>(verb: (work: Work) => T): Promise<T> => {
      try {
        if (this.#isClosed()) throw storeClosedError(`sqlite ${this.#settings.file}`);
        // Asked each time: a verb outside would be a transaction of its own, committed behind the caller's back.
        this.#mustBeInTransaction(connection.database);
        return Promise.resolve(inSavepoint(new Work(connection, this.#settings), verb));
      } catch (thrown) {
        return Promise.reject(sqliteError(thrown, this.#settings.file));
      }
    };
    this.#mustBeInTransaction(connection.database);
    return {
      ensureAddress: (name) => run((work) => ensureAddress(work, name)),
      removeAddress: (name) => run((work) => removeAddress(work, name)),
      insert: (commands) => run((work) => insertCommands(work, commands)),
      cancel: (cancels) => run((work) => cancels.map((cancel) => cancelCommand(work, cancel))),
      publish: (topics) => run((work) => bumpWake(work, topics)),
    };
  }

  #connectionOf(handle: unknown): Connection {
    if (!isDatabase(handle)) {
      throw new RpcError("FAILED_PRECONDITION", "inTransaction() needs a DatabaseSync of node:sqlite that is open", {
        reason: "NOT_THIS_STORE",
      });
    }
    let connection = this.#connections.get(handle);
    if (connection === undefined) {
      this.#mustBeThisFile(handle);
      connection = new Connection(handle, this.#settings.tablePrefix);
      this.#connections.set(handle, connection);
    }
    return connection;
  }

  #mustBeThisFile(database: DatabaseSync): void {
    const main = database.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get();
    // Empty for a database in memory, which nobody can share.
    const file = String(main?.["file"] ?? "");
    if (isSameFile(file, this.#settings.file)) return;
    throw new RpcError(
      "FAILED_PRECONDITION",
      `inTransaction() needs a handle on ${this.#settings.file}, got ${file === "" ? "one in memory" : file}`,
      { reason: "NOT_THIS_STORE" },
    );
  }

  #mustBeInTransaction(database: DatabaseSync): void {
    try {
      // The question that every version of Node understands: it fails inside of a transaction.
      database.exec("BEGIN");
    } catch (thrown) {
      if (thrown instanceof Error && thrown.message.includes("within a transaction")) return;
      throw sqliteError(thrown, this.#settings.file);
    }
    database.exec("ROLLBACK");
    throw new RpcError("FAILED_PRECONDITION", "inTransaction() needs a transaction: BEGIN before, COMMIT after it", {
      reason: "NO_TRANSACTION",
    });
  }
}

function isDatabase(handle: unknown): handle is DatabaseSync {
  return handle instanceof process.getBuiltinModule("node:sqlite").DatabaseSync;
}

function isSameFile(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
