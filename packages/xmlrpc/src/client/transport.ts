import type { Capabilities, CloseOptions, Transport } from "@rpc/core";
import { RpcError } from "@rpc/core";
import { type CallContext, gapOf, type MethodDescriptor } from "@rpc/core/transport";
import { refused } from "../errors.ts";
import type { Params } from "../server/service.ts";
import { capabilitiesOf } from "../capabilities.ts";
import { Caller } from "./caller.ts";
import { dynamicMethod, DynamicContext } from "./dynamic-call.ts";
import { clientSettings, type ClientSettings, type Target, targetOf, type XmlRpcTransportOptions } from "./options.ts";
import { OpenBatch } from "./open-batch.ts";
import { paramsOf } from "./params.ts";
import type { ClientWire } from "./wire.ts";
import { json2Root, json2Wire } from "./wire-json2.ts";
import { jsonRpcWire } from "./wire-json-rpc.ts";
import { xmlRpcWire } from "./wire-xml-rpc.ts";

/**
 * Calls a server over XML-RPC, JSON-RPC 2.0 or JSON-2: `http://host/RPC2`, `https://user:key@host/RPC2?db=name`. The user and the password in
 * the URL are percent-decoded and shown with every request; they stand in no message. Creating it connects to nothing. Cookies are not kept,
 * redirects are refused. Throws INVALID_ARGUMENT for a URL or an option that cannot be right.
 */
export function createXmlRpcTransport(url: string, options: XmlRpcTransportOptions = {}): XmlRpcTransport {
  const settings = clientSettings(options);
  const target = targetOf(url, options);
  const { wire, headers } = wireOf(target, settings, options);
  return new NativeTransport(new Caller(target, settings, wire, headers));
}

/** What `createXmlRpcTransport` gives. */
export interface XmlRpcTransport extends Transport {
  /**
   * Makes calls as one `system.multicall` or JSON-RPC batch: those that `build` makes on the transport it is given, before it returns. Each
   * settles by itself. A call with metadata or an idempotency key travels alone, and JSON-2 has no batches. Gives what `build` gives.
   */
  batch<T>(build: (transport: Transport) => T): T;
}

const CALLERS = new WeakMap<object, Caller>();

/** What makes the calls of a transport of this package; undefined: another one. */
export function callerOf(transport: Transport): Caller | undefined {
  return CALLERS.get(transport);
}

class NativeTransport implements XmlRpcTransport {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly clock: Caller["settings"]["clock"];
  readonly #caller: Caller;
  #closed: Promise<void> | undefined = undefined;

  constructor(caller: Caller) {
    this.#caller = caller;
    CALLERS.set(this, caller);
    this.endpoint = caller.target.endpoint;
    this.clock = caller.settings.clock;
    this.capabilities = capabilitiesOf(caller.settings.gzip);
  }

  call(input: unknown, context: CallContext): Promise<unknown> {
    return this.#caller.call(context, () => this.#paramsOf(input, context.method));
  }

  stream(_input: AsyncIterable<unknown>, { method }: CallContext): AsyncIterable<unknown> {
    return refusedStream(`${method.name}: ${gapOf(this.capabilities.serverStream) ?? ""}`);
  }

  batch<T>(build: (transport: Transport) => T): T {
    const batch = new OpenBatch(this.#caller);
    const part: Transport = {
      endpoint: this.endpoint,
      capabilities: this.capabilities,
      clock: this.clock,
      call: (input, context) => batch.call(context, () => this.#paramsOf(input, context.method)),
      stream: (input, context) => this.stream(input, context),
      ready: () => this.ready(),
      // It holds nothing of its own.
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return batch.run(() => build(part));
  }

  /** Asks the server for nothing (`system.noop`): an answer of any kind will do, unless it refuses who we are. */
  async ready(): Promise<void> {
    const method = dynamicMethod("system.noop", true);
    const { protocol } = this.#caller.settings;
    try {
      await this.#caller.call(new DynamicContext(method, undefined, this.clock), () =>
        protocol === "json-2" ? {} : [],
      );
    } catch (thrown) {
      const error = RpcError.from(thrown);
      const { code } = error;
      // A server that does not know the method is there.
      if (code === "UNIMPLEMENTED" || code === "UNKNOWN" || code === "NOT_FOUND" || code === "INVALID_ARGUMENT") return;
      throw error;
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options.drainMs ?? 0);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    await this.#caller.drain(drainMs);
    this.#caller.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #paramsOf(input: unknown, method: MethodDescriptor): Params {
    const { params, protocol } = this.#caller.settings;
    return paramsOf(input, method, params, protocol !== "xml-rpc");
  }
}

function wireOf(
  target: Target,
  settings: ClientSettings,
  options: XmlRpcTransportOptions,
): { readonly wire: ClientWire; readonly headers: readonly string[] } {
  switch (settings.protocol) {
    case "xml-rpc":
      return { wire: xmlRpcWire(target.path, settings.document), headers: [] };
    case "json-rpc":
      return { wire: jsonRpcWire(target.path), headers: [] };
    case "json-2": {
      const { root, database = options.database } = json2Root(target.url);
      return {
        wire: json2Wire(root),
        headers: database === undefined ? [] : ["X-Odoo-Database", databaseName(database)],
      };
    }
    default:
      return settings.protocol satisfies never;
  }
}

function databaseName(name: string): string {
  if (/^[A-Za-z0-9._-]{1,100}$/.test(name)) return name;
  const message = `a database's name has 1 to 100 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(name.slice(0, 100))}`;
  throw refused(message);
}

function refusedStream(message: string): AsyncIterable<never> {
  const next = (): Promise<never> =>
    Promise.reject(new RpcError("UNIMPLEMENTED", message, { reason: "CAPABILITY", delivered: "no" }));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
