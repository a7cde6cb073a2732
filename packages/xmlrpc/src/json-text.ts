import { RpcError } from "@rpc/core";
import { refused } from "./errors.ts";
import { Decimal, Double, XmlRpcDateTime } from "./values.ts";

const MAX_DEPTH = 64;
const MAX_ELEMENTS = 1_000_000;

/**
 * A value as JSON text: dates as ISO 8601, bytes as base64, big integers as numbers where a double keeps them, else as their digits, decimals
 * as their text. Members that are undefined are left out. Throws INVALID_ARGUMENT with the path of what JSON has no word for,
 * RESOURCE_EXHAUSTED beyond the limits. `name`: what messages call the value; default: nothing but its members.
 */
export function jsonText(value: unknown, name = ""): string {
  budget = MAX_ELEMENTS;
  try {
    if (isPlain(value, 0)) return JSON.stringify(value);
  } catch (thrown) {
    if (thrown instanceof RpcError) throw thrown;
    // A getter that throws, a proxy that was revoked: the careful way says where.
  }
  return JSON.stringify(converted(value, name, []));
}

// Shared by the recursion of one synchronous `jsonText`, to save an argument on every level.
let budget = 0;

/** Whether JSON.stringify alone says it truly. */
function isPlain(value: unknown, depth: number): boolean {
  if (--budget < 0) throw tooMany();
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "boolean":
      return true;
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (!key.isWellFormed() || key === "toJSON") return false;
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined && !isPlain(member, depth + 1)) return false;
  }
  return true;
}

function converted(value: unknown, path: string, ancestors: readonly object[]): unknown {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw unsayable(path, "has a lone surrogate");
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      throw unsayable(path, `is ${Object.is(value, -0) ? "-0" : String(value)}, which JSON has no word for`);
    case "boolean":
      return value;
    case "bigint":
      if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return Number(value);
      // Compared before it is written out: that alone takes seconds for a million digits.
      if (value >= DIGITS_BOUND || value <= -DIGITS_BOUND) throw unsayable(path, "has more than 4096 digits");
      return value.toString();
    case "object":
      break;
    default:
      throw unsayable(path, `is ${value === undefined ? "undefined" : `a ${typeof value}`}, which cannot travel`);
  }
  if (value === null) return null;
  return convertedObject(value, path, ancestors);
}

function convertedObject(value: object, path: string, ancestors: readonly object[]): unknown {
  if (isBytes(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (isDate(value)) {
    if (Number.isNaN(value.getTime())) throw unsayable(path, "is an invalid Date");
    return value.toISOString();
  }
  if (ancestors.includes(value)) throw unsayable(path, "contains itself");
  if (ancestors.length >= MAX_DEPTH) {
    const message = `${path.slice(0, 200)} is nested deeper than ${MAX_DEPTH} levels`;
    throw new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxDepth" });
  }
  return convertedContainer(value, path, [...ancestors, value]);
}

/** A container; what cannot be read of it (a getter that throws, a proxy that was revoked) is refused with its place. */
function convertedContainer(value: object, path: string, inside: readonly object[]): unknown {
  try {
    return readContainer(value, path, inside);
  } catch (thrown) {
    throw thrown instanceof RpcError ? thrown : unsayable(path, `cannot be read: ${RpcError.from(thrown).message}`);
  }
}

function readContainer(value: object, path: string, inside: readonly object[]): unknown {
  if (value instanceof Double) return converted(value.value, path, inside);
  if (value instanceof Decimal || value instanceof XmlRpcDateTime) return value.toString();
  if ("toRpc" in value && typeof value.toRpc === "function") return converted(value.toRpc(), path, inside);
  if (value instanceof Map) return fromEntries(value, path, inside);
  if (Symbol.iterator in value) {
    const list: unknown[] = [];
    // An iterable of unknown items: a list, a set, a generator.
    for (const item of value as Iterable<unknown>) {
      if (list.length >= MAX_ELEMENTS) throw tooMany();
      list.push(converted(item, `${path}[${list.length}]`, inside));
    }
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw unsayable(path, "is an instance of a class; pass a plain record or give it toRpc()");
  return fromEntries(Object.entries(value), path, inside);
}

function fromEntries(
  entries: Iterable<readonly [unknown, unknown]>,
  path: string,
  inside: readonly object[],
): Record<string, unknown> {
  const record = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of entries) {
    if (member === undefined) continue;
    const key = String(name);
    if (!key.isWellFormed()) throw unsayable(path, "has a key with a lone surrogate");
    if (Object.hasOwn(record, key))
      throw unsayable(path, `has two keys with the text ${JSON.stringify(key.slice(0, 80))}`);
    record[key] = converted(member, path === "" ? key : `${path}.${key}`, inside);
  }
  return record;
}

// Asked of a revoked proxy, `instanceof` throws; such a value is found out as a container.
function isBytes(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && value instanceof Uint8Array;
}

function isDate(value: object): value is Date {
  try {
    return value instanceof Date;
  } catch {
    return false;
  }
}

const DIGITS_BOUND = 10n ** 4096n;

function unsayable(path: string, what: string): RpcError {
  return refused(`${path === "" ? "value" : path.slice(0, 200)} ${what}`);
}

function tooMany(): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `value has more than ${MAX_ELEMENTS} elements`, { reason: "maxElements" });
}
