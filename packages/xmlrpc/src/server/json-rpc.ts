import { type Awaitable, RpcError } from "@rpc/core";
import { isPromiseLike } from "@rpc/core/transport";
import { jsonText } from "../json-text.ts";
import { decodeDocument } from "../codec/charset.ts";
import { type Fault, FaultCode, FaultError } from "../fault.ts";
import { Header } from "../headers.ts";
import type { HttpReply } from "../http/reply.ts";
import type { EndpointRequest } from "./endpoint.ts";
import { FrontCall } from "./front-call.ts";
import { documentStatus, inFault, isUnexpected, replyHeaders, reported, unmarshallable } from "./front-reply.ts";
import type { FrontSettings } from "./front-settings.ts";
import { parsedText } from "./json-input.ts";
import { HttpRefusal, type Params, type Service } from "./service.ts";
import { type MulticallItem, tooManyCalls } from "./system-methods.ts";
import { ACCEPT, sayable } from "./xml-rpc.ts";

const HEADERS: Readonly<Record<string, string>> = { "content-type": "application/json" };
const NO_REPLY: HttpReply = { status: 204, headers: {}, body: "" };

type Id = string | number | null;

/** Answers a JSON-RPC 2.0 request or a batch, whose calls are made in order. */
export function answerJsonRpc(
  settings: FrontSettings,
  service: Service,
  request: EndpointRequest,
): Awaitable<HttpReply> {
  let document: unknown;
  try {
    document = parsed(request);
    if (Array.isArray(document)) {
      if (document.length === 0) throw malformed();
      if (document.length > settings.maxCallsPerBatch) throw tooManyCalls(document.length, settings.maxCallsPerBatch);
    } else if (typeof document !== "object" || document === null) throw malformed();
  } catch (thrown) {
    return unreadable(settings, thrown);
  }
  if (Array.isArray(document)) return answerBatch(settings, service, request, document);
  const answer = answerOne(settings, service, request, document, undefined);
  if (!isPromiseLike(answer)) return replyOf(settings, answer);
  return Promise.resolve(answer).then((later) => replyOf(settings, later));
}

/** One answer: its text, empty for a notification, and what the reply's headers say when it is the only one. */
interface Answer {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
  /** It was no request at all. */
  readonly fault?: Fault | undefined;
}

const SILENCE: Answer = { text: "", headers: {} };

function replyOf({ faultStatus }: FrontSettings, { text, headers, fault }: Answer): HttpReply {
  if (text === "") return { ...NO_REPLY, headers };
  return { status: fault === undefined ? 200 : documentStatus(fault, faultStatus), headers, body: text };
}

async function answerBatch(
  settings: FrontSettings,
  service: Service,
  request: EndpointRequest,
  calls: readonly unknown[],
): Promise<HttpReply> {
  const texts: string[] = [];
  for (const call of calls) {
    if (request.scope.cancelReason !== undefined) break;
    const { text } = await answerOne(settings, service, request, call, "");
    if (text !== "") texts.push(text);
  }
  const headers = replyHeaders(HEADERS, request.exchange, null);
  return texts.length === 0 ? { ...NO_REPLY, headers } : { status: 200, headers, body: `[${texts.join(",")}]` };
}

/** `idempotencyKey`: empty in a batch, where the request's own key names all of it. */
function answerOne(
  settings: FrontSettings,
  service: Service,
  request: EndpointRequest,
  document: unknown,
  idempotencyKey: "" | undefined,
): Awaitable<Answer> {
  let id: Id | undefined = null;
  let call: FrontCall;
  try {
    if (typeof document !== "object" || document === null || Array.isArray(document)) throw malformed();
    const record = document as Readonly<Record<string, unknown>>;
    if (isId(record["id"])) id = record["id"];
    const { method, params } = checkedRequest(record, settings.profile);
    if (record["id"] === undefined) id = undefined;
    call = new FrontCall(method, params, request, id === undefined, idempotencyKey);
  } catch (thrown) {
    const fault = settings.faultOf(thrown);
    return { text: errorText(settings, fault, thrown, id ?? null), headers: HEADERS, fault };
  }
  const fail = (thrown: unknown): Answer => failed(settings, request, call, id, thrown, idempotencyKey === "");
  try {
    const output = service.call(call);
    if (!isPromiseLike(output)) return answered(settings, request, call, id, output);
    return Promise.resolve(output)
      .then((value) => answered(settings, request, call, id, value))
      .catch(fail);
  } catch (thrown) {
    return fail(thrown);
  }
}

