import { type Delivered, RpcError, type StatusCode } from "@rpc/core";

interface Row {
  readonly code: StatusCode;
  readonly reason: string;
  readonly retryable: boolean;
  readonly advice: string;
}

/** SQLSTATEs, whole or by their class of two (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ["08", row("UNAVAILABLE", "CONNECTION_LOST", true, "the connection was lost")],
  ["22", row("INVALID_ARGUMENT", "INVALID_DATA", false, "the database does not take this value")],
  ["23", row("INVALID_ARGUMENT", "INVALID_DATA", false, "the tables' own rules forbid it")],
  [
    "25006",
    row(
      "FAILED_PRECONDITION",
      "DATABASE_READ_ONLY",
      false,
      "connect to the primary, this is a replica or a read-only session",
    ),
  ],
  ["25P01", row("FAILED_PRECONDITION", "NO_TRANSACTION", false, "BEGIN before, COMMIT after it")],
  [
    "25P02",
    row(
      "FAILED_PRECONDITION",
      "TRANSACTION_FAILED",
      false,
      "an earlier statement of this transaction has failed: roll it back",
    ),
  ],
  ["25P03", row("UNAVAILABLE", "CONNECTION_LOST", true, "the transaction was idle for too long")],
  ["28", row("UNAUTHENTICATED", "DATABASE_LOGIN", false, "user or password is wrong, or pg_hba.conf forbids it")],
  ["3D000", row("FAILED_PRECONDITION", "NO_DATABASE", false, "make the database first")],
  ["3F000", row("FAILED_PRECONDITION", "NOT_MIGRATED", false, "call migrate() first")],
  [
    "40",
    row(
      "UNAVAILABLE",
      "TRANSACTION_CONFLICT",
      true,
      "it met another transaction, and the server has ended one of the two",
    ),
  ],
  ["42501", row("PERMISSION_DENIED", "DATABASE_REFUSED", false, "grant it to this user")],
  ["42P01", row("FAILED_PRECONDITION", "NOT_MIGRATED", false, "call migrate() first")],
  ["42703", row("FAILED_PRECONDITION", "NOT_MIGRATED", false, "call migrate() first")],
  ["42883", row("FAILED_PRECONDITION", "NOT_MIGRATED", false, "call migrate() first")],
  ["53", row("RESOURCE_EXHAUSTED", "DATABASE_RESOURCES", true, "the server has run out of something")],
  ["53100", row("RESOURCE_EXHAUSTED", "DISK_FULL", true, "the server's disk is full")],
  ["53200", row("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", true, "the server is out of memory")],
  ["53300", row("RESOURCE_EXHAUSTED", "TOO_MANY_CONNECTIONS", true, "raise max_connections, or use a pooler")],
  ["54", row("RESOURCE_EXHAUSTED", "TOO_BIG", false, "a value is larger than the database takes")],
  ["55P03", row("UNAVAILABLE", "DATABASE_LOCKED", true, "somebody holds a lock for longer than lock_timeout")],
  [
    "57014",
    row("UNAVAILABLE", "STATEMENT_TIMEOUT", true, "it took longer than statementTimeoutMs, or was cancelled by hand"),
  ],
  [
    "57P01",
    row("UNAVAILABLE", "CONNECTION_LOST", true, "an administrator has ended the connection, or stops the server"),
  ],
  ["57P02", row("UNAVAILABLE", "CONNECTION_LOST", true, "the server has crashed and recovers")],
  ["57P03", row("UNAVAILABLE", "DATABASE_STARTING", true, "the server starts, stops or recovers")],
  ["57P05", row("UNAVAILABLE", "CONNECTION_LOST", true, "the session was idle for too long")],
  ["58", row("UNAVAILABLE", "DATABASE_IO", true, "the server's disk has failed a read or a write")],
  ["XX001", row("DATA_LOSS", "DATABASE_CORRUPT", false, "the table is damaged: put a backup in its place")],
  ["XX002", row("DATA_LOSS", "DATABASE_CORRUPT", false, "an index is damaged: REINDEX")],
]);

/** Of node's sockets and of `pg` itself, neither of which has an SQLSTATE. */
const LOST = row("UNAVAILABLE", "CONNECTION_LOST", true, "the connection was lost or could not be made");
const TIMED_OUT = row(
  "UNAVAILABLE",
  "STATEMENT_TIMEOUT",
  true,
  "the server has not answered within statementTimeoutMs",
);

