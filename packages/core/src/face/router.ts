import type { CallContext } from "../words/call-context.ts";
import { type Contract, DESCRIPTOR, type ImplementationOf } from "../words/contract.ts";
import type { ContractDescriptor, MethodDescriptor, MethodKind } from "../words/method.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { Awaitable, CallPort, Handler, Interceptor } from "../words/transport.ts";
import { intercept } from "../tools/interceptors.ts";
import { deferredStream, isStreamable, MappedStream } from "../tools/mapped-stream.ts";
import { isPromiseLike } from "../tools/promise-like.ts";
import { validated } from "../tools/shapes.ts";
import { onlyValue, Single } from "../tools/single.ts";

export interface RouterOptions {
  /** Wrap every call of this router, the first one outermost. They see the input before it is validated. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * Whether outputs are validated before they leave. A schema that changes values (defaults, transforms) needs it, so that callers
   * get what their types say. Default: true.
   */
  readonly validateOutput?: boolean;
}

/** A contract with the functions behind it: what a listener serves. */
export function createRouter<C extends Contract>(
  contract: C,
  implementation: ImplementationOf<C>,
  options: RouterOptions = {},
): Handler {
  const descriptor = contract[DESCRIPTOR];
  const methods = new Map<string, ServedMethod>();
  for (const [short, method] of descriptor.methods) {
    const run = memberOf(implementation, short);
    if (typeof run === "function") {
      // Its type was proved by `ImplementationOf`; from here on it is called by the shape of its method.
      methods.set(
        method.name,
        new ServedMethod(method, run.bind(implementation) as MethodFunction, options.validateOutput ?? true),
      );
    } else if (method.kind !== "event" && method.kind !== "job") {
      throw new RpcError("INVALID_ARGUMENT", `${method.name}: the implementation has no function of this name`, {
        reason: "INVALID_ARGUMENT",
      });
    }
  }
  return new ContractRouter(descriptor, methods, options.interceptors ?? []);
}

type MethodFunction = (input: unknown, context: CallContext) => unknown;

class ContractRouter implements Handler {
  readonly contracts: readonly ContractDescriptor[];
  readonly call: CallPort["call"];
  readonly stream: CallPort["stream"];
  readonly #methods: ReadonlyMap<string, ServedMethod>;

  constructor(
    contract: ContractDescriptor,
    methods: ReadonlyMap<string, ServedMethod>,
    interceptors: readonly Interceptor[],
  ) {
    this.contracts = [contract];
    this.#methods = methods;
    const served = (context: CallContext): ServedMethod =>
      methods.get(context.method.name) ?? notServed(context.method.name);
    const port: CallPort = {
      call: (input, context) => served(context).call(input, context),
      stream: (input, context) => served(context).stream(input, context),
    };
    ({ call: this.call, stream: this.stream } = intercept(port, interceptors));
  }

  method(name: string, kind: MethodKind): MethodDescriptor | undefined {
    const method = this.#methods.get(name)?.method;
    return method?.kind === kind ? method : undefined;
  }
}

/** One method with its function, its values proved on the way in and out. */
class ServedMethod {
  readonly method: MethodDescriptor;
  readonly #run: MethodFunction;
  readonly #inputName: string;
  readonly #outputName: string;
  readonly #validateOutput: boolean;

  constructor(method: MethodDescriptor, run: MethodFunction, validateOutput: boolean) {
    this.method = method;
    this.#run = run;
    this.#inputName = `${method.name}: input`;
    this.#outputName = `${method.name}: output`;
    this.#validateOutput = validateOutput && method.output.validate !== undefined;
  }

