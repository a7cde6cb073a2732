import { type Awaitable, RpcError } from "@rpc/core";
import { namedText } from "../fault-mapping.ts";
import { FaultCode, FaultError } from "../fault.ts";
import { Header } from "../headers.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { HttpReply } from "../http/reply.ts";
import type { Endpoint, EndpointRequest } from "../server/endpoint.ts";
import { FrontCall } from "../server/front-call.ts";
import { isUnexpected, replyHeaders, reported, unmarshallable } from "../server/front-reply.ts";
import { jsonText } from "../json-text.ts";
import { type Admission, HttpRefusal, type Service, type ServiceHost } from "../server/service.ts";
import { databaseNotFound, isDatabaseName } from "./addressing.ts";
import type { AdminDesk } from "./admin.ts";
import { DatabaseService } from "./database-service.ts";
import { openApiOf } from "./openapi.ts";
import { jsonObject } from "./json-body.ts";

const PATH = /^\/json\/2\/([^/]+)\/([^/]+)$/;
const MEDIA_TYPE = "application/json";
const HEADERS: Readonly<Record<string, string>> = { "content-type": MEDIA_TYPE };

/** A failed call as JSON-2 says it; `debug` is empty unless the listener exposes stacks. */
interface Json2Error {
  readonly name: string;
  readonly message: string;
  readonly arguments: readonly unknown[];
  readonly context: object;
  readonly debug: string;
}

/**
 * `POST /json/2/<model>/<method>`: one flat object of arguments by name; for databases with `ids` and `context` among them, and the database in
 * `X-Odoo-Database` where there are several. Answers the bare value, and errors by HTTP status. In front of a plain router a model is a contract.
 */
export function json2Endpoint(service: Service, host: ServiceHost): Endpoint {
  return {
    methods: ["POST"],
    mediaTypes: [MEDIA_TYPE],
    matches: (path) => PATH.test(path),
    admit: (exchange) => admitted(service, exchange),
    handle: (request) => handled(service, host, request),
    refuse: ({ status, message, headers }) => errorReply(status, `HTTP ${status}`, message, headers),
  };
}

async function admitted(service: Service, exchange: HttpExchange): Promise<Admission> {
  if (!(service instanceof DatabaseService)) return { database: undefined, credentials: "required" };
  return service.admitTo(exchange, await databaseNamed(service, exchange.header("x-odoo-database")));
}

async function databaseNamed(service: DatabaseService, named: string | undefined): Promise<string> {
  if (named !== undefined) {
    if (!isDatabaseName(named)) throw databaseNotFound();
    return named;
  }
  const [only, ...others] = await service.names();
  if (only === undefined) throw databaseNotFound();
  if (others.length > 0) throw new HttpRefusal(400, "There are several databases here; name one in X-Odoo-Database");
  return only;
}

async function handled(service: Service, host: ServiceHost, request: EndpointRequest): Promise<HttpReply> {
  const { exchange } = request;
  let name = "";
  try {
    const [, model = "", method = ""] = PATH.exec(exchange.path) ?? [];
    name = `${nameOf(model)}.${nameOf(method)}`;
    const body = jsonObject(request);
    const params = service instanceof DatabaseService ? callOfBody(body) : body;
    const value = await service.call(new FrontCall(name, params, request, false));
    return { status: 200, headers: replyHeaders(HEADERS, exchange, value), body: textOf(value) };
  } catch (thrown) {
    if (thrown instanceof HttpRefusal) throw thrown;
    return failed(host, exchange, name, thrown);
  }
}

function textOf(value: unknown): string {
  try {
    return jsonText(value ?? null);
  } catch (thrown) {
    throw unmarshallable(thrown);
  }
}

function failed(host: ServiceHost, exchange: HttpExchange, method: string, thrown: unknown): HttpReply {
  const headers: Record<string, string> = { ...replyHeaders({}, exchange, null), ...host.errorHeaders?.(thrown) };
  if (isUnexpected(thrown)) headers[Header.callId] = reported(thrown, method, exchange, (error) => host.onError(error));
  const { code, message } = host.faultOf(thrown);
  const { name = "Error", text } = namedText(message);
  const debug = host.exposeStacks === true && thrown instanceof Error ? (thrown.stack ?? "") : "";
  return errorReply(statusOf(code, thrown), name, text, headers, debug);
}

function nameOf(segment: string): string {
  try {
    const name = decodeURIComponent(segment);
    if (!name.includes("/")) return name;
  } catch {
    // Told below.
  }
  throw new FaultError(FaultCode.MethodNotFound, "NameError: the path has no name of a method");
}

function callOfBody(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { ids = null, context = null, ...kwargs } = body;
  return { records: ids, context, kwargs };
}

/** HTTP's word for a fault. */
const STATUS: ReadonlyMap<number, number> = new Map([
  [FaultCode.NotWellFormed, 400],
  [FaultCode.InvalidRequest, 400],
  [FaultCode.InvalidCharacter, 400],
  [FaultCode.UnsupportedEncoding, 415],
  [FaultCode.MethodNotFound, 404],
  [FaultCode.InvalidParams, 422],
  [-32_100, 422],
  [-32_101, 403],
  [-32_102, 403],
  [-32_103, 404],
  [-32_104, 422],
  [-32_001, 503],
  [-32_002, 401],
  [-32_003, 403],
  [-32_004, 504],
]);

function statusOf(code: number, thrown: unknown): number {
  if (thrown instanceof RpcError && thrown.code === "RESOURCE_EXHAUSTED") return 429;
  return STATUS.get(code) ?? 500;
}

function errorReply(
  status: number,
  name: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  debug = "",
): HttpReply {
  const error: Json2Error = { name, message, arguments: [message], context: {}, debug };
  return jsonReply(status, JSON.stringify(error), headers);
}

export function jsonReply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status, headers: { ...HEADERS, ...headers }, body };
}

/** `GET /json/2/openapi.json`: what the caller may call there, in the database that he names. */
export function openApiEndpoint(service: Service, version: string): Endpoint {
  const withRecords = service instanceof DatabaseService;
  return {
    methods: ["GET"],
    mediaTypes: [],
    matches: (path) => path === "/json/2/openapi.json",
    admit: (exchange) => admitted(service, exchange),
    handle: async ({ exchange }) => {
      const methods = await service.methods(exchange);
      return jsonReply(200, JSON.stringify(openApiOf(methods, { title: "JSON-2", version, withRecords })));
    },
  };
}

/** `GET /json/version` and `GET /web/version`: `{ version_info, version }`. */
export function versionEndpoint(admin: AdminDesk): Endpoint {
  return {
    methods: ["GET"],
    mediaTypes: [],
    matches: (path) => path === "/json/version" || path === "/web/version",
    admit: (): Admission => ({ database: undefined, credentials: "unused" }),
    handle: ({ exchange, scope }): Awaitable<HttpReply> => {
      const call = { name: "version", signal: scope.signal, endpoint: exchange.endpoint };
      return Promise.resolve(admin.run("version", [], call)).then((version) =>
        jsonReply(200, JSON.stringify(versionInfo(version))),
      );
    },
  };
}

function versionInfo(version: unknown): object {
  const { server_version, server_version_info } = version as Readonly<Record<string, unknown>>;
  return { version_info: server_version_info, version: server_version };
}
