import { type Clock, RpcError, systemClock } from "@rpc/core";
import { checkedIdentifier } from "../migrations.ts";

export interface SqliteStoreOptions {
  /**
   * The database's file, or `:memory:`. It is made when it is not there, its folder is not. SQLite keeps two more beside it, with its mode and
   * owner, ending in `-wal` and `-shm`; all three belong together. Not on a network file system.
   */
  readonly file: string;
  /** Of a file that is made. Whoever can read it reads all arguments and results; who shall write needs the folder as well. Default: 0o600. */
  readonly fileMode?: number | undefined;
  /** Begins the names of all tables. 1 to 40 of a-z, 0-9 and _. Default: `rpc_`. */
  readonly tablePrefix?: string | undefined;
  /**
   * `full`: what was answered has reached the disk. `normal`: a loss of power may take the last commits back, in order; a crash of the
   * process does not. Default: `full`.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** How long a verb waits while another process writes; then UNAVAILABLE, reason `DATABASE_LOCKED`. The event loop goes on meanwhile. Default: 5000. */
  readonly lockTimeoutMs?: number | undefined;
  /** How often it looks whether another process has written, while somebody watches; half of it is the wake-up's mean delay between processes, and the timer costs a small machine about 2 % of a core at 5. Default: 5. */
  readonly pollIntervalMs?: number | undefined;
  /** The file grows no larger: RESOURCE_EXHAUSTED, reason `DISK_FULL`. The `-wal` file is not counted. Default: as large as the disk. */
  readonly maxFileBytes?: number | undefined;
  /** For timers. Default: the process's. */
  readonly clock?: Clock | undefined;
  /** Milliseconds since 1970, the same scale in all processes on the file: it decides leases, delays and expiry. Default: `Date.now`. */
  readonly wallClock?: (() => number) | undefined;
  /** From 0 to below 1, spreads retries. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export interface SqliteSettings {
  readonly file: string;
  readonly fileMode: number;
  readonly tablePrefix: string;
  readonly synchronous: "full" | "normal";
  readonly lockTimeoutMs: number;
  readonly pollIntervalMs: number;
  readonly maxFileBytes: number | undefined;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly random: () => number;
}

export function sqliteSettings(options: SqliteStoreOptions): SqliteSettings {
  if (options.file === "") {
    // SQLite would take it for a private database that is gone when it is closed.
    throw new RpcError("INVALID_ARGUMENT", 'file must be a path or ":memory:", got an empty text');
  }
  return {
    file: options.file,
    fileMode: options.fileMode ?? 0o600,
    tablePrefix: checkedIdentifier("tablePrefix", options.tablePrefix ?? "rpc_"),
    synchronous: checkedSynchronous(options.synchronous ?? "full"),
    lockTimeoutMs: checkedMs("lockTimeoutMs", options.lockTimeoutMs ?? 5000, 0),
    pollIntervalMs: checkedMs("pollIntervalMs", options.pollIntervalMs ?? 5, 1),
    maxFileBytes: options.maxFileBytes,
    clock: options.clock ?? systemClock,
    wallClock: options.wallClock ?? Date.now,
    random: options.random ?? Math.random,
  };
}

// Whoever writes "FULL" must not get the weaker one.
function checkedSynchronous(value: "full" | "normal"): "full" | "normal" {
  if (value === "full" || value === "normal") return value;
  throw new RpcError("INVALID_ARGUMENT", `synchronous must be "full" or "normal", got ${JSON.stringify(value)}`);
}

function checkedMs(option: string, ms: number, least: number): number {
  if (ms >= least && ms <= 3_600_000) return ms;
  throw new RpcError("INVALID_ARGUMENT", `${option} must be from ${least} to 3600000 ms, got ${ms}`);
}
