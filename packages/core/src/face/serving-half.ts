import type { Clock } from "../words/clock.ts";
import { RpcError } from "../words/rpc-error.ts";
import { type Handler, SERVING, type ServingHalf } from "../words/transport.ts";
import type { UnservedCalls } from "../machines/unserved-calls.ts";
import type { GuardOptions } from "./guarded.ts";

/** The half of a session that serves: what takes the far end's calls, and what guards the handler. */
export interface SessionServing extends ServingHalf {
  readonly Incoming: typeof UnservedCalls;
  readonly guarded: (handler: Handler, options: GuardOptions, clock: Clock) => Handler;
}

/** The half that is `given`, or that a handler brings along. Throws INVALID_ARGUMENT when there is neither. */
export function servingHalfOf(handler: Handler, given: ServingHalf | undefined): SessionServing {
  // All that there are come from serving.ts.
  const half = (given ?? handler[SERVING]) as SessionServing | undefined;
  if (half !== undefined) return half;
  const message =
    "option serve has a handler that is written by hand, which pages can serve only by mergeRouters(handler)";
  throw new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}
