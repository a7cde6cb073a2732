import type { Clock } from "../words/clock.ts";
import { COPY, MADE_BY } from "../words/copy.ts";
import { RpcError } from "../words/rpc-error.ts";
import { type Handler, SERVING, type ServingHalf } from "../words/transport.ts";
import { otherCopy } from "../tools/copies.ts";
import type { UnservedCalls } from "../machines/unserved-calls.ts";
import type { GuardOptions } from "./guarded.ts";

/** The half of a session that serves: what takes the far end's calls, and what checks and guards the handler. */
export interface ServingParts extends ServingHalf {
  readonly Incoming: typeof UnservedCalls;
  /** Throws FAILED_PRECONDITION for a handler that could not be served whole. */
  readonly check: (handler: Handler) => void;
  readonly guarded: (handler: Handler, options: GuardOptions, clock: Clock) => Handler;
}

/**
 * The half that is `given`, which is the transport's own, or else the one that a handler brings along. Throws INVALID_ARGUMENT when there is
 * neither, and FAILED_PRECONDITION for a handler that could not be served whole.
 */
export function servingHalfOf(handler: Handler, given: ServingHalf | undefined): ServingParts {
  const half = given ?? handler[SERVING];
  if (half === undefined) {
    const message =
      "option serve has a handler that is written by hand: give mergeRouters(handler), or the transport servingHalf of @rpc/core/transport";
    throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
  }
  if (half[MADE_BY] !== COPY) throw otherCopy("what the option serve has");
  // This copy's is that of serving-parts.ts.
  const parts = half as ServingParts;
  parts.check(handler);
  return parts;
}
