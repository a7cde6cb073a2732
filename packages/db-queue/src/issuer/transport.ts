import type { Capabilities, CloseOptions, Transport } from "@rpc/core";
import { RpcError } from "@rpc/core";
import {
  type CallContext,
  gapOf,
  type JobFeed,
  type JobRequest,
  type JobTaker,
  MAX_TIMER_MS,
  type SubmittedJob,
  type Submitter,
  type WorkQueue,
} from "@rpc/core/transport";
import { argumentsOf, DYNAMIC_CONTRACT } from "../command/arguments.ts";
import { noAddressError } from "../store/store-errors.ts";
import { CAPABILITIES } from "./capabilities.ts";
import type { Engine } from "./engine.ts";
import { type CallEnd, deadlineExceeded, IssuedCall } from "./issued-call.ts";
import { metaOf, newCommand, type ProxyOptions, type SendOptions } from "./options.ts";

/** The calling half: each call is a command for one address. */
export class QueueTransport implements Transport {
  readonly endpoint: string;
  readonly capabilities: Capabilities = CAPABILITIES;
  readonly clock: Engine["settings"]["clock"];
  readonly workQueue: WorkQueue;
  readonly #engine: Engine;
  readonly #address: string;
  readonly #options: ProxyOptions;
  readonly #calls = new Set<IssuedCall>();
  readonly #over: (call: IssuedCall) => void;
  #refusal: RpcError | undefined = undefined;
  #drained: (() => void) | undefined = undefined;
  #closed: Promise<void> | undefined = undefined;

  constructor(engine: Engine, address: string, options: ProxyOptions) {
    this.#engine = engine;
    this.#address = address;
    this.#options = options;
    this.endpoint = `${engine.store.endpoint}#${address}`;
    this.clock = engine.settings.clock;
    this.workQueue = {
      submit: (request, context, submitter) => this.#submit(request, context, submitter),
      consume: (context, taker) => refusedConsumer(context, taker),
    };
    this.#over = (call) => {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#drained?.();
    };
  }

  call(input: unknown, context: CallContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#start(input, context, this.#options, { resolve, reject, over: this.#over });
    });
  }

  stream(_input: AsyncIterable<unknown>, { method }: CallContext): AsyncIterable<unknown> {
    const message = `${method.name}: ${gapOf(this.capabilities.serverStream) ?? ""}`;
    const next = (): Promise<never> =>
      Promise.reject(new RpcError("UNIMPLEMENTED", message, { reason: "CAPABILITY", delivered: "no" }));
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async ready(): Promise<void> {
    this.#check();
    if ((await this.#engine.store.findAddress(this.#address)) === undefined) throw noAddressError(this.#address);
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options.drainMs ?? 0);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(): void {
    const refusal = this.#refusal ?? this.#engine.refusal;
    if (refusal !== undefined) throw refusal;
  }

  #start(input: unknown, context: CallContext, options: SendOptions, end: CallEnd): void {
    const { method, deadline } = context;
    try {
      if (context.cancelReason !== undefined) throw context.cancelReason;
      this.#check();
      const remainingMs = deadline === undefined ? undefined : deadline - this.clock.now();
      if (remainingMs !== undefined && remainingMs <= 0) throw deadlineExceeded(method.name, "no");
      const meta = metaOf(method, DYNAMIC_CONTRACT, {
        // Made up only where a handle names it.
        ...(context.observed && { callId: context.id }),
        depth: context.depth,
        observed: context.observed || this.#engine.settings.keepEvents === "all",
        ...(context.hasMetadata && { metadata: context.metadata }),
      });
      const own =
        context.idempotencyKey === undefined ? options : { ...options, idempotencyKey: context.idempotencyKey };
      const words = { meta, remainingMs, notification: method.kind === "notification" };
      const command = newCommand(this.#address, method, argumentsOf(method, input), own, words, this.#engine.settings);
      const call = new IssuedCall(this.#engine, context, command, end);
      this.#calls.add(call);
      call.start();
    } catch (thrown) {
      end.reject(unsent(method.name, thrown));
      context.onCancel(undefined);
    }
  }

  #submit(request: JobRequest, context: CallContext, submitter: Submitter): SubmittedJob {
    const { method, delayMs, priority, key, maxAttempts } = request;
    const options: SendOptions = {
      ...this.#options,
      ...(delayMs > 0 && { delay: delayMs }),
      ...(priority !== 0 && { priority }),
      // Keys of jobs are their method's own.
      ...(key !== undefined && { idempotencyKey: `${method.name}:${key}` }),
      ...(maxAttempts !== undefined && { maxAttempts }),
    };
    let isDetached = false;
    const tell = (run: () => void): void => {
      if (!isDetached) run();
    };
    this.#start(request.input, context, options, {
      accepted: (id) => tell(() => submitter.queued(String(id))),
      resolve: (output) => tell(() => submitter.done(output)),
      reject: (error) => tell(() => submitter.failed(error)),
      over: this.#over,
    });
    return { detach: () => void (isDetached = true) };
  }

  async #close(drainMs: number): Promise<void> {
    const message = `${this.endpoint} was closed in this process`;
    this.#refusal = new RpcError("FAILED_PRECONDITION", message, { reason: "CLOSED", delivered: "no" });
    if (this.#calls.size > 0 && drainMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.clock.setTimeout(resolve, Math.min(drainMs, MAX_TIMER_MS));
        this.#drained = () => {
          this.clock.clearTimeout(timer);
          resolve();
        };
      });
    }
    const error = new RpcError("UNAVAILABLE", message, { reason: "CLOSED", delivered: "unknown", retryable: false });
    for (const call of this.#calls) call.end(error);
  }
}

/** Ends as soon as it begins. */
function refusedConsumer({ method }: CallContext, taker: JobTaker): JobFeed {
  const message = `${method.name}: ${gapOf(CAPABILITIES.queue) ?? ""}`;
  const error = new RpcError("FAILED_PRECONDITION", message, { reason: "CAPABILITY", delivered: "no" });
  const nothing = (): void => undefined;
  return {
    peer: undefined,
    open: () => queueMicrotask(() => taker.ended(error)),
    settle: nothing,
    resume: nothing,
    finish: nothing,
    close: nothing,
  };
}

function unsent(method: string, thrown: unknown): RpcError {
  const error = RpcError.from(thrown);
  if (error.delivered !== undefined || error.code === "CANCELLED") return error;
  const { code, message, reason, details } = error;
  return new RpcError(code, message.startsWith(method) ? message : `${method}: ${message}`, {
    reason,
    details,
    delivered: "no",
    cause: thrown,
  });
}
