import { RpcError, type StatusCode } from "@rpc/core";
import {
  EncodedPayload,
  errorFromWire,
  type MethodDescriptor,
  STATUS_NUMBERS,
  type WireError,
  wireErrorOf,
} from "@rpc/core/transport";
import { type Fault, FaultCode, FaultError } from "./fault.ts";

/** A class of errors, as a key of {@link FaultMapping.codes}. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** How a server says what was thrown. Every member has a default. */
export interface FaultMapping {
  /** Codes of the application's own, by class or by an RpcError's reason. A subclass has its parent's code unless it has its own. */
  readonly codes?: ReadonlyMap<string | ErrorClass, number> | undefined;
  /** Names that stand in front of the text instead of a reason or a class's own name: `UserError` → `odoo.exceptions.UserError`. */
  readonly names?: ReadonlyMap<string, string> | undefined;
  /** Append the stack to the text. Default false: stacks never leave the process. */
  readonly exposeStacks?: boolean | undefined;
  /** As CPython's own server does it: code 1 for everything, text `<class 'Name'>:message`. Default false. */
  readonly python?: boolean | undefined;
}

/** Codes between -32099 and -32000 are the server's to define. */
const SERVER_CODES: readonly (readonly [StatusCode, number, string])[] = [
  ["UNAVAILABLE", -32_001, "UNAVAILABLE"],
  ["UNAUTHENTICATED", -32_002, "UNAUTHENTICATED"],
  ["PERMISSION_DENIED", -32_003, "FORBIDDEN"],
  ["DEADLINE_EXCEEDED", -32_004, "DEADLINE"],
  ["CANCELLED", -32_005, "CANCELLED"],
];

/** Going out. What is missing is an application error. */
const CODES: ReadonlyMap<StatusCode, number> = new Map<StatusCode, number>([
  ...SERVER_CODES.map(([status, code]) => [status, code] as const),
  ["INVALID_ARGUMENT", FaultCode.InvalidParams],
  ["UNIMPLEMENTED", FaultCode.MethodNotFound],
  ["INTERNAL", FaultCode.Internal],
  ["DATA_LOSS", FaultCode.Internal],
  ["RESOURCE_EXHAUSTED", FaultCode.System],
]);

/** Reasons that say more than their status. */
const REASON_CODES: ReadonlyMap<string, number> = new Map([
  ["PARSE", FaultCode.NotWellFormed],
  ["INVALID_REQUEST", FaultCode.InvalidRequest],
  ["SYSTEM", FaultCode.System],
  // What models throw for their callers to read, by the codes of the endpoint's last draft.
  ["UserError", -32_100],
  ["AccessDenied", -32_101],
  ["AccessError", -32_102],
  ["MissingError", -32_103],
  ["ValidationError", -32_104],
]);

/** Coming in: status, reason. */
const STATUSES: ReadonlyMap<number, readonly [StatusCode, string]> = new Map<number, readonly [StatusCode, string]>([
  ...SERVER_CODES.map(([status, code, reason]) => [code, [status, reason]] as const),
  [FaultCode.NotWellFormed, ["INVALID_ARGUMENT", "PARSE"]],
  [FaultCode.UnsupportedEncoding, ["INVALID_ARGUMENT", "PARSE"]],
  [FaultCode.InvalidCharacter, ["INVALID_ARGUMENT", "PARSE"]],
  [FaultCode.InvalidRequest, ["INVALID_ARGUMENT", "INVALID_REQUEST"]],
  [FaultCode.MethodNotFound, ["UNIMPLEMENTED", "METHOD_NOT_FOUND"]],
  [FaultCode.InvalidParams, ["INVALID_ARGUMENT", "INVALID_ARGUMENT"]],
  [FaultCode.Internal, ["INTERNAL", "INTERNAL"]],
  [FaultCode.Application, ["UNKNOWN", "APPLICATION"]],
  [FaultCode.System, ["INTERNAL", "SYSTEM"]],
  [FaultCode.Transport, ["UNAVAILABLE", "UNAVAILABLE"]],
  [-32_100, ["FAILED_PRECONDITION", "UserError"]],
  [-32_101, ["PERMISSION_DENIED", "AccessDenied"]],
  [-32_102, ["PERMISSION_DENIED", "AccessError"]],
  [-32_103, ["NOT_FOUND", "MissingError"]],
  [-32_104, ["INVALID_ARGUMENT", "ValidationError"]],
]);

/** Begins the text of every fault that a document's limits make. */
const LIMIT = "LimitError: ";

/** What is said of a thrown value: a code, and `Name: message`. Never throws, whatever the value's getters do. */
export function faultOf(thrown: unknown, mapping: FaultMapping = {}): Fault {
  const said = spoken(thrown, mapping);
  const text = `${said.prefix}${said.message}`;
  const code = mapping.python === true ? 1 : said.code;
  if (mapping.exposeStacks !== true) return { code, message: text };
  const stack = stackOf(thrown);
  return { code, message: stack === "" ? text : `${text}\n${stack}` };
}

