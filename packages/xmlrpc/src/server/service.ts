import type { Awaitable, Metadata, MethodKind } from "@rpc/core";
import type { HttpExchange } from "../http/exchange.ts";

/** Parameters as they came: by position, or (JSON-RPC with an object, JSON-2) by name. */
export type Params = readonly unknown[] | Readonly<Record<string, unknown>>;

/** One call as a front end has read it: XML-RPC, JSON-RPC and JSON-2 all make these. */
export interface ServiceCall {
  /** As it stood on the wire: `demo.Greeter.hello`, `res.partner.read`, `version`. */
  readonly method: string;
  readonly params: Params;
  /** The HTTP request it came in; several calls share one in a multicall or a batch. */
  readonly exchange: HttpExchange;
  /** Aborts when the client is gone, the deadline passes or the server ends. */
  readonly signal: AbortSignal;
  /** Instant on the clock's scale; undefined: none. */
  readonly deadline: number | undefined;
  readonly metadata: Metadata;
  /** A notification: nobody reads the answer. */
  readonly oneWay: boolean;
}

/** What introspection says about a method. */
export interface MethodInfo {
  readonly name: string;
  readonly kind: MethodKind;
  /** Each `[result, parameter…]` in the words of XML-RPC; empty: unknown. */
  readonly signatures: readonly (readonly string[])[];
  readonly help: string;
}

/**
 * What stands behind an endpoint, without any wire: a router, or databases with their models. A refused or failed call throws: a FaultError with
 * its own code, an RpcError, or whatever the handler threw; the front end makes the answer of it.
 */
export interface Service {
  call(call: ServiceCall): Awaitable<unknown>;
  /** What this caller may call, `system.*` left out. */
  methods(exchange: HttpExchange): Awaitable<readonly MethodInfo[]>;
}
