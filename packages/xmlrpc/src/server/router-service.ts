import { type Awaitable, type Clock, type Handler, RpcError } from "@rpc/core";
import { isPromiseLike, type MethodDescriptor, shown } from "@rpc/core/transport";
import { FaultCode, FaultError } from "../fault.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { type HttpCallContext, runHandler } from "./handler-context.ts";
import { inputOf, outputOf } from "./parameters.ts";
import { methodInfo } from "./signatures.ts";
import type { MethodInfo, Service, ServiceCall } from "./service.ts";
import type { Wire } from "./wire-values.ts";

export interface RouterServiceOptions {
  readonly clock: Clock;
  /** Told of each call's context before the handler sees it. */
  readonly prepare?: ((context: HttpCallContext) => void) | undefined;
  /** Told of a failed notification, which nobody else hears of. */
  readonly onError?: ((error: RpcError) => void) | undefined;
  /** Whether introspection shows a method to somebody. Default: to everybody. */
  readonly mayCall?: ((exchange: HttpExchange, method: MethodDescriptor) => Awaitable<boolean>) | undefined;
}

/** The contract that commands of a dynamic router are methods of. They are called by their bare names as well. */
const DYNAMIC_CONTRACT = "dynamic";

/**
 * Any handler of core as a service: the name on the wire is contract and method, `demo.Greeter.hello`. Unary methods and notifications can be
 * called; what is a stream, an event or a job says so. A gateway serves whatever name there is.
 */
export function routerService(handler: Handler, options: RouterServiceOptions): Service {
  return new RouterService(handler, options);
}

class RouterService implements Service {
  readonly #handler: Handler;
  readonly #options: RouterServiceOptions;

  constructor(handler: Handler, options: RouterServiceOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  call(call: ServiceCall): Awaitable<unknown> {
    return callMethod(this.#handler, findMethod(this.#handler, call.method, call.oneWay), call, this.#options);
  }

  async methods(exchange: HttpExchange): Promise<readonly MethodInfo[]> {
    const found: MethodInfo[] = [];
    const { mayCall } = this.#options;
    for (const { name: contract, methods } of this.#handler.contracts) {
      for (const [short, method] of methods) {
        if (method.kind !== "unary" && method.kind !== "notification") continue;
        if (mayCall !== undefined && !(await mayCall(exchange, method))) continue;
        found.push(methodInfo(method, contract === DYNAMIC_CONTRACT ? short : method.name));
      }
    }
    return found;
  }
}

/** The method of a name on the wire; throws FaultError -32601. */
export function findMethod(handler: Handler, name: string, oneWay = false): MethodDescriptor {
  const [first, second] = oneWay ? (["notification", "unary"] as const) : (["unary", "notification"] as const);
  const method =
    handler.method(name, first) ??
    handler.method(name, second) ??
    handler.method(`${DYNAMIC_CONTRACT}.${name}`, "unary");
  if (method !== undefined && !hasPrivateSegment(name)) return method;
  throw notFound(handler, name);
}

/** Calls a method with parameters as they came, and gives its output as a value that the wire can say. */
function callMethod(
  handler: Handler,
  method: MethodDescriptor,
  call: ServiceCall,
  options: RouterServiceOptions,
): Awaitable<unknown> {
  const wire = wireOf(call);
  let input: Awaitable<unknown>;
  try {
    input = inputOf(method, call.params, wire);
  } catch (thrown) {
    return misfit(method, call, thrown, options.mayCall);
  }
  if (!isPromiseLike(input)) return callWithInput(handler, method, input, call, options);
  return Promise.resolve(input).then(
    (value) => callWithInput(handler, method, value, call, options),
    (thrown: unknown) => misfit(method, call, thrown, options.mayCall),
  );
}

/** Arguments that do not fit: only who may call a method learns what it takes. `mayCall`: undefined where everybody may. */
export async function misfit(
  method: MethodDescriptor,
  { exchange }: ServiceCall,
  thrown: unknown,
  mayCall: RouterServiceOptions["mayCall"],
): Promise<never> {
  if (mayCall === undefined || (await mayCall(exchange, method))) throw thrown;
  const message = `${method.name}: the peer is not allowed to call it`;
  throw new RpcError("PERMISSION_DENIED", message, { reason: "FORBIDDEN", delivered: "no" });
}

/** The same when the input is there already. */
export function callWithInput(
  handler: Handler,
  method: MethodDescriptor,
  input: unknown,
  call: ServiceCall,
  options: RouterServiceOptions,
): Awaitable<unknown> {
  const wire = wireOf(call);
  if (method.kind === "notification") return notified(handler, method, input, call, options);
  const output = runHandler(handler, method, input, call, options);
  if (!isPromiseLike(output)) return outputOf(method, output, wire);
  return Promise.resolve(output).then((value) => outputOf(method, value, wire));
}

/** Nobody hears how a notification ends, but that it was taken up. */
function notified(
  handler: Handler,
  method: MethodDescriptor,
  input: unknown,
  call: ServiceCall,
  options: RouterServiceOptions,
): undefined {
  const report = (thrown: unknown): void => options.onError?.(RpcError.from(thrown));
  try {
    const output = runHandler(handler, method, input, call, options);
    if (isPromiseLike(output)) Promise.resolve(output).catch(report);
  } catch (thrown) {
    report(thrown);
  }
  return undefined;
}

function notFound(handler: Handler, name: string): FaultError {
  const dot = name.lastIndexOf(".");
  const contract = handler.contracts.find((served) => served.name === name.slice(0, Math.max(dot, 0)));
  const kind = contract?.methods.get(name.slice(dot + 1))?.kind;
  let why = "";
  if (kind !== undefined) why = `: it is of kind ${kind}, which HTTP does not carry`;
  else if (contract === undefined && dot > 0) why = `: contract "${shown(name.slice(0, dot))}" is not served here`;
  return new FaultError(FaultCode.MethodNotFound, `NameError: method "${shown(name)}" is not supported${why}`);
}

function hasPrivateSegment(name: string): boolean {
  return name.startsWith("_") || name.includes("._");
}

/** JSON has fewer types than XML-RPC, so some of its texts stand for other values. */
export function wireOf({ exchange }: ServiceCall): Wire {
  const contentType = exchange.header("content-type");
  return contentType !== undefined && /^\s*application\/json/i.test(contentType) ? "json" : "xml";
}
