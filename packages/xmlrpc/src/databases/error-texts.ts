import { FaultCode, FaultError } from "../fault.ts";

/**
 * Refusals in the words of the endpoint's last draft: XML fault and JSON-RPC error carry the same code and text. The names in front are those
 * of Python's exceptions, because clients match on them.
 */
const MAX_NAME_LENGTH = 200;

export function noModel(model: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: no model '${quoted(model)}' found`);
}

export function noMethod(model: string, method: string): FaultError {
  return new FaultError(
    FaultCode.MethodNotFound,
    `NameError: no method '${quoted(method)}' found on model '${quoted(model)}'`,
  );
}

/** A name without a dot at a database that has no function of that name. */
export function noModelName(name: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: '${quoted(name)}' is not a valid model name`);
}

export function noAdminFunction(name: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: no admin function '${quoted(name)}' found`);
}

/** A name with a dot where there is no database. */
export function notAdminFunction(name: string): FaultError {
  return new FaultError(FaultCode.MethodNotFound, `NameError: '${quoted(name)}' is not a valid admin function`);
}

/** Arguments that do not fit the function. */
export function typeError(message: string, cause?: unknown): FaultError {
  return new FaultError(FaultCode.InvalidParams, `TypeError: ${message}`, cause === undefined ? undefined : { cause });
}

export type EndpointKind = "admin" | "database";

const ENVELOPES: Readonly<Record<EndpointKind, string>> = {
  database: "a dict with records, context, args and kwargs (all optional) keys",
  admin: "a dict with args and kwargs (both optional) keys",
};

/** Parameters in neither convention. */
export function wrongEnvelope(kind: EndpointKind, hint = ""): FaultError {
  return typeError(`the RPC2 endpoint takes a single parameter: ${ENVELOPES[kind]}${hint}`);
}

/** A name from outside, cut and without control characters. */
export function quoted(name: string): string {
  const text = name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, "\ufffd").toWellFormed();
}

/** A value from outside, in a few words. */
export function inWords(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `'${quoted(value.length > 40 ? `${value.slice(0, 40)}…` : value)}'`;
    case "number":
    case "boolean":
      return String(value);
    case "bigint":
      return "an integer";
    case "object":
      break;
    default:
      return typeof value;
  }
  if (value === null) return "nil";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  return isStruct(value) ? "a dict" : "a value of another type";
}

/** What a struct is decoded to: a record, or a Map where the profile says so. */
export function isStruct(value: unknown): value is Record<string, unknown> | ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Map) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
