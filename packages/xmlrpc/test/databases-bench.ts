import { type Clock, type Handler, Metadata, type RpcError, systemClock } from "@rpc/core";
import type { Databases } from "../src/databases/databases.ts";
import { faultOf } from "../src/fault-mapping.ts";
import type { HttpExchange, ShownCredentials } from "../src/http/exchange.ts";
import { FrontCall } from "../src/server/front-call.ts";
import { RequestScope } from "../src/server/request-scope.ts";
import { type Params, type Service, SERVICE, type ServiceHost } from "../src/server/service.ts";
import { withSystemMethods } from "../src/server/system-methods.ts";

export interface BenchOptions {
  readonly clock?: Clock;
  readonly guard?: (handler: Handler) => Handler;
  readonly maxCallsPerBatch?: number;
  readonly identity?: string;
}

interface CallOptions {
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials?: Partial<ShownCredentials>;
  readonly scope?: RequestScope;
}

/** Databases behind a listener that is none: calls go straight to the service, so that what it throws can be seen. */
export interface Bench {
  readonly service: Service;
  /** Admits, then calls; rejects with what was thrown. */
  readonly call: (method: string, params?: Params, options?: CallOptions) => Promise<unknown>;
  readonly errors: readonly RpcError[];
}

export function databaseBench(databases: Databases, options: BenchOptions = {}): Bench {
  const errors: RpcError[] = [];
  const host: ServiceHost = {
    path: "/RPC2",
    clock: options.clock ?? systemClock,
    profile: "lenient",
    maxCallsPerBatch: options.maxCallsPerBatch ?? 1_000,
    faultOf: (thrown) => faultOf(thrown),
    guard: options.guard ?? ((handler) => handler),
    authenticate: () => options.identity,
    onError: (error) => {
      errors.push(error);
    },
  };
  const service = withSystemMethods(databases[SERVICE](host), host);
  const call: Bench["call"] = async (
    method,
    params = [],
    { path = "/RPC2/mydb", query = "", headers = {}, credentials, scope = new RequestScope() } = {},
  ) => {
    const exchange: HttpExchange = {
      path,
      query: new URLSearchParams(query),
      header: (name) => headers[name],
      credentials:
        credentials === undefined
          ? undefined
          : {
              scheme: "basic",
              user: "",
              secret: "",
              database: undefined,
              endpoint: "http://1.2.3.4:5",
              ...credentials,
            },
      identity: options.identity,
      endpoint: "http://1.2.3.4:5",
      responseMetadata: new Metadata(),
    };
    await service.admit?.(exchange);
    return service.call(new FrontCall(method, params, { exchange, scope, deadline: undefined }, false));
  };
  return { service, call, errors };
}
