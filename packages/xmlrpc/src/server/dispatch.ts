import type { Awaitable } from "@rpc/core";
import type { HttpExchange } from "../http/exchange.ts";
import type { HttpReply } from "../http/reply.ts";
import type { Endpoint, EndpointRequest } from "./endpoint.ts";
import type { FrontSettings } from "./front-settings.ts";
import { answerJsonRpc } from "./json-rpc.ts";
import { type Admission, HttpRefusal, type Service } from "./service.ts";
import { ACCEPT, answerXmlRpc } from "./xml-rpc.ts";

const JSON_TYPE = "application/json";
const XML_TYPES: readonly string[] = ["text/xml", "application/xml"];

/**
 * The endpoint at a listener's own path: XML-RPC, and JSON-RPC 2.0 where it is on, told apart by content type. A service that `admit`s is asked
 * for everything below the path too.
 */
export function rpcEndpoint(path: string, service: Service, settings: FrontSettings): Endpoint {
  const { jsonRpc } = settings;
  const whole = path === "" ? "/" : path;
  return {
    methods: ["POST"],
    mediaTypes: jsonRpc ? [...XML_TYPES, JSON_TYPE] : XML_TYPES,
    accept: jsonRpc ? ACCEPT : ACCEPT.slice(0, ACCEPT.indexOf(`, ${JSON_TYPE}`)),
    unsupported: (mediaType) =>
      `${mediaType === "" ? "missing" : mediaType} mime type not supported by ${whole}, request may be ` +
      (jsonRpc ? "either XML-RPC as text/xml or JSON-RPC 2.0 as application/json." : "XML-RPC as text/xml."),
    matches: (asked) =>
      asked === whole || asked === `${path}/` || (service.admit !== undefined && asked.startsWith(`${path}/`)),
    admit: (exchange: HttpExchange): Awaitable<Admission> => service.admit?.(exchange) ?? REQUIRED,
    handle: (request: EndpointRequest): Awaitable<HttpReply> => {
      if (request.mediaType !== JSON_TYPE) return answerXmlRpc(settings, service, request);
      if (jsonRpc) return answerJsonRpc(settings, service, request);
      throw new HttpRefusal(415, "JSON-RPC is not served here");
    },
  };
}

const REQUIRED: Admission = { database: undefined, credentials: "required" };
