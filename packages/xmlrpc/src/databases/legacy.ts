import { RpcError } from "@rpc/core";
import { createDocumentCodec } from "../codec/create-document-codec.ts";
import type { DecodedCall, DocumentCodec } from "../codec/document-codec.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { HttpReply } from "../http/reply.ts";
import type { Endpoint, EndpointRequest } from "../server/endpoint.ts";
import { jsonText } from "../json-text.ts";
import { isUnexpected, reported } from "../server/front-reply.ts";
import type { Admission, ServiceHost } from "../server/service.ts";
import type { AdminDesk } from "./admin.ts";
import type { DatabaseService } from "./database-service.ts";
import { inWords, isStruct, typeError } from "./error-texts.ts";
import { recordOf } from "./conventions.ts";
import { jsonObject } from "./json-body.ts";
import { jsonReply } from "./json2.ts";
import { LegacyServices } from "./legacy-services.ts";
import { legacyFaultOf, type LegacyFault, legacyValue } from "./legacy-values.ts";

export interface LegacyOptions {
  /** The number that stands for somebody, from 1 up. Default: the identity itself when it is a number, else one worked out from its text. */
  readonly uidOf?: ((identity: string, database: string) => number | Promise<number>) | undefined;
  /** The user name of a number; undefined: nobody's. Default: those who have logged in since the start. */
  readonly loginOf?: ((uid: number, database: string) => string | undefined | Promise<string | undefined>) | undefined;
  /** Whether a method is called on a model, without records in front of its arguments. Default: the well-known ones, such as `search`. */
  readonly isModelMethod?: ((model: string, method: string) => boolean) | undefined;
}

/** Since Odoo 19 (2025-09-17), as RFC 9745 writes an instant. */
const DEPRECATED = "@1758067200";
/** Addresses whose use of old endpoints was told; more are told again. */
const MAX_TOLD = 10_000;

const XML_PATH = /^\/xmlrpc\/2\/(common|object|db)\/?$/;
const JSON_PATHS: ReadonlySet<string> = new Set([
  "/jsonrpc",
  "/web/webclient/version_info",
  "/web/session/authenticate",
  "/web/session/destroy",
]);

/**
 * The endpoints of older clients over the same models: `/xmlrpc/2/common|object|db`, `/jsonrpc`, and what OdooRPC asks for when it logs in. Each
 * reply says that they are deprecated, and each caller is told of once to `onError`. Credentials stand in the arguments.
 */
export function legacyEndpoints(
  service: DatabaseService,
  admin: AdminDesk,
  host: ServiceHost,
  options: LegacyOptions,
): Endpoint[] {
  const services = new LegacyServices(service, admin, host, options);
  const codec = createDocumentCodec({ profile: "python", illegalChars: "replace" });
  const notice = new DeprecationNotice(host);
  const admit = (): Admission => ({ database: undefined, credentials: "unused" });
  return [
    {
      methods: ["POST"],
      mediaTypes: ["text/xml", "application/xml"],
      matches: (path) => XML_PATH.test(path),
      admit,
      handle: async (request) => {
        notice.tell(request.exchange);
        const body = await xmlAnswer(services, codec, host, request);
        return deprecated({ status: 200, headers: { "content-type": "text/xml; charset=utf-8" }, body }, host);
      },
    },
    {
      methods: ["POST"],
      mediaTypes: ["application/json"],
      matches: (path) => JSON_PATHS.has(path),
      admit,
      handle: async (request) => {
        notice.tell(request.exchange);
        return deprecated(jsonReply(200, await jsonAnswer(services, host, request)), host);
      },
    },
  ];
}

function deprecated(reply: HttpReply, { path }: ServiceHost): HttpReply {
  const link = `<${path}>; rel="successor-version"`;
  return { ...reply, headers: { ...reply.headers, deprecation: DEPRECATED, link } };
}

async function xmlAnswer(
  services: LegacyServices,
  codec: DocumentCodec,
  host: ServiceHost,
  request: EndpointRequest,
): Promise<string> {
  try {
    const [, name = ""] = XML_PATH.exec(request.exchange.path) ?? [];
    const { method, params }: DecodedCall = codec.decodeCall(request.body, request.contentType);
    const value = await services.call(name, method, params, request);
    return codec.encodeReply(legacyValue(value, "xml"));
  } catch (thrown) {
    report(thrown, host, request);
    const { code, message } = legacyFaultOf(thrown, host);
    return codec.encodeFault({ code, message });
  }
}

/** `{ params: {…}, id }` in, `{ jsonrpc, id, result | error }` out; always HTTP 200, and the method's name says nothing. */
async function jsonAnswer(services: LegacyServices, host: ServiceHost, request: EndpointRequest): Promise<string> {
  let id: unknown = null;
  try {
    const { params = {}, id: given = null } = jsonObject(request);
    if (given === null || typeof given === "string" || typeof given === "number") id = given;
    if (!isStruct(params)) throw typeError(`params must be an object, got ${inWords(params)}`);
    const value = await jsonValue(services, recordOf(params), request);
    return jsonText({ jsonrpc: "2.0", id, result: legacyValue(value, "json") });
  } catch (thrown) {
    report(thrown, host, request);
    return JSON.stringify({ jsonrpc: "2.0", id, error: jsonError(legacyFaultOf(thrown, host)) });
  }
}

/** What no contract has foreseen is the server's own business too. */
function report(thrown: unknown, host: ServiceHost, { exchange }: EndpointRequest): void {
  if (isUnexpected(thrown)) reported(thrown, exchange.path, exchange, (error) => host.onError(error));
}

function jsonValue(
  services: LegacyServices,
  params: Readonly<Record<string, unknown>>,
  request: EndpointRequest,
): Promise<unknown> {
  switch (request.exchange.path) {
    case "/web/webclient/version_info":
      return services.call("common", "version", [], request);
    case "/web/session/authenticate":
      return services.openSession(params, request);
    case "/web/session/destroy":
      return Promise.resolve(null);
    default: {
      const { service, method, args = [] } = params;
      if (typeof service !== "string" || typeof method !== "string" || !Array.isArray(args))
        throw typeError("params must have a service, a method and a list of args");
      return services.call(service, method, args, request);
    }
  }
}

function jsonError({ name, text, notFound }: LegacyFault): object {
  if (notFound) return { code: 404, message: "404: Not Found", data: dataOf(name, text) };
  return { code: 200, message: "Odoo Server Error", data: dataOf(name, text) };
}

function dataOf(name: string, message: string): object {
  return { name, message, arguments: [message], context: {}, debug: "" };
}

/** One line for each caller, however often it calls. */
class DeprecationNotice {
  readonly #host: ServiceHost;
  readonly #told = new Set<string>();

  constructor(host: ServiceHost) {
    this.#host = host;
  }

  tell({ endpoint, path }: HttpExchange): void {
    // The port changes with every connection.
    const address = endpoint.replace(/:\d+$/, "");
    if (this.#told.has(address)) return;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.add(address);
    const message = `${address} calls ${path}, which is deprecated; it should call ${this.#host.path}, or /json/2`;
    this.#host.onError(new RpcError("FAILED_PRECONDITION", message, { reason: "DEPRECATED_ENDPOINT" }));
  }
}