function checkedRequest(
  record: Readonly<Record<string, unknown>>,
  profile: string,
): { method: string; params: Params } {
  const { jsonrpc, version, method, params = [], id } = record;
  // Clients of the drafts leave the version out, or say it by another name.
  const tolerated = profile === "odoo" && jsonrpc === undefined && (version === undefined || version === "2.0");
  if (jsonrpc !== "2.0" && !tolerated) throw malformed();
  if (typeof method !== "string" || (id !== undefined && !isId(id))) throw malformed();
  if (typeof params !== "object" || params === null) throw malformed();
  return { method, params: params as Params };
}

function isId(id: unknown): id is Id {
  return id === null || typeof id === "string" || typeof id === "number";
}

function answered(
  settings: FrontSettings,
  request: EndpointRequest,
  call: FrontCall,
  id: Id | undefined,
  output: unknown,
): Answer {
  if (id === undefined) return { ...SILENCE, headers: replyHeaders({}, request.exchange, null) };
  let result: string;
  try {
    result = output === undefined ? "null" : resultText(settings, call.method, output);
  } catch (thrown) {
    throw unmarshallable(thrown);
  }
  const text = `{"jsonrpc":"2.0","result":${result},"id":${JSON.stringify(id)}}`;
  return { text, headers: replyHeaders(HEADERS, request.exchange, output) };
}

function resultText({ faultOf }: FrontSettings, method: string, output: unknown): string {
  if (method !== "system.multicall" || !Array.isArray(output)) return jsonText(output);
  try {
    return jsonText(output);
  } catch {
    return jsonText((output as MulticallItem[]).map((item) => sayable(item, jsonText, faultOf)));
  }
}

function failed(
  settings: FrontSettings,
  request: EndpointRequest,
  call: FrontCall,
  id: Id | undefined,
  raw: unknown,
  inBatch: boolean,
): Answer {
  if (raw instanceof HttpRefusal && !inBatch) throw raw;
  const thrown = inFault(raw);
  const headers: Record<string, string> = { ...replyHeaders(HEADERS, request.exchange, null) };
  if (isUnexpected(thrown) || id === undefined)
    headers[Header.callId] = reported(thrown, call.method, request.exchange, settings.onError);
  if (id === undefined) return { ...SILENCE, headers: {} };
  Object.assign(headers, settings.errorHeaders(thrown, call.method));
  return { text: errorText(settings, settings.faultOf(thrown), thrown, id), headers };
}

function errorText({ exposeStacks }: FrontSettings, fault: Fault, thrown: unknown, id: Id): string {
  const separator = fault.message.indexOf(": ");
  const data: Record<string, unknown> = {
    name: separator > 0 && separator < 80 ? fault.message.slice(0, separator) : "Error",
    message: fault.message,
    arguments: [separator > 0 ? fault.message.slice(separator + 2) : fault.message],
    context: {},
  };
  if (thrown instanceof RpcError) {
    data["status"] = thrown.code;
    if (thrown.reason !== undefined) data["reason"] = thrown.reason;
    if (thrown.retryable) data["retryable"] = true;
  }
  if (exposeStacks && thrown instanceof Error) data["debug"] = thrown.stack ?? "";
  const details = thrown instanceof RpcError ? detailsText(thrown.details) : "";
  const text = JSON.stringify({ code: fault.code, message: fault.message.toWellFormed(), data });
  return `{"jsonrpc":"2.0","error":${details === "" ? text : `${text.slice(0, -2)},"details":${details}}}`},"id":${JSON.stringify(id)}}`;
}

/** Details that cannot be said are left out: the error itself must arrive. */
function detailsText(details: unknown): string {
  if (details === undefined) return "";
  try {
    return jsonText(details);
  } catch {
    return "";
  }
}

function parsed({ body, contentType }: EndpointRequest): unknown {
  return parsedText(decodeDocument(body, contentType), "the document");
}

function malformed(): FaultError {
  return new FaultError(FaultCode.InvalidRequest, "ValueError: malformed JSON-RPC request");
}

function unreadable(settings: FrontSettings, thrown: unknown): HttpReply {
  const fault = settings.faultOf(thrown);
  const status = documentStatus(fault, settings.faultStatus);
  const headers = status === 415 ? { ...HEADERS, accept: ACCEPT } : HEADERS;
  return { status, headers, body: errorText(settings, fault, thrown, null) };
}
