import { RpcError } from "@rpc/core";
import { storeClosedError } from "../store/store-errors.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { SqliteSettings } from "./options.ts";
import { isBusy, sqliteError } from "./status.ts";
import type { Served } from "./wake-ups.ts";
import { Work } from "./work.ts";

/** Verbs of one transaction; what comes beyond goes into the next, so that other processes get their turn. */
const MAX_VERBS = 1000;
/** How long the pause before the next look at a locked database grows. */
const LONGEST_PAUSE_MS = 10;
/** It begins to grow after this: between two commits of a busy process there is less than a millisecond, which long pauses never hit. */
const EAGER_MS = 50;
/** Of a process that commits without a pause while others want to write as well: so long it may go on, then it leaves them so long a gap. */
const TURN_MS = 20;
const GAP_MS = 2;
/** Others who have written so lately may be waiting to write again. */
const COMPANY_MS = 2000;

const MAX_ENDED = 10_000;
const ENDED_SINCE = `SELECT id FROM rpc_command
  WHERE state IN ('done', 'failed', 'expired', 'cancelled') AND finished_at >= ? LIMIT ${MAX_ENDED + 1}`;

interface Verb {
  readonly isWrite: boolean;
  readonly run: (work: Work) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: RpcError) => void;
}

/** Who has to do with what a transaction has made ready. */
export interface Followers {
  /** Before the commit: what may still go into it. Gives what is told after it. Throws when the transaction is gone. */
  join(work: Work): readonly Served[];
  committed(work: Work, served: readonly Served[]): void;
}

/**
 * One connection, whose verbs are gathered for a turn of the event loop and committed together: with `synchronous = FULL` it is the commit
 * that costs. Verbs run in the order in which they were called; one that fails undoes nothing but itself.
 */
