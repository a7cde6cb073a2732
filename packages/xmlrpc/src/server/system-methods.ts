import { type Awaitable, type Clock, RpcError } from "@rpc/core";
import { isPromiseLike, shown } from "@rpc/core/transport";
import { type Fault, FaultCode, FaultError } from "../fault.ts";
import { derivedCall, scopeOf } from "./front-call.ts";
import { inFault } from "./front-reply.ts";
import type { MethodInfo, Service, ServiceCall } from "./service.ts";

export interface SystemMethodOptions {
  readonly clock: Clock;
  /** Most calls in one multicall. */
  readonly maxCallsPerBatch: number;
  /** `python`: introspection knows no signatures, as CPython's own server. */
  readonly profile: string;
  readonly faultOf: (thrown: unknown) => Fault;
}

/**
 * A service that answers `system.*` as well, but for what it answers by itself (`ownSystemMethods`). `system.sequence` is not among it: its
 * steps are applied to records, which only databases have; elsewhere it is -32601.
 */
export function withSystemMethods(service: Service, options: SystemMethodOptions): Service {
  const system = new SystemMethods(service, options);
  return {
    call: (call) => (call.method.startsWith(PREFIX) ? system.call(call) : service.call(call)),
    methods: (exchange) => service.methods(exchange),
    ...(service.admit === undefined ? {} : { admit: (exchange) => service.admit?.(exchange) ?? OPEN }),
    ownSystemMethods: service.ownSystemMethods,
    endpoints: service.endpoints,
  };
}

const PREFIX = "system.";
const OPEN = { database: undefined, credentials: "required" } as const;

interface SystemMethod {
  readonly signatures: readonly (readonly string[])[];
  readonly help: string;
}

const METHODS: Readonly<Record<string, SystemMethod>> = {
  "system.listMethods": { signatures: [["array"]], help: "Names of the methods that you may call." },
  "system.methodSignature": {
    signatures: [["array", "string"]],
    help: "Signatures of a method: each the type of the result, then those of the parameters.",
  },
  "system.methodHelp": { signatures: [["string", "string"]], help: "What a method is for." },
  "system.multicall": {
    signatures: [["array", "array"]],
    help: "Makes several calls, each {methodName, params}, in order. Each gives [result] or a fault struct.",
  },
  "system.getCapabilities": { signatures: [["struct"]], help: "Which specifications are followed." },
  "system.noop": { signatures: [["nil"]], help: "Does nothing; shows that credentials are right." },
  "system.identity": { signatures: [["string"]], help: "What kind of server this is." },
  "system.status": { signatures: [["struct"]], help: "How much there is and has been to do." },
  "system.introspection": {
    signatures: [["array"], ["struct", "string"], ["array", "array"]],
    help: "Name, help and signatures of all, one or several methods.",
  },
  "system.sequence": {
    signatures: [["mixed", "struct", "array"]],
    help: "Makes a call, and further ones on the records that each gives.",
  },
};

const CAPABILITIES = {
  xmlrpc: { specUrl: "http://www.xmlrpc.com/spec", specVersion: 1 },
  introspection: { specUrl: "http://xmlrpc.usefulinc.com/doc/reserved.html", specVersion: 1 },
  "system.multicall": { specUrl: "http://www.xmlrpc.com/discuss/msgReader$1208", specVersion: 1 },
  nil: { specUrl: "http://ontosys.com/xml-rpc/extensions.php", specVersion: 1 },
  faults_interop: {
    specUrl: "http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php",
    specVersion: 20_010_516,
  },
} as const;

const IDENTITY = "@rpc/xmlrpc";

/** The answer of one call in a multicall: its value in an array, or a fault as a struct. */
export type MulticallItem = readonly [unknown] | { readonly faultCode: number; readonly faultString: string };

class SystemMethods {
  readonly #service: Service;
  readonly #options: SystemMethodOptions;
  readonly #startedAt: number;
  readonly #own: ReadonlySet<string>;
  #calls = 0;

  constructor(service: Service, options: SystemMethodOptions) {
    this.#service = service;
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#own = service.ownSystemMethods ?? new Set();
  }

  call(call: ServiceCall): Awaitable<unknown> {
    this.#calls++;
    if (this.#own.has(call.method)) return this.#service.call(call);
    const params = call.params;
    const list: readonly unknown[] = isList(params) ? params : Object.values(params);
    switch (call.method) {
      case "system.listMethods":
        return this.#describe(call, (all) => all.map(({ name }) => name));
      case "system.methodSignature":
        return this.#signature(call, list);
      case "system.methodHelp":
        return this.#describe(call, (all) => find(all, list[0]).help);
      case "system.introspection":
        return this.#introspection(call, list);
      case "system.status":
        return this.#describe(call, (all) => ({
          name: IDENTITY,
          methods_known: all.length,
          system_calls: this.#calls,
          uptime_seconds: Math.floor((this.#options.clock.now() - this.#startedAt) / 1_000),
        }));
      case "system.getCapabilities":
        return CAPABILITIES;
      case "system.identity":
        return IDENTITY;
      case "system.noop":
        return null;
      case "system.multicall":
        return this.#multicall(call, list);
      default:
        throw notFound(call.method);
    }
  }

