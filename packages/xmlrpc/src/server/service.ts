import type { Awaitable, Clock, Handler, Metadata, MethodKind, RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import type { Fault } from "../fault.ts";
import type { HttpExchange, ShownCredentials } from "../http/exchange.ts";
import type { Endpoint } from "./endpoint.ts";

/** Parameters as they came: by position, or (JSON-RPC with an object, JSON-2) by name. */
export type Params = readonly unknown[] | Readonly<Record<string, unknown>>;

/** One call as a front end has read it: XML-RPC, JSON-RPC and JSON-2 all make these. Not to be spread; `derivedCall` makes another one of it. */
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
  /** Each call of a batch may have its own. */
  readonly idempotencyKey?: string | undefined;
}

/** What introspection says about a method. */
export interface MethodInfo {
  readonly name: string;
  readonly kind: MethodKind;
  /** Each `[result, parameter…]` in the words of XML-RPC; empty: unknown. */
  readonly signatures: readonly (readonly string[])[];
  readonly help: string;
  /** The method of the contract behind it, where there is one. */
  readonly method?: MethodDescriptor | undefined;
}

/** What a request must show, said before its body is read. */
export interface Admission {
  /** The database that it is for, as {@link ShownCredentials} name it; undefined: the endpoint itself. */
  readonly database: string | undefined;
  /** `required`: the listener's `authenticate` hook decides · `unused`: nobody is asked; the service looks at what is shown by itself. */
  readonly credentials: "required" | "unused";
}

/** Thrown where HTTP itself says no, instead of a fault: answered with this status and plain text. A 401 gets the listener's realm. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "HttpRefusal";
    this.status = status;
    this.headers = headers;
  }
}

/**
 * What stands behind an endpoint, without any wire: a router, or databases with their models. A refused or failed call throws: a FaultError with
 * its own code, an RpcError, a HttpRefusal (only in a request of one call), or whatever the handler threw; the front end makes the answer of it.
 */
export interface Service {
  call(call: ServiceCall): Awaitable<unknown>;
  /** What this caller may call, `system.*` left out. */
  methods(exchange: HttpExchange): Awaitable<readonly MethodInfo[]>;
  /**
   * Asked for each request at or below the endpoint's path before its body is read; throws HttpRefusal (404, 400). Left out: only the very path
   * is served, and credentials are required when the listener has an `authenticate` hook.
   */
  admit?(exchange: HttpExchange): Awaitable<Admission>;
  /** `system.*` methods that it answers by itself, in `call`; the others are answered for it. */
  readonly ownSystemMethods?: ReadonlySet<string> | undefined;
  /** What it serves beside the listener's own path, with wires of their own. */
  readonly endpoints?: readonly Endpoint[] | undefined;
}

/** What a listener tells of itself to what it serves. */
export interface ServiceHost {
  /** Path of the endpoint without a slash at its end: `/RPC2`. */
  readonly path: string;
  readonly clock: Clock;
  /** Name of the profile, such as `odoo`. */
  readonly profile: string;
  /** Most calls in a multicall or a batch. */
  readonly maxCallsPerBatch: number;
  /** The fault that the caller gets for something thrown; for the items of a multicall. */
  faultOf(thrown: unknown): Fault;
  /** What headers say of an error beyond its fault; names in lower case. */
  errorHeaders?(thrown: unknown): Readonly<Record<string, string>>;
  /** Whether errors carry their stack. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  /** Whether introspection shows a method to somebody. Default: to everybody. */
  mayCall?(exchange: HttpExchange, method: MethodDescriptor): Awaitable<boolean>;
  /** How long, and how many, the reply caches of `guard` keep. Left out: none are kept. */
  readonly keptReplies?: { readonly keepMs: number; readonly maxEntries: number } | undefined;
  /** The handler behind the listener's guards: `authorize`, and a reply cache of its own. */
  guard(handler: Handler): Handler;
  /** The listener's `authenticate` hook with its cache and its limit of failures, for what shows credentials in a body. undefined: refused. */
  authenticate(shown: ShownCredentials): Awaitable<string | undefined>;
  /** Told of errors that nobody hears of, and of callers of old endpoints. */
  onError(error: RpcError): void;
}

/** Key of the function that makes a service of a value that is no Handler, such as `databases(…)`. */
export const SERVICE: unique symbol = Symbol.for("@rpc/xmlrpc/service") as never;

/** What a listener serves that is no Handler. */
export interface ServiceSource {
  [SERVICE](host: ServiceHost): Service;
}
