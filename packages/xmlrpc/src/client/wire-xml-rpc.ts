import { RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { createDocumentCodec } from "../codec/create-document-codec.ts";
import type { DecodedReply, DocumentCodec } from "../codec/document-codec.ts";
import { LimitFault } from "../codec/faults.ts";
import { type Fault, FaultCode, FaultError } from "../fault.ts";
import type { DocumentOptions } from "../profiles.ts";
import type { Params } from "../server/service.ts";
import { errorOfFault } from "./faults.ts";
import type { HttpReply } from "./http-pool.ts";
import { unreadable } from "./unreadable.ts";
import type { CallOutcome, ClientWire, WrittenCall } from "./wire.ts";

/** XML-RPC at one path; batches are `system.multicall`. */
export function xmlRpcWire(path: string, document: DocumentOptions): ClientWire {
  return new XmlRpcWire(path, createDocumentCodec(document));
}

class XmlRpcWire implements ClientWire {
  readonly contentType = "text/xml; charset=utf-8";
  readonly accept = "text/xml, application/xml";
  readonly batches = true;
  readonly #path: string;
  readonly #codec: DocumentCodec;
  #frame: readonly [string, string] | undefined = undefined;

  constructor(path: string, codec: DocumentCodec) {
    this.#path = path;
    this.#codec = codec;
  }

  write(method: string, params: Params): WrittenCall {
    // XML-RPC has no names for parameters: named ones are one struct.
    const list: readonly unknown[] = Array.isArray(params) ? params : [params];
    return { path: this.#path, text: this.#codec.encodeCall(method, list), id: "" };
  }

  join(calls: readonly WrittenCall[]): WrittenCall {
    this.#frame ??= frameOf(this.#codec.encodeCall("system.multicall", [[]]));
    const [head, tail] = this.#frame;
    let text = head;
    for (const call of calls) text += itemOf(call.text);
    return { path: this.#path, text: text + tail, id: "" };
  }

  read(reply: HttpReply, method: MethodDescriptor): unknown {
    const decoded = this.#decode(reply);
    if ("fault" in decoded) throw errorOfFault(decoded.fault, method, reply);
    return decoded.value;
  }

  readError(reply: HttpReply, method: MethodDescriptor): unknown {
    if (reply.headers["content-type"]?.includes("xml") !== true || reply.body.length === 0) return undefined;
    try {
      const decoded = this.#decode(reply);
      return "fault" in decoded ? errorOfFault(decoded.fault, method, reply) : undefined;
    } catch {
      // A page of XHTML, say: the status alone has to do.
      return undefined;
    }
  }

  readBatch(
    reply: HttpReply,
    calls: readonly { readonly method: MethodDescriptor }[],
  ): readonly CallOutcome[] | undefined {
    const decoded = this.#decode(reply);
    if ("fault" in decoded) {
      if (hasNoMulticall(decoded.fault, calls)) return undefined;
      return calls.map(({ method }) => ({ error: errorOfFault(decoded.fault, method, reply) }));
    }
    const items = decoded.value;
    if (!Array.isArray(items)) throw unreadable("the answer to system.multicall is no array");
    if (items.length > calls.length)
      throw unreadable(`the answer to system.multicall has ${items.length} results for ${calls.length} calls`);
    const faults = items.map(faultOf);
    // RPC::XML answers with bare values, and stops at the first fault.
    const bare = !items.every((item, i) => faults[i] !== undefined || (Array.isArray(item) && item.length === 1));
    const stopped = faults.at(-1) !== undefined;
    return calls.map(({ method }, i): CallOutcome => {
      if (i >= items.length)
        return { error: stopped ? notRun(method) : unreadable("the answer to system.multicall lacks this call") };
      const fault = faults[i];
      if (fault !== undefined) return { error: errorOfFault(fault, method, undefined) };
      const item: unknown = items[i];
      return { value: bare || !Array.isArray(item) ? item : item[0] };
    });
  }

  #decode(reply: HttpReply): DecodedReply {
    const contentType = reply.headers["content-type"];
    if (reply.body.length === 0) throw unreadable("the answer is empty");
    if (contentType?.startsWith("text/html") === true)
      throw unreadable("the answer is a page of HTML and no XML-RPC; is it the right URL?");
    try {
      return this.#codec.decodeReply(reply.body, contentType);
    } catch (thrown) {
      if (!(thrown instanceof FaultError)) throw thrown;
      if (thrown instanceof LimitFault) {
        const message = `the answer is beyond a limit: ${thrown.message}; raise the option document.limits.${thrown.limit}, or ask for less`;
        throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "document", delivered: "unknown", cause: thrown });
      }
      throw unreadable(`the answer cannot be read: ${thrown.message}`, thrown);
    }
  }
}

/** What stands around the items of a multicall. */
function frameOf(document: string): readonly [string, string] {
  const at = document.indexOf("</data>");
  return [document.slice(0, at), document.slice(at)];
}

/**
 * A written call as an item of a multicall. It was written by our own encoder, which escapes every "<" in text: the tags looked for here can be
 * nothing else. So the values are those of the moment of the call, and are written once.
 */
function itemOf(document: string): string {
  const name = between(document, "<methodName>", "</methodName>");
  const params = between(document, "<params>", "</params>").replace(/<\/?param>/g, "");
  return (
    `<value><struct><member><name>methodName</name><value><string>${name}</string></value></member>` +
    `<member><name>params</name><value><array><data>${params}</data></array></value></member></struct></value>`
  );
}

function between(document: string, start: string, end: string): string {
  const from = document.indexOf(start);
  return from < 0 ? "" : document.slice(from + start.length, document.lastIndexOf(end));
}

/** The fault that an item is, which is no document of its own; undefined: it is a value. The code may be anything (the oldest servers send text). */
function faultOf(item: unknown): Fault | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return undefined;
  const members = item instanceof Map ? item : new Map(Object.entries(item));
  if (!members.has("faultCode") || !members.has("faultString")) return undefined;
  const faultCode: unknown = members.get("faultCode");
  const faultString: unknown = members.get("faultString");
  const message = typeof faultString === "string" ? faultString : "";
  if (typeof faultCode === "number" && Number.isInteger(faultCode) && Math.abs(faultCode) < 2 ** 31)
    return { code: faultCode, message };
  const legacyCode = typeof faultCode === "string" ? faultCode : String(faultCode);
  return { code: FaultCode.Application, message, legacyCode };
}

const NO_MULTICALL =
  /\bmulticall\W{1,4}(?:(?:is|was|does)\s)?(?:not (?:supported|found|exist|implemented)|unknown|missing or wrong)|\b(?:unknown|no such) method\W{1,4}system\.multicall\b/i;

/**
 * Whether a server says that it has no `system.multicall`: by the reserved code, or in the words of CPython, Ruby and others. One that gives up
 * a batch over one of its calls may have run those before it, which must not be sent again.
 */
function hasNoMulticall({ code, message }: Fault, calls: readonly { readonly method: MethodDescriptor }[]): boolean {
  if (code !== FaultCode.MethodNotFound && !NO_MULTICALL.test(message)) return false;
  const words = new Set(
    message
      .slice(0, 1_000)
      .split(/[^\w.:/]+/)
      .map((word) => word.replace(/[.:]+$/, "")),
  );
  return !calls.some(({ method }) => words.has(method.name));
}

function notRun(method: MethodDescriptor): RpcError {
  const message = `${method.name}: the server ended the batch before this call`;
  return new RpcError("ABORTED", message, { reason: "BATCH_STOPPED", delivered: "no" });
}