  // Nothing here is `async`: where validator and handler are synchronous, a call costs no promise.
  call(input: unknown, context: CallContext): Awaitable<unknown> {
    if (this.method.input.validate === undefined) return this.#called(input, context);
    const checked = validated(this.method.input, input, this.#inputName, "INVALID_ARGUMENT");
    return checked instanceof Promise
      ? checked.then((value) => this.#called(value, context))
      : this.#called(checked, context);
  }

  #called(input: unknown, context: CallContext): Awaitable<unknown> {
    const output = this.#run(input, context);
    if (!this.#validateOutput) return output;
    return isPromiseLike(output)
      ? Promise.resolve(output).then((value) => this.#checkedOutput(value))
      : this.#checkedOutput(output);
  }

  #checkedOutput(output: unknown): Awaitable<unknown> {
    return validated(this.method.output, output, this.#outputName, "INTERNAL");
  }

  stream(input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> {
    if (this.method.kind !== "serverStream") return this.#opened(this.#checkedInputs(input), context);
    if (input instanceof Single) {
      const checked = validated(this.method.input, input.value, this.#inputName, "INVALID_ARGUMENT");
      if (!(checked instanceof Promise)) return this.#opened(checked, context);
      // Whoever reads the stream sees a refusal; when nobody ever does, it must not end the process.
      checked.catch(() => undefined);
      return deferredStream(async () => this.#opened(await checked, context));
    }
    return deferredStream(async () => {
      const only = await onlyValue(input, this.method.name);
      return this.#opened(await validated(this.method.input, only, this.#inputName, "INVALID_ARGUMENT"), context);
    });
  }

  #checkedInputs(input: AsyncIterable<unknown>): AsyncIterable<unknown> {
    if (this.method.input.validate === undefined) return input;
    return new MappedStream(input, (item) => validated(this.method.input, item, this.#inputName, "INVALID_ARGUMENT"));
  }

  #opened(input: unknown, context: CallContext): AsyncIterable<unknown> {
    const output = this.#run(input, context);
    if (this.method.kind === "clientStream") {
      return deferredStream(async () => {
        const only: unknown = await output;
        return [this.#validateOutput ? await this.#checkedOutput(only) : only];
      });
    }
    if (!isStreamable(output)) {
      throw new RpcError("INTERNAL", `${this.method.name}: the handler must return an async iterable`, {
        reason: "INTERNAL",
      });
    }
    if (this.#validateOutput) return new MappedStream(output, (item) => this.#checkedOutput(item));
    // A pump reads synchronous iterables as well; only the type asks for an asynchronous one.
    return Symbol.asyncIterator in output ? output : new MappedStream(output, (item) => item);
  }
}

/** A member that the implementation or its class brings: what every object inherits implements nothing. */
function memberOf(implementation: object, name: string): unknown {
  for (
    let owner: object | null = implementation;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    if (Object.hasOwn(owner, name)) return Reflect.get(implementation, name);
  }
  return undefined;
}

function notServed(name: string): never {
  throw new RpcError("UNIMPLEMENTED", `${name} is not served here`, { reason: "METHOD_NOT_FOUND" });
}

/** Several handlers as one. Each contract may be served once; a handler without contracts (a gateway) takes what is left. */
export function mergeRouters(...handlers: readonly Handler[]): Handler {
  const owners = new Map<string, Handler>();
  for (const handler of handlers) {
    for (const contract of handler.contracts) {
      if (owners.has(contract.name)) {
        throw new RpcError("INVALID_ARGUMENT", `contract ${contract.name} is served twice; merge each contract once`, {
          reason: "INVALID_ARGUMENT",
        });
      }
      owners.set(contract.name, handler);
    }
  }
  const rest = handlers.find((handler) => handler.contracts.length === 0);
  const owner = (contract: string): Handler | undefined => owners.get(contract) ?? rest;
  const owning = (context: CallContext): Handler => owner(context.method.contract) ?? notServed(context.method.name);
  return {
    contracts: handlers.flatMap((handler) => handler.contracts),
    method: (name, kind) => owner(name.slice(0, Math.max(0, name.lastIndexOf("."))))?.method(name, kind),
    call: (input, context) => owning(context).call(input, context),
    stream: (input, context) => owning(context).stream(input, context),
  };
}

/** Serves nothing: what an end without a router of its own says to every call. */
export const EMPTY_HANDLER: Handler = {
  contracts: [],
  method: () => undefined,
  call: (_input, context) => notServed(context.method.name),
  stream: (_input, context) => notServed(context.method.name),
};
