import type { CallContext } from "../words/call-context.ts";
import { type Delivered, RpcError } from "../words/rpc-error.ts";
import type { CallPort } from "../words/transport.ts";

/** The way of one call through a composition, try by try. {@link followCall} and {@link followStream} walk it. */
export interface Course {
  /** Whether another try may follow a failed one. When not, the port sees the caller's own context. */
  readonly repeats: boolean;
  /** Where the call goes now, or what it waits for before it asks again. Throws when there is nowhere to go. */
  enter(): CallPort | Pause;
  /** The first item of a stream has come: who sends it is there, however long it goes on. `left` follows. */
  answered?(): void;
  /**
   * The try has ended; undefined: well. Told once for each port that `enter` gave. Returns whether the call enters again, which it must
   * not when it is not `repeatable`: it was cancelled, items of it have been read, or it has ended well.
   */
  left(error: RpcError | undefined, repeatable: boolean): boolean;
}

/** Something that a call waits for between its tries. It ends by itself before the call's deadline, or at it with a refusal. */
export abstract class Pause {
  /** Calls `wake` once, never from inside; with an error when there is nothing left to wait for. */
  abstract begin(wake: (refusal: RpcError | undefined) => void): void;
  /** The call waits no longer. */
  abstract end(): void;
}

/**
 * Whether a call that failed so may be sent again without harm: it did not arrive, or arriving twice is no different from once.
 * `repliesKept`: servers answer a repeated idempotency key with the reply to the first one.
 */
export function mayRepeat(error: RpcError, context: CallContext, repliesKept = false): boolean {
  return error.delivered === "no" || context.method.idempotent || (repliesKept && context.idempotencyKey !== undefined);
}

/** What is known about the way of a call that had more than one try: the last error speaks for its own try alone. */
export class Fate {
  #mayHaveRun = false;

  add(error: RpcError): void {
    if (error.delivered !== "no") this.#mayHaveRun = true;
  }

  /** The error, as it holds for the call as a whole. */
  of(error: RpcError): RpcError {
    if (!this.#mayHaveRun || error.delivered !== "no") return error;
    return withDelivered(error, "unknown");
  }
}

function withDelivered(error: RpcError, delivered: Delivered): RpcError {
  const { code, message, reason, details, retryable, remoteStack } = error;
  return new RpcError(code, message, { reason, details, retryable, remoteStack, delivered, cause: error });
}
