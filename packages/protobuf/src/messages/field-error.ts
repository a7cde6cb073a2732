import { RpcError } from "@rpc/core";
import { MAX_NESTING } from "../reader.ts";

/** Messages inside messages are refused beyond this depth, both ways (hostile inputs H99): what a cycle in a value runs into. */
export const MAX_DEPTH: number = MAX_NESTING;

// Beside the error, not in it: what a caller holds is a plain RpcError.
const problems = new WeakMap<RpcError, { readonly path: string; readonly problem: string }>();

/** A field that does not hold what its type says: `commit must be a string, got 5`. */
export function wrongField(path: string, mustBe: string, value: unknown): RpcError {
  return fieldError(path, `must be ${mustBe}, got ${describe(value)}`);
}

/** A field that is refused, with its own sentence after the path. */
export function fieldError(path: string, problem: string): RpcError {
  const error = new RpcError("INVALID_ARGUMENT", path === "" ? problem : `${path} ${problem}`, {
    reason: "INVALID_ARGUMENT",
  });
  problems.set(error, { path, problem });
  return error;
}

/** Puts a field's name, and the index or key within it, in front of the path of an error that its value caused. */
export function withinField(caught: unknown, field: string, key?: number | string): unknown {
  const known = caught instanceof RpcError ? problems.get(caught) : undefined;
  if (known === undefined) return caught;
  const step = key === undefined ? field : `${field}[${typeof key === "number" ? key : JSON.stringify(key)}]`;
  const glue = known.path === "" || known.path.startsWith("[") ? "" : ".";
  return fieldError(`${step}${glue}${known.path}`, known.problem);
}

/** Gives an error about the whole value the message's name, so that it does not begin with "must be". */
export function withinMessage(caught: unknown, typeName: string): unknown {
  const known = caught instanceof RpcError ? problems.get(caught) : undefined;
  return known?.path === "" ? fieldError(typeName, known.problem) : caught;
}

/** Whether an error knows which field it is about. */
export function hasPath(error: RpcError): boolean {
  return problems.has(error);
}

/** The error of a value that nests deeper than {@link MAX_DEPTH}. */
export function tooDeep(): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `a message nests deeper than ${MAX_DEPTH} levels`, { reason: "maxDepth" });
}

/** A value for an error message: its kind, and the value itself where it cannot hold a secret. */
function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return "a string";
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Date) return "a date";
  return value instanceof Map ? "a map" : "an object";
}

/** What is asked of an enum field. A number outside the list can be received from a newer peer, but not sent. */
export function memberOf(typeName: string): string {
  return `a number of enum ${typeName}`;
}