  async #describe<T>(call: ServiceCall, describe: (all: readonly MethodInfo[]) => T): Promise<T> {
    const system = Object.entries(METHODS)
      .filter(([name]) => name !== "system.sequence" || this.#own.has(name))
      .map(([name, { signatures, help }]): MethodInfo => ({ name, kind: "unary", signatures, help }));
    const own = await this.#service.methods(call.exchange);
    return describe([...own, ...system]);
  }

  #introspection(call: ServiceCall, list: readonly unknown[]): Awaitable<unknown> {
    const { maxCallsPerBatch } = this.#options;
    const [names] = list;
    // A short name asked for again and again would be answered with a long text each time.
    if (isList(names) && names.length > maxCallsPerBatch) throw tooManyCalls(names.length, maxCallsPerBatch);
    return this.#describe(call, (all) => introspected(all, list));
  }

  #signature(call: ServiceCall, list: readonly unknown[]): Awaitable<unknown> {
    if (this.#options.profile === "python") return "signatures not supported";
    return this.#describe(call, (all) => {
      const { signatures } = find(all, list[0]);
      return signatures.length === 0 ? "undef" : signatures;
    });
  }

  async #multicall(call: ServiceCall, list: readonly unknown[]): Promise<readonly MulticallItem[]> {
    const [items, ...more] = list;
    if (!isList(items) || more.length > 0)
      throw new FaultError(FaultCode.InvalidParams, "TypeError: system.multicall takes one array of calls");
    const { maxCallsPerBatch } = this.#options;
    if (items.length > maxCallsPerBatch) throw tooManyCalls(items.length, maxCallsPerBatch);
    const answers: MulticallItem[] = [];
    const scope = scopeOf(call);
    for (const item of items) {
      if (scope.cancelReason !== undefined) throw scope.cancelReason;
      answers.push(await this.#one(call, item));
    }
    return answers;
  }

  /** Independent of the others: whatever goes wrong is its own fault. No promise where the handler needs none. */
  #one(call: ServiceCall, item: unknown): Awaitable<MulticallItem> {
    const fail = (thrown: unknown): MulticallItem => faultItem(this.#options.faultOf(inFault(thrown)));
    try {
      const value = this.#itemValue(call, item);
      if (!isPromiseLike(value)) return [value ?? null];
      return Promise.resolve(value).then((later): MulticallItem => [later ?? null], fail);
    } catch (thrown) {
      return fail(thrown);
    }
  }

  #itemValue(call: ServiceCall, item: unknown): Awaitable<unknown> {
    const { methodName, params } = callItem(item);
    const inner = derivedCall(call, { method: methodName, params });
    return methodName.startsWith(PREFIX) ? this.call(inner) : this.#service.call(inner);
  }
}

/** An item of a multicall, checked. Throws the FaultError of what is wrong with it. */
function callItem(item: unknown): { readonly methodName: string; readonly params: readonly unknown[] } {
  if (typeof item !== "object" || item === null || isList(item))
    throw new FaultError(FaultCode.InvalidRequest, "TypeError: a call of system.multicall is a struct");
  const { methodName, params } = item as { readonly methodName?: unknown; readonly params?: unknown };
  if (methodName === undefined)
    throw new FaultError(FaultCode.MethodNotFound, "KeyError: a call of system.multicall needs a methodName");
  if (typeof methodName !== "string")
    throw new FaultError(FaultCode.InvalidRequest, "TypeError: methodName is a string");
  if (methodName === "system.multicall")
    throw new FaultError(FaultCode.Internal, "RecursionError: system.multicall cannot be called inside itself");
  if (!isList(params))
    throw new FaultError(FaultCode.InvalidParams, "KeyError: a call of system.multicall needs params, an array");
  return { methodName, params };
}

export function faultItem({ code, message }: Fault): MulticallItem {
  return { faultCode: code, faultString: message };
}

export function tooManyCalls(count: number, limit: number): RpcError {
  return new RpcError(
    "RESOURCE_EXHAUSTED",
    `${count} calls in one request, more than ${limit}; send several requests`,
    {
      reason: "maxCallsPerBatch",
    },
  );
}

function introspected(all: readonly MethodInfo[], [names]: readonly unknown[]): unknown {
  if (typeof names === "string") return described(find(all, names));
  return (isList(names) ? names.map((name) => find(all, name)) : all).map(described);
}

function described({ name, help, signatures }: MethodInfo): Readonly<Record<string, unknown>> {
  return { name, help, signature: signatures.map((words) => words.join(" ")) };
}

function find(all: readonly MethodInfo[], name: unknown): MethodInfo {
  const found = all.find((method) => method.name === name);
  if (found === undefined) throw notFound(typeof name === "string" ? name : "");
  return found;
}

function notFound(name: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: method "${shown(name)}" is not supported`);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
