import type { CallOptions } from "../words/call-context.ts";
import { type Clock, MAX_TIMER_MS, systemClock } from "../words/clock.ts";
import { type ClientOf, type Contract, DESCRIPTOR } from "../words/contract.ts";
import type { ContractDescriptor, MethodDescriptor } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { CallPort, Interceptor, PatternPorts, Transport } from "../words/transport.ts";
import { deadlineExceeded } from "../machines/outgoing-call.ts";
import { intercept } from "../tools/interceptors.ts";
import { validated } from "../tools/shapes.ts";
import { onlyValue, Single } from "../tools/single.ts";
import { checkBinding } from "./binding.ts";
import { startCall } from "./call-handle.ts";
import { CallerContext, type CallObserver } from "./caller-context.ts";
import { ClientJob } from "./jobs.ts";
import { ClientEvent } from "./topics.ts";

export interface ClientOptions {
  /** Wrap every call, the first one outermost; subscriptions and jobs are no calls. */
  readonly interceptors?: readonly Interceptor[];
  /** Whether inputs are validated here already, before they travel. The server validates in any case. Default: false. */
  readonly validateInput?: boolean;
  /** Where deadlines come from. Default: the transport's clock. */
  readonly clock?: Clock | undefined;
}

/**
 * The typed client of a contract. It does no I/O and holds nothing: closing the transport is all there is to close.
 * Throws FAILED_PRECONDITION when the transport lacks something that the contract needs, with the sentence that says what to do.
 */
export function createClient<C extends Contract>(
  contract: C,
  transport: Transport,
  options: ClientOptions = {},
): ClientOf<C> {
  checkBinding(contract[DESCRIPTOR], transport.capabilities, transport.endpoint);
  return createPortClient(contract[DESCRIPTOR], transport, { clock: transport.clock, ...options }) as ClientOf<C>;
}

/** The client over a bare port, its type still to be proved by the caller. */
export function createPortClient(
  contract: ContractDescriptor,
  port: CallPort & PatternPorts,
  options: ClientOptions = {},
): object {
  const wrapped = options.interceptors === undefined ? port : intercept(port, options.interceptors);
  const clock = options.clock ?? systemClock;
  // No prototype and no Proxy: what is not in the contract is undefined, so the client can be awaited, printed and inspected.
  const client = Object.create(null) as Record<PropertyKey, unknown>;
  Object.defineProperty(client, Symbol.toPrimitive, { value: () => `client of ${contract.name}` });
  for (const [short, method] of contract.methods) {
    const validate = options.validateInput ?? false;
    if (method.kind === "event") client[short] = new ClientEvent(method, port.topicPort, clock);
    else if (method.kind === "job") client[short] = new ClientJob(method, port.workQueue, clock, validate);
    else client[short] = clientMethod(new MethodCaller(method, wrapped, clock, validate, wrapped !== port));
  }
  return Object.freeze(client);
}

function clientMethod(caller: MethodCaller): unknown {
  switch (caller.method.kind) {
    case "unary":
      return Object.assign((input: unknown, options?: CallOptions) => caller.call(input, options, undefined), {
        start: (input: unknown, options?: CallOptions) => startCall(caller, input, options),
      });
    case "notification":
      return (input: unknown, options?: CallOptions) => caller.call(input, options, undefined);
    case "serverStream":
      return (input: unknown, options?: CallOptions) => caller.stream(new Single(input), options);
    case "clientStream":
      return (input: AsyncIterable<unknown> | Iterable<unknown>, options?: CallOptions) =>
        caller.collect(input, options);
    case "bidiStream":
      return (input: AsyncIterable<unknown> | Iterable<unknown>, options?: CallOptions) =>
        caller.stream(asyncIterable(input), options);
    case "event":
    case "job":
      throw new RpcError("INTERNAL", `${caller.method.name} is no call`, { reason: "INTERNAL" });
    default:
      return caller.method.kind satisfies never;
  }
}

/** One method bound to a port. */
export class MethodCaller {
  readonly method: MethodDescriptor;
  readonly clock: Clock;
  readonly #port: CallPort;
  readonly #validate: boolean;
  /** Somebody else's code runs on the way: it may throw anything, try twice, or never come back. */
  readonly #guarded: boolean;

