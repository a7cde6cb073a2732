import type { Clock } from "../words/clock.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { CallPort, PatternPorts } from "../words/transport.ts";
import { checkParts, misfit, type SessionParts } from "../machines/session-parts.ts";
import type { hostQueue } from "./jobs.ts";

/** What the members of one client have in common. */
export interface ClientBinding {
  /** Where calls go: the port itself, or interceptors around it. */
  readonly calls: CallPort;
  readonly isIntercepted: boolean;
  /** Where subscriptions and jobs go. */
  readonly patterns: PatternPorts;
  readonly clock: Clock;
  readonly validateInput: boolean;
}

/** All that one kind of method is made of, here and in a session. */
export interface KindParts extends SessionParts {
  /** Makes the member that a typed client has for a method. */
  readonly client: (method: MethodDescriptor, binding: ClientBinding) => unknown;
  /** Jobs: makes the queue that a router has for a method. */
  readonly host?: typeof hostQueue;
}

/** The parts of a method. Throws FAILED_PRECONDITION for one that is written by hand without them, or made by another copy of this package. */
export function kindPartsOf(method: MethodDescriptor): KindParts {
  checkParts(method);
  // Those of this copy come from kinds.ts.
  if (method.parts !== undefined) return method.parts as KindParts;
  throw misfit(method);
}