/** A fault's text in its two parts, where it is `Name: message`. */
export function namedText(text: string): { readonly name: string | undefined; readonly text: string } {
  const [, name, message = text] = /^([A-Za-z_][\w.]*): ([^]*)$/.exec(text) ?? [];
  return { name, text: message };
}

interface Spoken {
  readonly code: number;
  readonly prefix: string;
  readonly message: string;
}

function spoken(thrown: unknown, mapping: FaultMapping): Spoken {
  const fault = faultErrorOf(thrown);
  if (fault !== undefined) {
    const { code, message } = fault.fault;
    if (mapping.python !== true) return { code, prefix: "", message };
    const { name = "Exception", text } = namedText(message);
    const shown = code === FaultCode.MethodNotFound ? "Exception" : name;
    return { code, prefix: `<class '${shown}'>:`, message: text };
  }
  const error = RpcError.from(thrown);
  const name = nameOf(thrown, error);
  const shown = mapping.names?.get(name) ?? name;
  return {
    code: codeOf(thrown, error, mapping.codes),
    prefix: mapping.python === true ? `<class '${shown}'>:` : `${shown}: `,
    message: error.message,
  };
}

/** `instanceof` asks the value for its prototype, which a revoked proxy answers by throwing (hostile inputs H91). */
function faultErrorOf(thrown: unknown): FaultError | undefined {
  try {
    return thrown instanceof FaultError ? thrown : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(thrown: unknown, error: RpcError, codes: FaultMapping["codes"]): number {
  const own = codes === undefined ? undefined : ownCode(thrown, error, codes);
  if (own !== undefined) return own;
  const { code, reason } = error;
  return (reason === undefined ? undefined : REASON_CODES.get(reason)) ?? CODES.get(code) ?? FaultCode.Application;
}

function ownCode(
  thrown: unknown,
  error: RpcError,
  codes: ReadonlyMap<string | ErrorClass, number>,
): number | undefined {
  const byReason = error.reason === undefined ? undefined : codes.get(error.reason);
  if (byReason !== undefined) return byReason;
  // A router wraps what a handler threw: its class is that of the cause.
  return classCode(thrown, codes) ?? (error.cause === undefined ? undefined : classCode(error.cause, codes));
}

/** From the class itself upwards: the nearest wins, in whatever order the map was made. */
function classCode(thrown: unknown, codes: ReadonlyMap<string | ErrorClass, number>): number | undefined {
  try {
    if (typeof thrown !== "object" || thrown === null) return undefined;
    let prototype: unknown = Object.getPrototypeOf(thrown);
    while (typeof prototype === "object" && prototype !== null) {
      const code = codes.get((prototype as { readonly constructor: ErrorClass }).constructor);
      if (code !== undefined) return code;
      prototype = Object.getPrototypeOf(prototype);
    }
  } catch {
    // A revoked proxy again.
  }
  return undefined;
}

function nameOf(thrown: unknown, error: RpcError): string {
  if (error.reason !== undefined && error.reason !== "") return error.reason;
  const original = thrown instanceof RpcError ? error.cause : thrown;
  try {
    if (original instanceof Error && !(original instanceof RpcError) && typeof original.name === "string")
      return original.name === "Error" ? classNameOf(original) : original.name;
  } catch {
    // A getter that throws.
  }
  return thrown instanceof RpcError && error.code !== "UNKNOWN" ? error.code : "Exception";
}

/** A class that says no name of its own has inherited that of Error. */
function classNameOf({ constructor }: Error): string {
  const name: unknown = typeof constructor === "function" ? constructor.name : undefined;
  return typeof name === "string" && /^[A-Za-z_][\w.]*$/.test(name) ? name : "Error";
}

function stackOf(thrown: unknown): string {
  try {
    const original = thrown instanceof RpcError && thrown.cause instanceof Error ? thrown.cause : thrown;
    return original instanceof Error && typeof original.stack === "string" ? original.stack : "";
  } catch {
    return "";
  }
}

/** Says more than a fault can: status, reason, whether to try again, and where in the text the message stands. Foreign peers do not look at it. */
export const STATUS_HEADER = "x-rpc-status";
/** The error's details: format and base64. Left out when they are longer than {@link MAX_DETAILS}. */
const DETAILS_HEADER = "x-rpc-details";
/** Longest details in a header, in characters: HTTP parsers take about 16 KiB of headers in all. */
const MAX_DETAILS = 6 * 1024;
const MAX_REASON = 256;

/**
 * The headers that let our own client make the very error again. For a FaultError they say what its code means, and the code itself: JSON-2 has
 * no place for it.
 */
export function statusHeaders(
  thrown: unknown,
  method: MethodDescriptor | undefined,
  mapping: FaultMapping = {},
): Readonly<Record<string, string>> {
  const fault = faultErrorOf(thrown)?.fault;
  const error = fault === undefined ? RpcError.from(thrown) : errorByCode(fault);
  const wire = wireErrorOf(error, method, false);
  const { prefix, message } = spoken(thrown, mapping);
  const status = {
    code: wire.code,
    reason: wire.reason.slice(0, MAX_REASON),
    retryable: wire.retryable,
    delivered: wire.delivered,
    text: [prefix.length, prefix.length + message.length],
    fault: fault?.code,
  };
  const headers: Record<string, string> = { [STATUS_HEADER]: ascii(JSON.stringify(status)) };
  const details = fault === undefined ? detailsText(wire.details) : undefined;
  if (details !== undefined) headers[DETAILS_HEADER] = details;
  return headers;
}

function detailsText(details: WireError["details"]): string | undefined {
  if (!(details instanceof EncodedPayload)) return undefined;
  const bytes = details.bytes ?? Buffer.from(JSON.stringify(details.json) ?? "");
  if (bytes.length > MAX_DETAILS) return undefined;
  const text = `${details.format};${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")}`;
  return text.length > MAX_DETAILS ? undefined : text;
}

function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Response headers by their lower-case names, as `node:http` has them. */
export type StatusHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The error of a fault. With the headers of our own server it is the one that was thrown there. Without, the reserved codes say which; any other
 * code is the peer's own business: UNKNOWN. `details` are `{faultCode, faultString, legacyCode?}` unless the headers brought some.
 */
export function errorOf(fault: Fault, method: MethodDescriptor, headers?: StatusHeaders): RpcError {
  const wire = headers === undefined ? undefined : wireOf(fault, headers);
  if (wire === undefined)
    return errorByCode(
      fault,
      fault.message === "" ? `${method.name}: fault ${fault.code} without a text` : fault.message,
    );
  const error = errorFromWire(wire, method);
  if (wire.fault === undefined || error.details !== undefined) return error;
  const { code, message, reason, retryable, delivered } = error;
  return new RpcError(code, message, {
    reason,
    retryable,
    delivered,
    details: detailsOf({ ...fault, code: wire.fault }),
  });
}

function errorByCode(fault: Fault, message: string = fault.message): RpcError {
  const [code, reason] = statusOf(fault);
  return new RpcError(code, message, {
    reason,
    details: detailsOf(fault),
    delivered: code === "UNAVAILABLE" ? "unknown" : undefined,
  });
}

function detailsOf({ code, message, legacyCode }: Fault): Readonly<Record<string, unknown>> {
  return { faultCode: code, faultString: message, ...(legacyCode === undefined ? {} : { legacyCode }) };
}

function statusOf(fault: Fault): readonly [StatusCode, string] {
  if (fault.legacyCode !== undefined) return legacyStatus(fault.legacyCode);
  if (fault.code === FaultCode.System && fault.message.startsWith(LIMIT)) return ["RESOURCE_EXHAUSTED", "LIMIT"];
  return STATUSES.get(fault.code) ?? ["UNKNOWN", "APPLICATION"];
}

/** The oldest Odoo sends its code as text: `warning -- UserError`, `AccessDenied`. */
function legacyStatus(code: string): readonly [StatusCode, string] {
  const name = /^(?:warning -- )?(\w+)/.exec(code)?.[1];
  for (const [status, reason] of STATUSES.values()) if (reason === name) return [status, reason];
  return ["UNKNOWN", "APPLICATION"];
}

/** As our own server said it; `fault`: the code of the fault that was thrown as such. */
interface SaidError extends WireError {
  readonly fault: number | undefined;
}

function wireOf(fault: Fault, headers: StatusHeaders): SaidError | undefined {
  const text = headers[STATUS_HEADER];
  if (typeof text !== "string") return undefined;
  const status = parsed(text);
  if (status === undefined) return undefined;
  const [start, end] = rangeIn(status["text"], fault.message.length);
  const { code, reason, retryable, delivered, fault: faultCode } = status;
  if (typeof code !== "number" || !Object.values<number>(STATUS_NUMBERS).includes(code)) return undefined;
  return {
    code,
    message: fault.message.slice(start, end),
    reason: typeof reason === "string" ? reason : "",
    details: detailsIn(headers[DETAILS_HEADER]),
    retryable: retryable === true,
    delivered: delivered === "no" || delivered === "unknown" ? delivered : undefined,
    // Behind the message and a line end: only there when the server sets exposeStacks.
    stack: fault.message.slice(end + 1),
    fault: typeof faultCode === "number" ? faultCode : undefined,
  };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The whole text where the range is none: a proxy may have changed either. */
function rangeIn(range: unknown, length: number): readonly [number, number] {
  if (!Array.isArray(range)) return [0, length];
  const [start, end] = range as unknown[];
  const fits = Number.isInteger(start) && Number.isInteger(end) && Number(start) >= 0 && Number(end) <= length;
  return fits && Number(start) <= Number(end) ? [Number(start), Number(end)] : [0, length];
}

function detailsIn(header: string | readonly string[] | undefined): EncodedPayload | undefined {
  const found = typeof header === "string" ? /^(json|protobuf);([A-Za-z0-9+/]*={0,2})$/.exec(header) : null;
  if (found === null) return undefined;
  return new EncodedPayload(found[1] === "json" ? "json" : "protobuf", Buffer.from(found[2] ?? "", "base64"));
}