  constructor(method: MethodDescriptor, port: CallPort, clock: Clock, validate: boolean, intercepted: boolean) {
    this.method = method;
    this.clock = clock;
    this.#port = port;
    this.#validate = validate && method.input.validate !== undefined;
    this.#guarded = intercepted || this.#validate;
  }

  call(input: unknown, options: CallOptions | undefined, observer: CallObserver | undefined): Promise<unknown> {
    try {
      return this.callWith(input, new CallerContext(this.method, options, this.clock, observer));
    } catch (thrown) {
      return Promise.reject(RpcError.from(thrown));
    }
  }

  callWith(input: unknown, context: CallerContext): Promise<unknown> {
    if (this.#guarded) return this.#callGuarded(input, context);
    const output = this.#port.call(input, context);
    return output instanceof Promise ? output : Promise.resolve(output);
  }

  /** Settles at the deadline or when it is cancelled, whatever becomes of the code on the way, and rejects with nothing but an RpcError. */
  #callGuarded(input: unknown, context: CallerContext): Promise<unknown> {
    const { clock } = this;
    const remainingMs = (context.deadline ?? Number.POSITIVE_INFINITY) - clock.now();
    const expire = (): void => context.cancelWith(deadlineExceeded(this.method.name, "unknown"));
    // Beyond what a timer keeps nobody waits for the guard: the session knows the deadline as well.
    const timer =
      remainingMs <= MAX_TIMER_MS ? clock.setTimeout(expire, Math.ceil(Math.max(0, remainingMs))) : undefined;
    return new Promise((resolve, reject) => {
      const release = (): void => {
        if (timer !== undefined) clock.clearTimeout(timer);
        context.guardWith(undefined);
      };
      const fail = (thrown: unknown): void => {
        release();
        reject(RpcError.from(thrown));
      };
      context.guardWith({ cancelled: fail });
      this.#callPort(input, context).then((output) => {
        release();
        resolve(output);
      }, fail);
    });
  }

  async #callPort(input: unknown, context: CallerContext): Promise<unknown> {
    // Proved, but sent as it is: the server's validator makes its own value of it.
    if (this.#validate) await validated(this.method.input, input, `${this.method.name}: input`, "INVALID_ARGUMENT");
    return this.#port.call(input, context);
  }

  /** A stream is a call of its own each time it is read; one that is never read holds nothing. */
  stream(input: AsyncIterable<unknown>, options: CallOptions | undefined): AsyncIterable<unknown> {
    return {
      [Symbol.asyncIterator]: () => {
        const context = new CallerContext(this.method, options, this.clock, undefined);
        if (this.#guarded) return this.#streamGuarded(input, context);
        return this.#port.stream(input, context)[Symbol.asyncIterator]();
      },
    };
  }

  async *#streamGuarded(input: AsyncIterable<unknown>, context: CallerContext): AsyncGenerator {
    // Keeps the context at its signal while an interceptor tries again; a stream itself is ended by the call on the wire.
    context.guardWith({ cancelled: () => undefined });
    try {
      yield* this.#port.stream(this.#validate ? this.#validatedItems(input) : input, context);
    } catch (thrown) {
      throw RpcError.from(thrown);
    } finally {
      context.guardWith(undefined);
    }
  }

  async *#validatedItems(input: AsyncIterable<unknown>): AsyncIterable<unknown> {
    for await (const item of input) {
      await validated(this.method.input, item, `${this.method.name}: input`, "INVALID_ARGUMENT");
      yield item;
    }
  }

  async collect(input: AsyncIterable<unknown> | Iterable<unknown>, options: CallOptions | undefined): Promise<unknown> {
    return onlyValue(this.stream(asyncIterable(input), options), this.method.name);
  }
}

function asyncIterable(values: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<unknown> {
  return Symbol.asyncIterator in values ? values : fromSync(values);
}

async function* fromSync(values: Iterable<unknown>): AsyncIterable<unknown> {
  yield* values;
}
