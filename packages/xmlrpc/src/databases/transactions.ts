import { type Clock, RpcError } from "@rpc/core";

/** What a transaction is made for. */
export interface TransactionCall {
  readonly database: string;
  /** undefined: a function of the database, or a sequence. */
  readonly model: string | undefined;
  /** As it was called: `res.partner.read`, `system.sequence`. */
  readonly method: string;
  readonly identity: string | undefined;
  /** Aborts when the call is ended early. */
  readonly signal: AbortSignal;
  /** Safe to run twice, as its contract says. */
  readonly idempotent: boolean;
  /** 1 on the first try. */
  readonly attempt: number;
}

/**
 * Runs one call in a transaction: begins it, awaits `next(transaction)`, commits and returns its value; on an error rolls back and rethrows. The
 * handler finds the transaction in `databaseCall(context)`. Called again, at most five times, when the error says that the transaction only
 * collided with another one.
 */
export type Around = (call: TransactionCall, next: (transaction?: unknown) => Promise<unknown>) => Promise<unknown>;

const REASON = "SERIALIZATION_FAILURE";
/** PostgreSQL's and the SQL standard's: serialization failure, deadlock, lock not available. */
const COLLISIONS: ReadonlySet<unknown> = new Set(["40001", "40P01", "55P03"]);
const MAX_RETRIES = 5;

/** An error that says: roll back and run the call again, it only collided with another one. What callers get when no try helped. */
export function serializationFailure(cause?: unknown): RpcError {
  return new RpcError("ABORTED", "the call collided with others that change the same records; try again later", {
    reason: REASON,
    retryable: true,
    cause,
  });
}

/** Whether an error is a {@link serializationFailure}, or a driver's own (`code` 40001, 40P01 or 55P03). */
export function isSerializationFailure(thrown: unknown): boolean {
  try {
    if (thrown instanceof RpcError) return thrown.reason === REASON || isSerializationFailureCode(thrown.cause);
    return isSerializationFailureCode(thrown);
  } catch {
    // An error whose getters throw.
    return false;
  }
}

function isSerializationFailureCode(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && COLLISIONS.has(thrown.code);
}

/** Whether somebody said on purpose what callers are told; a driver's error says nothing to them, and would not be worth another try. */
function hasOwnCode(thrown: unknown): boolean {
  const { code } = RpcError.from(thrown);
  return code !== "UNKNOWN" && code !== "INTERNAL";
}

export interface TransactionOptions {
  readonly around: Around;
  readonly isSerializationFailure: (thrown: unknown) => boolean;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** Runs something in a transaction of its own, again after a collision, with a pause that is uniform from 0 to 2^try seconds. */
export async function inTransaction(
  options: TransactionOptions,
  call: Omit<TransactionCall, "attempt">,
  run: (transaction: unknown) => unknown,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await options.around({ ...call, attempt }, async (transaction) => run(transaction));
    } catch (thrown) {
      if (call.signal.aborted || !options.isSerializationFailure(thrown)) throw thrown;
      if (attempt > MAX_RETRIES) throw hasOwnCode(thrown) ? thrown : serializationFailure(thrown);
    }
    await pause(options.clock, options.random() * 2 ** attempt * 1_000, call.signal);
  }
}

/** Rejects with the signal's reason when the call is ended meanwhile. */
function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clock.clearTimeout(timer);
      reject(RpcError.from(signal.reason));
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", stop, { once: true });
  });
}