/** What PgBouncer says to settings that come with the connection. */
const UNDECLARED = row(
  "FAILED_PRECONDITION",
  "POOLER",
  false,
  'a pooler is between here and the server: give the store the option pooler, "session" or "transaction", as the pooler\'s mode is',
);

const OF_THE_LANGUAGE = [TypeError, RangeError, SyntaxError, ReferenceError];

/** `delivered`: what is known about the statement when a connection is lost under it; whatever the server has refused did not happen. */
export function postgresError(thrown: unknown, endpoint: string, delivered: Delivered = "no"): RpcError {
  if (thrown instanceof RpcError) return thrown;
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  const known = rowOf(thrown);
  if (known === undefined) return new RpcError("INTERNAL", `${endpoint}: ${text}`, { delivered: "no", cause: thrown });
  return new RpcError(known.code, `${endpoint}: ${text}: ${known.advice}`, {
    reason: known.reason,
    retryable: known.retryable,
    delivered: isConnectionLost(thrown) ? delivered : "no",
    cause: thrown,
  });
}

/** The statement may have been kept all the same, and its connection is of no use any more. */
export function isConnectionLost(thrown: unknown): boolean {
  const state = sqlState(thrown);
  // Errors of the library and of sockets are plain ones; those of the language are ours, and no sign of the connection.
  if (state === undefined) return thrown instanceof Error && !OF_THE_LANGUAGE.some((kind) => thrown instanceof kind);
  return state.startsWith("08") || ["57P01", "57P02", "57P03", "57P05", "25P03"].includes(state);
}

/** The connection may be well, and the server at work on it still: not to be asked the same again. */
export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.message === "Query read timeout";
}

/** Nothing was kept, and the same again may succeed at once: a deadlock, or a plan or a statement that the connection does not have any more. */
export function isWorthRepeating(thrown: unknown): boolean {
  const state = sqlState(thrown);
  if (state === "40P01" || state === "40001") return true;
  return isStalePlan(thrown);
}

/** After a change of the tables, or behind a pooler that was not declared. Only another connection helps. */
export function isStalePlan(thrown: unknown): boolean {
  const state = sqlState(thrown);
  return state === "26000" || (state === "0A000" && thrown instanceof Error && thrown.message.includes("cached plan"));
}

/** A value that the database cannot store: other items of the same statement may be sound. */
export function isDataFault(thrown: unknown): boolean {
  const state = sqlState(thrown);
  return state !== undefined && (state.startsWith("22") || state === "23514" || state === "23502");
}

/** Somebody else's lock was waited for as long as the statement's own limit says; nothing was kept. */
export function isLockTimeout(thrown: unknown): boolean {
  return sqlState(thrown) === "55P03";
}

export function isUniqueViolation(thrown: unknown): boolean {
  return sqlState(thrown) === "23505";
}

/** Undefined: not said by the server. */
function sqlState(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(thrown.code) && "severity" in thrown ? thrown.code : undefined;
}

function rowOf(thrown: unknown): Row | undefined {
  const state = sqlState(thrown);
  if (state === "08P01" && thrown instanceof Error && thrown.message.startsWith("unsupported startup parameter"))
    return UNDECLARED;
  if (state !== undefined) return ROWS.get(state) ?? ROWS.get(state.slice(0, 2));
  if (!isConnectionLost(thrown)) return undefined;
  return isTimeout(thrown) ? TIMED_OUT : LOST;
}

function row(code: StatusCode, reason: string, retryable: boolean, advice: string): Row {
  return { code, reason, retryable, advice };
}
