import { Metadata } from "@rpc/core";
import type { HttpExchange } from "../http/exchange.ts";
import { RequestScope } from "./request-scope.ts";
import type { Params, ServiceCall } from "./service.ts";

/** What a call takes from the request that it came in. */
export interface CallOrigin {
  readonly exchange: HttpExchange & { readonly metadata?: Metadata | undefined };
  readonly scope: RequestScope;
  readonly deadline: number | undefined;
}

/** A call as a front end makes it. It costs a signal and metadata only when they are asked for. */
export class FrontCall implements ServiceCall {
  readonly method: string;
  readonly params: Params;
  readonly exchange: HttpExchange;
  readonly scope: RequestScope;
  readonly deadline: number | undefined;
  readonly oneWay: boolean;
  readonly idempotencyKey: string | undefined;
  #metadata: Metadata | undefined;

  constructor(
    method: string,
    params: Params,
    origin: CallOrigin,
    oneWay: boolean,
    idempotencyKey: string | undefined = origin.exchange.header("idempotency-key"),
    metadata?: Metadata,
  ) {
    this.method = method;
    this.params = params;
    this.exchange = origin.exchange;
    this.scope = origin.scope;
    this.deadline = origin.deadline;
    this.oneWay = oneWay;
    this.idempotencyKey = idempotencyKey === "" ? undefined : idempotencyKey;
    this.#metadata = metadata;
  }

  get signal(): AbortSignal {
    return this.scope.signal;
  }

  get metadata(): Metadata {
    this.#metadata ??= (this.exchange as CallOrigin["exchange"]).metadata ?? new Metadata();
    return this.#metadata;
  }
}

/** What may differ in a call that is made of another one. */
export interface CallChanges {
  readonly method?: string;
  readonly params?: Params;
  /** The earlier one of it and the call's own holds. */
  readonly deadline?: number | undefined;
  /** The request's own key names the request as a whole: several calls in it must not be taken for one. Default: none. */
  readonly idempotencyKey?: string | undefined;
  /** Replaces the call's own. */
  readonly metadata?: Metadata;
  readonly oneWay?: boolean;
}

/** A call inside another one: an item of a multicall, a method behind a database. Calls must not be spread, that would lose what is made late. */
export function derivedCall(call: ServiceCall, changes: CallChanges): ServiceCall {
  const { method = call.method, params = call.params, oneWay = call.oneWay } = changes;
  const deadline =
    changes.deadline === undefined || call.deadline === undefined
      ? (changes.deadline ?? call.deadline)
      : Math.min(changes.deadline, call.deadline);
  const origin = { exchange: call.exchange, scope: scopeOf(call), deadline };
  return new FrontCall(method, params, origin, oneWay, changes.idempotencyKey ?? "", changes.metadata);
}

/** The request that a call lives in; for a call that no front end has made, one that follows its signal. */
export function scopeOf(call: ServiceCall): RequestScope {
  return call instanceof FrontCall ? call.scope : RequestScope.from(call.signal);
}
