import type { CallContext } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { StatusCode } from "../../words/status.ts";
import type { CallPort, Interceptor, Transport } from "../../words/transport.ts";
import { Backoff, type BackoffOptions } from "../../tools/backoff.ts";
import { RetryBudget, type RetryBudgetOptions } from "../../tools/retry-budget.ts";
import { wholeNumber } from "../../tools/option-checks.ts";
import { type Course, mayRepeat, type Pause } from "../../machines/course.ts";
import { Lifetime, TimedPause } from "../../machines/lifetime.ts";
import { followCall } from "../../machines/tried-call.ts";
import { followStream } from "../../machines/tried-stream.ts";
import { ComposedTransport, coursePort, UNORDERED } from "./composed.ts";

/** When a failed call is tried again. */
export interface RetryPolicy extends BackoffOptions {
  /** Tries, the first one included. Default: 3. */
  readonly maxAttempts?: number | undefined;
  /**
   * Codes after which a call is tried again, if it did not arrive or its method is idempotent. An UNAVAILABLE that says `retryable: false`
   * is never followed by another try. Default: UNAVAILABLE.
   */
  readonly codes?: readonly StatusCode[] | undefined;
  /** Bound of the first wait. Default: 100. */
  readonly minMs?: number | undefined;
  /** What the bound grows up to. Default: 5,000. */
  readonly maxMs?: number | undefined;
  /**
   * Whether the servers keep replies by idempotency key (`replyCache`): a unary call that has a key may then be repeated like an idempotent
   * one. Default: false.
   */
  readonly repliesKept?: boolean | undefined;
  /** Stops retries while too much fails; one budget for all calls that share this policy's interceptor or transport. False: no limit. */
  readonly budget?: RetryBudgetOptions | false | undefined;
  /** The clock that deadlines are on. Default: the process's, `withRetry`: the transport's. */
  readonly clock?: Clock | undefined;
  /** Gives numbers from 0 up to, not including, 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/**
 * Tries failed calls again, as an interceptor of a client: those behind it see every try, with its number as `context.attempt`. A call is
 * repeated only when that is harmless: it did not arrive (`delivered: "no"`), or its method is idempotent; a stream only before its first
 * item, and when nothing of its input has been read. Never beyond the deadline: when the wait would be longer, the last error is thrown.
 * Throws INVALID_ARGUMENT for a policy that cannot be.
 */
export function retry(policy: RetryPolicy = {}): Required<Interceptor> {
  const rules = new RetryRules(policy);
  return {
    call: (input, context, next) =>
      followCall(input, context, new RetryCourse({ call: next, stream: notHere }, context, rules)),
    stream: (input, context, next) =>
      followStream(input, context, () => new RetryCourse({ call: notHere, stream: next }, context, rules)),
  };
}

/** The same as {@link retry}, for all clients of a transport. */
export function withRetry(transport: Transport, policy: RetryPolicy = {}): Transport {
  const rules = new RetryRules({ ...policy, clock: policy.clock ?? transport.clock });
  return new ComposedTransport({
    parts: [transport],
    capabilities: UNORDERED,
    lifetime: rules.lifetime,
    port: coursePort((_input, context) => new RetryCourse(transport, context, rules)),
  });
}

/** A policy with its defaults, and what its calls share. */
class RetryRules {
  readonly maxAttempts: number;
  readonly codes: ReadonlySet<StatusCode>;
  readonly clock: Clock;
  readonly budget: RetryBudget | undefined;
  readonly repliesKept: boolean;
  readonly lifetime: Lifetime = new Lifetime();
  readonly #policy: RetryPolicy;

  constructor(policy: RetryPolicy) {
    this.maxAttempts = wholeNumber("maxAttempts", policy.maxAttempts ?? 3, 1);
    this.codes = new Set(policy.codes ?? ["UNAVAILABLE"]);
    this.clock = policy.clock ?? systemClock;
    this.budget = policy.budget === false ? undefined : new RetryBudget(policy.budget);
    this.repliesKept = policy.repliesKept ?? false;
    this.#policy = policy;
    this.createBackoff(); // Throws now, not at the first failure.
  }

  createBackoff(): Backoff {
    const { minMs = 100, maxMs = Math.max(5_000, minMs), factor, random } = this.#policy;
    return new Backoff({ minMs, maxMs, factor }, random);
  }

  /** Whether an error is of a kind that another try may cure. */
  curable(error: RpcError): boolean {
    return this.codes.has(error.code) && (error.retryable || error.code !== "UNAVAILABLE");
  }
}

class RetryCourse implements Course {
  readonly repeats = true;
  readonly #port: CallPort;
  readonly #context: CallContext;
  readonly #rules: RetryRules;
  // Made at the first failure: most calls have none.
  #backoff: Backoff | undefined = undefined;
  #pause: Pause | undefined = undefined;
  #count = 0;

  constructor(port: CallPort, context: CallContext, rules: RetryRules) {
    this.#port = port;
    this.#context = context;
    this.#rules = rules;
  }

  enter(): CallPort | Pause {
    const pause = this.#pause;
    this.#pause = undefined;
    if (pause !== undefined) return pause;
    this.#count++;
    return this.#port;
  }

  left(error: RpcError | undefined, repeatable: boolean): boolean {
    const { budget, clock, lifetime, maxAttempts } = this.#rules;
    if (error === undefined || !this.#rules.curable(error)) {
      // What the caller ended itself says nothing about the server.
      if (error?.code !== "CANCELLED" && error?.code !== "DEADLINE_EXCEEDED") budget?.answered();
      return false;
    }
    budget?.failed();
    if (!repeatable || lifetime.closed || this.#count >= maxAttempts) return false;
    const isUnary = this.#context.method.kind === "unary";
    if (!mayRepeat(error, this.#context, this.#rules.repliesKept && isUnary)) return false;
    if (budget?.allows === false) return false;
    this.#backoff ??= this.#rules.createBackoff();
    const waitMs = this.#backoff.nextMs();
    const { deadline } = this.#context;
    if (deadline !== undefined && clock.now() + waitMs >= deadline) return false;
    this.#pause = new TimedPause(clock, waitMs, error, lifetime);
    return true;
  }
}

function notHere(): never {
  throw new RpcError("INTERNAL", "retry: a call became a stream on its way", { reason: "INTERNAL" });
}
