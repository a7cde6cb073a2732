import type { CallContext, CancelListener } from "../../words/call-context.ts";
import { type Clock, systemClock } from "../../words/clock.ts";
import { RpcError } from "../../words/rpc-error.ts";
import type { StatusCode } from "../../words/status.ts";
import type { CallPort, Transport } from "../../words/transport.ts";
import { AttemptContext } from "../../tools/attempt-context.ts";
import { noteCallError } from "../../tools/call-errors.ts";
import { RetryBudget, type RetryBudgetOptions } from "../../tools/retry-budget.ts";
import { aboveZero, wholeNumber } from "../../tools/option-checks.ts";
import { Fate } from "../../machines/course.ts";
import { Lifetime } from "../../machines/lifetime.ts";
import { ComposedTransport, UNORDERED } from "./composed.ts";

/** When a call that is slow is sent once more. */
export interface HedgePolicy {
  /** How long a try may take before another one is sent beside it; a little more than most calls take. */
  readonly delayMs: number;
  /** Tries of one call, the first one included. Default: 2. */
  readonly maxAttempts?: number | undefined;
  /** Codes with which one try may fail without failing the call; the next try is then sent at once. Default: UNAVAILABLE. */
  readonly codes?: readonly StatusCode[] | undefined;
  /** Stops further tries while too much fails. False: no limit. */
  readonly budget?: RetryBudgetOptions | false | undefined;
  /** Default: the transport's. */
  readonly clock?: Clock | undefined;
}

/**
 * Against slow servers: an idempotent unary call that takes long is sent again, and the first answer counts; the other tries are cancelled.
 * Everything else (streams, notifications, methods that are not idempotent) passes as it is. It is of use where the tries go different
 * ways, as over `balance(…)`. Throws INVALID_ARGUMENT for a policy that cannot be.
 */
export function hedge(transport: Transport, policy: HedgePolicy): Transport {
  const rules: HedgeRules = {
    lifetime: new Lifetime(),
    delayMs: aboveZero("delayMs", policy.delayMs),
    maxAttempts: wholeNumber("maxAttempts", policy.maxAttempts ?? 2, 1),
    codes: new Set(policy.codes ?? ["UNAVAILABLE"]),
    clock: policy.clock ?? transport.clock ?? systemClock,
    budget: policy.budget === false ? undefined : new RetryBudget(policy.budget),
  };
  return new ComposedTransport({
    parts: [transport],
    capabilities: UNORDERED,
    lifetime: rules.lifetime,
    port: {
      call: (input, context) =>
        context.method.kind === "unary" && context.method.idempotent
          ? new Promise((resolve, reject) => new HedgedCall(input, context, transport, rules, resolve, reject).start())
          : transport.call(input, context),
      stream: (input, context) => transport.stream(input, context),
    },
  });
}

interface HedgeRules {
  readonly lifetime: Lifetime;
  readonly delayMs: number;
  readonly maxAttempts: number;
  readonly codes: ReadonlySet<StatusCode>;
  readonly clock: Clock;
  readonly budget: RetryBudget | undefined;
}

class HedgedCall implements CancelListener {
  readonly #input: unknown;
  readonly #context: CallContext;
  readonly #port: CallPort;
  readonly #rules: HedgeRules;
  readonly #resolve: (output: unknown) => void;
  readonly #reject: (error: RpcError) => void;
  readonly #running = new Set<AttemptContext>();
  readonly #fate = new Fate();
  #count = 0;
  #timer: unknown = undefined;
  #settled = false;

  constructor(
    input: unknown,
    context: CallContext,
    port: CallPort,
    rules: HedgeRules,
    resolve: (output: unknown) => void,
    reject: (error: RpcError) => void,
  ) {
    this.#input = input;
    this.#context = context;
    this.#port = port;
    this.#rules = rules;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    this.#context.onCancel(this);
    if (!this.#settled) this.#try();
  }

  cancelled(reason: RpcError): void {
    if (this.#settled) return;
    this.#settle(reason);
    this.#reject(noteCallError(reason));
  }

  #try(): void {
    const { clock, delayMs, maxAttempts } = this.#rules;
    this.#count++;
    const attempt = new AttemptContext(this.#context, this.#count);
    this.#running.add(attempt);
    if (this.#count < maxAttempts) this.#timer = clock.setTimeout(() => this.#tryBeside(), delayMs);
    let output: unknown;
    try {
      output = this.#port.call(this.#input, attempt);
    } catch (thrown) {
      return this.#failed(RpcError.from(thrown), attempt);
    }
    Promise.resolve(output).then(
      (value) => this.#answered(value, attempt),
      (thrown: unknown) => this.#failed(RpcError.from(thrown), attempt),
    );
  }

  #tryBeside(): void {
    this.#timer = undefined;
    if (this.#mayTry()) this.#try();
  }

  #mayTry(): boolean {
    const { budget, lifetime, maxAttempts } = this.#rules;
    return this.#count < maxAttempts && !lifetime.closed && budget?.allows !== false;
  }

  #answered(value: unknown, attempt: AttemptContext): void {
    if (this.#settled) return;
    this.#rules.budget?.answered();
    this.#running.delete(attempt);
    attempt.keepResponse();
    this.#settle(new RpcError("CANCELLED", "another try was faster", { reason: "HEDGED" }));
    this.#resolve(value);
  }

  #failed(error: RpcError, attempt: AttemptContext): void {
    if (this.#settled) return;
    const { budget, clock, codes } = this.#rules;
    this.#running.delete(attempt);
    this.#fate.add(error);
    const curable = codes.has(error.code);
    if (curable) {
      budget?.failed();
      if (this.#mayTry()) {
        if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
        return this.#try();
      }
      // Those that run may still bring the answer.
      if (this.#running.size > 0) return;
    }
    // What runs elsewhere is given up, and may have run all the same.
    if (this.#running.size > 0) this.#fate.add(GIVEN_UP);
    attempt.keepResponse();
    this.#settle(new RpcError("CANCELLED", "another try has failed for good", { reason: "HEDGED" }));
    this.#reject(noteCallError(this.#fate.of(error)));
  }

  #settle(reason: RpcError): void {
    this.#settled = true;
    if (this.#timer !== undefined) this.#rules.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#context.onCancel(undefined);
    for (const attempt of this.#running) attempt.cancelWith(reason);
    this.#running.clear();
  }
}

const GIVEN_UP = new RpcError("CANCELLED", "given up", { delivered: "unknown" });
