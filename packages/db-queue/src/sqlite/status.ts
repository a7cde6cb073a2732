import { RpcError, type StatusCode } from "@rpc/core";

interface Row {
  readonly code: StatusCode;
  readonly reason: string;
  readonly retryable: boolean;
  readonly advice: string;
}

/** SQLite's primary result codes, as far as they can come here (https://sqlite.org/rescode.html). */
const ROWS: ReadonlyMap<number, Row> = new Map<number, Row>([
  [5, row("UNAVAILABLE", "DATABASE_LOCKED", true, "another process has been writing for longer than lockTimeoutMs")],
  [6, row("UNAVAILABLE", "DATABASE_LOCKED", true, "another connection holds a table")],
  [7, row("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", true, "out of memory")],
  [8, row("FAILED_PRECONDITION", "DATABASE_READ_ONLY", false, "the file, or its folder, cannot be written to")],
  [10, row("UNAVAILABLE", "DATABASE_IO", true, "the disk has failed a read or a write")],
  [11, row("DATA_LOSS", "DATABASE_CORRUPT", false, "the file is damaged: put a backup in its place")],
  [13, row("RESOURCE_EXHAUSTED", "DISK_FULL", true, "the disk is full, or maxFileBytes is reached")],
  [14, row("FAILED_PRECONDITION", "DATABASE_CANNOT_OPEN", false, "the folder must exist, and be open to this user")],
  [18, row("RESOURCE_EXHAUSTED", "TOO_BIG", false, "a value is larger than SQLite takes")],
  [23, row("PERMISSION_DENIED", "DATABASE_REFUSED", false, "an authorizer has refused it")],
  [26, row("DATA_LOSS", "DATABASE_CORRUPT", false, "the file is no SQLite database")],
]);

/** `delivered`: whether what was to be written may be there all the same. */
export function sqliteError(thrown: unknown, file: string, delivered: "no" | "unknown" = "no"): RpcError {
  if (thrown instanceof RpcError) return thrown;
  const code = resultCode(thrown);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (code === 1 && /no such (table|column)/.test(text)) {
    return new RpcError("FAILED_PRECONDITION", `sqlite ${file}: ${text}: call migrate() first`, {
      reason: "NOT_MIGRATED",
      delivered,
      cause: thrown,
    });
  }
  if (thrown instanceof Error && "code" in thrown && thrown.code === "ERR_INVALID_ARG_TYPE") {
    return new RpcError("INVALID_ARGUMENT", `sqlite ${file}: ${text}: give texts and finite numbers`, {
      delivered,
      cause: thrown,
    });
  }
  const known = code === undefined ? undefined : ROWS.get(code);
  if (known === undefined) {
    return new RpcError("INTERNAL", `sqlite ${file}: ${text}`, { delivered, cause: thrown });
  }
  return new RpcError(known.code, `sqlite ${file}: ${text}: ${known.advice}`, {
    reason: known.reason,
    retryable: known.retryable,
    delivered,
    cause: thrown,
  });
}

export function isBusy(thrown: unknown): boolean {
  const code = resultCode(thrown);
  return code === 5 || code === 6;
}

/** Primary code of an error of node:sqlite; undefined for any other. */
function resultCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown) || typeof thrown.errcode !== "number") return undefined;
  return thrown.errcode & 0xff;
}

function row(code: StatusCode, reason: string, retryable: boolean, advice: string): Row {
  return { code, reason, retryable, advice };
}
