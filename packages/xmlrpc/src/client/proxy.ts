import { type CallOptions, RpcError, type Transport } from "@rpc/core";
import { refused } from "../errors.ts";
import type { Caller } from "./caller.ts";
import { DynamicContext, dynamicMethod } from "./dynamic-call.ts";
import type { XmlRpcTransportOptions } from "./options.ts";
import { OpenBatch } from "./open-batch.ts";
import { createSequence, type Sequence } from "./sequence.ts";
import { callerOf, createXmlRpcTransport } from "./transport.ts";

/** A name that grows with each dot, and calls the server when it is called: `db.res.partner.read([1, 2])`. */
export interface XmlRpcMethod {
  (...params: readonly unknown[]): Promise<unknown>;
  readonly [name: string]: XmlRpcMethod;
}

/**
 * Whatever name there is. Where the compiler option `noUncheckedIndexedAccess` is on, such names may be undefined to it: give `xmlRpcProxy` the
 * type of those that are used, `xmlRpcProxy<{ res: { partner: Record<"search" | "read", XmlRpcMethod> } }>(url)`.
 */
export interface AnyNames {
  readonly [name: string]: XmlRpcMethod;
}

/** What one does with a server that is no call of its methods. All begin with `$`, which no method's name does. */
export interface XmlRpcProxyTools<Names extends object = AnyNames> {
  /** Calls a method by its full name, whatever it is: for names that JavaScript keeps for itself, such as `then` or `name`. */
  $call(name: string, ...params: readonly unknown[]): Promise<unknown>;
  /** The same server, with options for every call: `db.$with({ timeoutMs: 1_000, signal })`. `idempotent` calls may be sent twice. */
  $with(options: XmlRpcCallOptions): XmlRpcProxy<Names>;
  /**
   * Calls made in `build`, before it returns, travel as one `system.multicall` or JSON-RPC batch; each settles by itself. Gives what `build`
   * gives: `await Promise.all(db.$batch((b) => [b.version(), b.list()]))`. When `build` throws, what it has called is sent all the same, and
   * fails unheard.
   */
  $batch<T>(build: (proxy: XmlRpcProxy<Names>) => T): T;
  /** A call whose result the next ones are applied to, all in one request and one transaction: `system.sequence`. */
  $sequence(name: string, ...params: readonly unknown[]): Sequence;
  /** What the calls travel on. */
  readonly $transport: Transport;
  /** Closes the transport, when the proxy was made from a URL. */
  $close(): Promise<void>;
}

export type XmlRpcProxy<Names extends object = AnyNames> = XmlRpcProxyTools<Names> & AsyncDisposable & Names;

/** What a call by name may be told. */
export interface XmlRpcCallOptions extends CallOptions {
  /** Safe to run twice: sent again when an idle connection turns out to be dead. Default: false. */
  readonly idempotent?: boolean | undefined;
}

/**
 * A server without a contract: `const db = xmlRpcProxy("https://user:key@host/RPC2?db=mydb"); await db.res.partner.search([], [[…]])`. Parameters
 * travel by position as they are given; what comes back is what the server says, dates as `Date`, structs as records without prototype. Given
 * the options of `createXmlRpcTransport`, or a transport made before. `await db` is no call.
 */
export function xmlRpcProxy<Names extends object = AnyNames>(
  server: string | Transport,
  options: XmlRpcTransportOptions = {},
): XmlRpcProxy<Names> {
  const transport = typeof server === "string" ? createXmlRpcTransport(server, options) : server;
  const caller = callerOf(transport);
  if (caller === undefined) {
    const message = `${transport.endpoint} is no transport of createXmlRpcTransport; pass one, or a URL`;
    throw refused(message);
  }
  return rootOf({ caller, transport, owned: typeof server === "string", options: {}, batch: undefined });
}

interface Shared {
  readonly caller: Caller;
  readonly transport: Transport;
  readonly owned: boolean;
  readonly options: XmlRpcCallOptions;
  /** Where calls are collected; undefined: they are sent at once. */
  readonly batch: OpenBatch | undefined;
}

/** Names that JavaScript asks values for: a proxy with a `then` would be awaited by mistake. They are no methods at any depth. */
const NO_METHODS: ReadonlySet<string> = new Set([
  "then",
  "catch",
  "finally",
  "constructor",
  "prototype",
  "toJSON",
  "toString",
  "toLocaleString",
  "valueOf",
  "inspect",
  "__proto__",
]);

function rootOf<Names extends object>(shared: Shared): XmlRpcProxy<Names> {
  const close = (): Promise<void> => (shared.owned ? shared.transport.close() : Promise.resolve());
  const tools: XmlRpcProxyTools<Names> = {
    $call: (name, ...params) => callByName(shared, name, params),
    $with: (options) => rootOf({ ...shared, options: { ...shared.options, ...options } }),
    $batch: (build) => {
      const batch = new OpenBatch(shared.caller);
      return batch.run(() => build(rootOf({ ...shared, batch })));
    },
    $sequence: (name, ...params) =>
      createSequence(name, params, (call, pipeline) => callByName(shared, "system.sequence", [call, pipeline])),
    $transport: shared.transport,
    $close: close,
  };
  const target = Object.assign(Object.create(null) as object, tools, {
    [Symbol.asyncDispose]: close,
    toString: () => `proxy of ${shared.transport.endpoint}`,
  });
  const root = new Proxy(target, {
    get: (_, key) => {
      if (typeof key === "symbol" || Object.hasOwn(target, key)) return Reflect.get(target, key) as unknown;
      return child(shared, "", key);
    },
    ...READ_ONLY,
  });
  // The trap above gives every name that is not the target's own.
  return root as unknown as XmlRpcProxy<Names>;
}

function child(shared: Shared, prefix: string, name: string): XmlRpcMethod | undefined {
  if (NO_METHODS.has(name) || name.startsWith("$")) return undefined;
  return methodProxy(shared, prefix === "" ? name : `${prefix}.${name}`);
}

function methodProxy(shared: Shared, name: string): XmlRpcMethod {
  const call = (...params: readonly unknown[]): Promise<unknown> => callByName(shared, name, params);
  const text = (): string => `${name} of ${shared.transport.endpoint}`;
  const method = new Proxy(call, {
    get: (_, key) => {
      if (key === "toString" || key === Symbol.toPrimitive) return text;
      return typeof key === "symbol" ? undefined : child(shared, name, key);
    },
    ...READ_ONLY,
  });
  // As with the root: names come from the trap.
  return method as unknown as XmlRpcMethod;
}

const READ_ONLY = {
  set: (): boolean => false,
  defineProperty: (): boolean => false,
  deleteProperty: (): boolean => false,
};

function callByName(shared: Shared, name: string, params: readonly unknown[]): Promise<unknown> {
  const { caller, options, batch } = shared;
  try {
    if (typeof name !== "string" || name === "")
      throw new RpcError("INVALID_ARGUMENT", "a call needs the name of its method, as a text that is not empty", {
        reason: "INVALID_ARGUMENT",
        delivered: "no",
      });
    const { idempotent = false, ...callOptions } = options;
    const context = new DynamicContext(dynamicMethod(name, idempotent), callOptions, caller.settings.clock);
    return (batch ?? caller).call(context, () => params);
  } catch (thrown) {
    const refused = Promise.reject(RpcError.from(thrown));
    return batch === undefined ? refused : batch.keep(refused);
  }
}
