import { type Awaitable, RpcError } from "@rpc/core";
import { isPromiseLike } from "@rpc/core/transport";
import type { DecodedCall } from "../codec/document-codec.ts";
import { FaultError } from "../fault.ts";
import { Header } from "../headers.ts";
import type { HttpReply } from "../http/reply.ts";
import type { EndpointRequest } from "./endpoint.ts";
import { FrontCall } from "./front-call.ts";
import { documentStatus, isUnexpected, replyHeaders, reported, unmarshallable } from "./front-reply.ts";
import type { FrontSettings } from "./front-settings.ts";
import { HttpRefusal, type Service } from "./service.ts";
import { faultItem, type MulticallItem } from "./system-methods.ts";

const HEADERS: Readonly<Record<string, string>> = { "content-type": "text/xml; charset=utf-8" };

/** Answers one document. What goes wrong is a fault; only an HttpRefusal is passed on. Where nothing has to wait, there is no promise. */
export function answerXmlRpc(
  settings: FrontSettings,
  service: Service,
  request: EndpointRequest,
): Awaitable<HttpReply> {
  let decoded: DecodedCall;
  try {
    decoded = settings.codec.decodeCall(request.body, request.contentType);
  } catch (thrown) {
    return unreadable(settings, thrown);
  }
  const { method, params } = decoded;
  const fail = (thrown: unknown): HttpReply => failure(settings, request, method, thrown);
  try {
    const output = service.call(new FrontCall(method, params, request, false));
    if (!isPromiseLike(output)) return success(settings, request, method, output);
    return Promise.resolve(output).then((value) => success(settings, request, method, value), fail);
  } catch (thrown) {
    return fail(thrown);
  }
}

function success(settings: FrontSettings, request: EndpointRequest, method: string, output: unknown): HttpReply {
  let body: string;
  try {
    body = encoded(settings, method, output);
  } catch (thrown) {
    return failure(settings, request, method, unmarshallable(thrown));
  }
  return { status: 200, headers: replyHeaders(HEADERS, request.exchange, output), body };
}

function encoded({ codec, hasNil, faultOf }: FrontSettings, method: string, output: unknown): string {
  if (output === undefined) return codec.encodeReply(hasNil ? null : true);
  if (method !== "system.multicall" || !Array.isArray(output)) return codec.encodeReply(output);
  try {
    return codec.encodeReply(output);
  } catch {
    // One result that cannot be said must not take the others with it.
    return codec.encodeReply(
      (output as MulticallItem[]).map((item) => sayable(item, (one) => codec.encodeReply(one), faultOf)),
    );
  }
}

/** The item of a multicall, or the fault that it cannot be said. */
export function sayable(
  item: MulticallItem,
  encode: (item: MulticallItem) => string,
  faultOf: FrontSettings["faultOf"],
): MulticallItem {
  try {
    encode(item);
    return item;
  } catch (thrown) {
    return faultItem(faultOf(unmarshallable(thrown)));
  }
}

function failure(settings: FrontSettings, request: EndpointRequest, method: string, thrown: unknown): HttpReply {
  if (thrown instanceof HttpRefusal) throw thrown;
  const headers: Record<string, string> = {
    ...replyHeaders(HEADERS, request.exchange, null),
    ...settings.errorHeaders(thrown, method),
  };
  if (isUnexpected(thrown)) headers[Header.callId] = reported(thrown, method, request.exchange, settings.onError);
  return { status: 200, headers, body: settings.codec.encodeFault(settings.faultOf(thrown)) };
}

function unreadable(settings: FrontSettings, thrown: unknown): HttpReply {
  const fault = settings.faultOf(thrown);
  if (!(thrown instanceof FaultError)) settings.onError(RpcError.from(thrown));
  const status = documentStatus(fault, settings.faultStatus);
  const headers = status === 415 ? { ...HEADERS, accept: ACCEPT } : HEADERS;
  return { status, headers, body: settings.codec.encodeFault(fault) };
}

const CHARSETS = ["utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "utf-16"];
/** What an endpoint of both wires reads, for the Accept header of a 415. */
export const ACCEPT: string = ["text/xml", "application/xml", "application/json"]
  .flatMap((type) => CHARSETS.map((charset) => `${type};charset=${charset}`))
  .join(", ");