export class GroupCommit {
  readonly #settings: SqliteSettings;
  readonly #followers: Followers;
  #connection: Connection | undefined;
  #verbs: Verb[] = [];
  #isScheduled = false;
  /** When it was first found locked. */
  #lockedSince: number | undefined;
  #pauseMs = 1;
  /** Since when it has committed without a gap. */
  #turnSince = Number.NEGATIVE_INFINITY;
  #committedAt = Number.NEGATIVE_INFINITY;
  /** Of others' commits, as far as was looked, and when they were seen. */
  #othersVersion: number | undefined;
  #othersAt = Number.NEGATIVE_INFINITY;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(settings: SqliteSettings, followers: Followers) {
    this.#settings = settings;
    this.#followers = followers;
  }

  read<T>(run: (work: Work) => T): Promise<T> {
    return this.#gather(run, false);
  }

  write<T>(run: (work: Work) => T): Promise<T> {
    return this.#gather(run, true);
  }

  /** Changes whenever another connection has committed; undefined: not open yet, or cannot tell now. */
  dataVersion(): number | undefined {
    try {
      return this.#connection?.get<{ data_version: number }>("PRAGMA data_version")?.data_version;
    } catch {
      return undefined;
    }
  }

  /** Commands that have ended at this instant or later; undefined: cannot tell now, or more than are worth a list. */
  endedSince(at: number): readonly number[] | undefined {
    try {
      const rows = this.#connection?.all<{ readonly id: number }>(ENDED_SINCE, at);
      return rows === undefined || rows.length > MAX_ENDED ? undefined : rows.map(({ id }) => id);
    } catch {
      return undefined;
    }
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      if (this.#verbs.length === 0) this.#end();
    }
    return this.#closing.promise;
  }

  #gather<T>(run: (work: Work) => T, isWrite: boolean): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(storeClosedError(`sqlite ${this.#settings.file}`));
    return new Promise<T>((resolve, reject) => {
      // What `run` gives is what `resolve` takes: the list between them cannot say so.
      this.#verbs.push({ isWrite, run, resolve: resolve as (value: unknown) => void, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Not a microtask: what follows from one commit's answers, call upon call, goes into the next commit together.
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const isWrite = this.#verbs.some((verb) => verb.isWrite);
    if (isWrite && this.#leavesGap()) return;
    const connection = this.#begin(isWrite);
    if (connection === undefined) return;
    const verbs = this.#verbs.splice(0, MAX_VERBS);
    const work = new Work(connection, this.#settings);
    let results = runVerbs(verbs, work, this.#settings.file);
    let served: readonly Served[] = [];
    if (!(results instanceof RpcError) && work.topics.size > 0) {
      try {
        served = this.#followers.join(work);
      } catch (thrown) {
        results = sqliteError(thrown, this.#settings.file);
      }
    }
    const lost = this.#commit(connection, results);
    if (isWrite) this.#committedAt = this.#settings.clock.now();
    if (lost === undefined && work.topics.size > 0) this.#followers.committed(work, served);
    answer(verbs, lost ?? results);
    if (this.#verbs.length > 0) this.#schedule();
    else if (this.#closing !== undefined) this.#end();
  };

  /**
   * Nobody else finds the lock free between commits that follow each other at once: SQLite has no queue. True: this one comes after a gap.
   * Others are looked for once in a turn, not before each commit.
   */
  #leavesGap(): boolean {
    const { clock } = this.#settings;
    const now = clock.now();
    if (now - this.#committedAt >= GAP_MS) this.#turnSince = now;
    if (now - this.#turnSince < TURN_MS) return false;
    this.#turnSince = now;
    const version = this.dataVersion();
    if (this.#othersVersion !== undefined && version !== this.#othersVersion) this.#othersAt = now;
    this.#othersVersion = version;
    if (now - this.#othersAt >= COMPANY_MS) return false;
    this.#isScheduled = true;
    clock.setTimeout(this.#flush, GAP_MS);
    return true;
  }

  /** Undefined: it is locked, and tried again later, or nothing can be done and all have been told. */
  #begin(isWrite: boolean): Connection | undefined {
    try {
      this.#connection ??= openConnection(this.#settings);
      beginTransaction(this.#connection, isWrite);
      this.#lockedSince = undefined;
      this.#pauseMs = 1;
      return this.#connection;
    } catch (thrown) {
      if (isBusy(thrown) && this.#mayWait()) {
        // Whoever has the lock needs no gap.
        this.#committedAt = Number.NEGATIVE_INFINITY;
        this.#isScheduled = true;
        // Spread, so that those who wait do not all come back at once.
        this.#settings.clock.setTimeout(this.#flush, this.#pauseMs * (0.5 + this.#settings.random()));
        if (this.#waitedMs >= EAGER_MS) this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
        return undefined;
      }
      this.#lockedSince = undefined;
      this.#pauseMs = 1;
      const error = sqliteError(thrown, this.#settings.file);
      for (const verb of this.#verbs.splice(0)) verb.reject(error);
      if (this.#closing !== undefined) this.#end();
      return undefined;
    }
  }

  #mayWait(): boolean {
    this.#lockedSince ??= this.#settings.clock.now();
    return this.#waitedMs < this.#settings.lockTimeoutMs;
  }

  get #waitedMs(): number {
    return this.#lockedSince === undefined ? 0 : this.#settings.clock.now() - this.#lockedSince;
  }

  /** Gives why it has not come about. */
  #commit(connection: Connection, results: unknown): RpcError | undefined {
    try {
      if (results instanceof RpcError) throw results;
      connection.database.exec("COMMIT");
      return undefined;
    } catch (thrown) {
      rollBack(connection);
      // A failed write at the very end may or may not be found when the log is read again.
      const isUnknown = !(thrown instanceof RpcError) && !isFull(thrown);
      return sqliteError(thrown, this.#settings.file, isUnknown ? "unknown" : "no");
    }
  }

  #end(): void {
    try {
      this.#connection?.database.close();
    } catch {
      // Nothing is gathered any more, and there is nobody whom it could concern.
    }
    this.#connection = undefined;
    this.#closing?.resolve();
  }
}

/** A verb that threw; another class than RpcError, which a verb may well give back. */
class VerbFailure {
  readonly error: RpcError;
  constructor(error: RpcError) {
    this.error = error;
  }
}

/** A verb may well give an RpcError back: instead of the list it means that all have failed. */
function answer(verbs: readonly Verb[], results: readonly unknown[] | RpcError): void {
  for (const [index, verb] of verbs.entries()) {
    const result = results instanceof RpcError ? new VerbFailure(results) : results[index];
    if (result instanceof VerbFailure) verb.reject(result.error);
    else verb.resolve(result);
  }
}

/** What each verb gave, or an RpcError when the transaction is gone. */
function runVerbs(verbs: readonly Verb[], work: Work, file: string): unknown[] | RpcError {
  const results: unknown[] = [];
  for (const verb of verbs) {
    try {
      results.push(verb.isWrite ? inSavepoint(work, verb.run) : verb.run(work));
    } catch (thrown) {
      const error = sqliteError(thrown, file);
      if (!work.isInTransaction()) return error;
      results.push(new VerbFailure(error));
    }
  }
  return results;
}

/** Runs it so that it leaves nothing behind when it throws. */
export function inSavepoint<T>(work: Work, run: (work: Work) => T): T {
  const { connection } = work;
  connection.run("SAVEPOINT rpc_verb");
  const mark = work.topics.size;
  try {
    const result = run(work);
    connection.run("RELEASE rpc_verb");
    return result;
  } catch (thrown) {
    work.forgetTopicsAfter(mark);
    try {
      connection.run("ROLLBACK TO rpc_verb");
      connection.run("RELEASE rpc_verb");
    } catch {
      // A full disk may have ended the whole transaction; whoever asks sees that it is gone.
    }
    throw thrown;
  }
}

function beginTransaction(connection: Connection, isWrite: boolean): void {
  if (isWrite) return connection.database.exec("BEGIN IMMEDIATE");
  connection.database.exec("BEGIN");
  try {
    // Takes the lock now, where it can be waited for: after a crash the first to come reads the log, and all others are locked out meanwhile.
    connection.get("SELECT 1 FROM sqlite_schema WHERE rowid = 1");
  } catch (thrown) {
    rollBack(connection);
    throw thrown;
  }
}

function rollBack(connection: Connection): void {
  try {
    connection.database.exec("ROLLBACK");
  } catch {
    // SQLite has rolled back by itself.
  }
}

function isFull(thrown: unknown): boolean {
  return sqliteError(thrown, "").reason === "DISK_FULL";
}
