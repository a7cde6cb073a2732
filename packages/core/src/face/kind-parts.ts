import type { CallContext } from "../words/call-context.ts";
import type { Clock } from "../words/clock.ts";
import type { HostedQueue, JobHandler } from "../words/contract.ts";
import type { MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, PatternPorts } from "../words/transport.ts";
import type { SessionParts } from "../machines/session-parts.ts";
import type { RouterQueue } from "./jobs.ts";
import type { RouterOptions } from "./router.ts";

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
  /** Jobs: makes the queue that a router has for a method. `run` runs a job as every call of the router is run. */
  readonly host?: (
    method: MethodDescriptor,
    implementation: HostedQueue | JobHandler<unknown, unknown>,
    options: RouterOptions,
    clock: Clock,
    run: (input: unknown, context: CallContext) => unknown,
  ) => RouterQueue;
}

/** The parts of a method. Throws INVALID_ARGUMENT for one that is written by hand without them. */
export function partsOf({ name, parts }: MethodDescriptor): KindParts {
  // All parts there are come from kinds.ts.
  if (parts !== undefined) return parts as KindParts;
  throw new RpcError("INVALID_ARGUMENT", `${name} was not made by unary() or a sibling of it`, {
    reason: "INVALID_ARGUMENT",
  });
}
