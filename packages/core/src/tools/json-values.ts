import { RpcError } from "../words/rpc-error.ts";
import { base64FromBytes, bytesFromBase64 } from "./bytes.ts";

/**
 * Dynamic values as JSON. Plain JSON stays as it is; what JSON lacks becomes a record with one key:
 *
 *     bytes  {"$bytes": "<base64>"}      bigint  {"$bigint": "<digits>"}
 *     Date   {"$date": "<ISO 8601>"}     NaN, ±Infinity, −0  {"$number": "NaN" | "Infinity" | "-Infinity" | "-0"}
 *
 * A key of the user's own that begins with `$` gets a second `$`. A `$` key that is none of these is refused, so data can never
 * pass for a type. Undefined members of records are left out.
 */
export const MAX_DEPTH = 64;
const MAX_ELEMENTS = 1_000_000;
/** BigInt's parser is quadratic: a million digits would hold the event loop for seconds. */
const MAX_BIGINT_DIGITS = 4_096;
const BIGINT_BOUND = 10n ** BigInt(MAX_BIGINT_DIGITS);

const DOLLAR = 36;

/** Whether JSON.stringify alone writes this value truly; then nothing needs to be copied. */
export function isPlainJson(value: unknown, depth = 0): boolean {
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
    for (let i = 0; i < value.length; i++) if (!isPlainJson(value[i], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (key.charCodeAt(0) === DOLLAR || !key.isWellFormed()) return false;
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined && !isPlainJson(member, depth + 1)) return false;
  }
  return true;
}

/** A copy with tags, for values that are not plain JSON. Throws INVALID_ARGUMENT with the path of what cannot travel. */
export function toTaggedJson(value: unknown, path = "", depth = 0, ancestors: readonly unknown[] = []): unknown {
  try {
    return taggedJson(value, path, depth, ancestors);
  } catch (thrown) {
    if (thrown instanceof RpcError) throw thrown;
    // A getter that throws, a proxy that was revoked (hostile inputs H89).
    throw refused(path, `cannot be read: ${RpcError.from(thrown).message}`);
  }
}

function taggedJson(value: unknown, path: string, depth: number, ancestors: readonly unknown[]): unknown {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw refused(path, "has a lone surrogate");
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $number: Object.is(value, -0) ? "-0" : String(value) };
    case "boolean":
      return value;
    case "bigint":
      // Compared before it is written out: that alone takes seconds for a million digits (hostile inputs H86).
      if (value >= BIGINT_BOUND || value <= -BIGINT_BOUND) throw tooManyDigits(path);
      return { $bigint: value.toString() };
    case "object":
      break;
    default:
      throw refused(path, `is ${value === undefined ? "undefined" : `a ${typeof value}`}, which cannot travel`);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return { $bytes: base64FromBytes(value) };
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refused(path, "is an invalid Date");
    return { $date: value.toISOString() };
  }
  if (ancestors.includes(value)) throw refused(path, "contains itself");
  if (depth >= MAX_DEPTH) throw tooDeep(path);
  const inside = [...ancestors, value];
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    for (let i = 0; i < value.length; i++) {
      const place = `${path}[${i}]`;
      list.push(toTaggedJson(memberOf(value, i, place), place, depth + 1, inside));
    }
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw refused(path, `is a ${describeClass(prototype)}; pass a plain record`);
  }
  const record = emptyRecord();
  for (const key of Object.keys(value)) {
    const place = path === "" ? key : `${path}.${key}`;
    const member = memberOf(value, key, place);
    if (member === undefined) continue;
    if (!key.isWellFormed()) throw refused(path, "has a key with a lone surrogate");
    const name = key.charCodeAt(0) === DOLLAR ? `$${key}` : key;
    record[name] = toTaggedJson(member, place, depth + 1, inside);
  }
  return record;
}

/** A member, or INVALID_ARGUMENT with its path when it cannot be read. */
function memberOf(container: object, key: string | number, path: string): unknown {
  try {
    return (container as Record<string | number, unknown>)[key];
  } catch (thrown) {
    throw refused(path, `cannot be read: ${RpcError.from(thrown).message}`);
  }
}

/**
 * Parsed JSON to values: tags become what they stand for. With `inherit` false every record has a null prototype; with true, for
 * values that a validator rebuilds anyway, only records that would be dangerous do. Throws INVALID_ARGUMENT or RESOURCE_EXHAUSTED.
 */
export function reviveJson(json: unknown, inherit: boolean): unknown {
  budget = MAX_ELEMENTS;
  return revive(json, inherit, 0);
}

// Shared by the recursion of one synchronous `reviveJson`, to save an argument on every level.
let budget = 0;

function revive(json: unknown, inherit: boolean, depth: number): unknown {
  if (--budget < 0) {
    throw new RpcError("RESOURCE_EXHAUSTED", `value has more than ${MAX_ELEMENTS} elements`, { reason: "maxElements" });
  }
  if (typeof json === "string") {
    if (!json.isWellFormed()) throw refused("", "has text with a lone surrogate");
    return json;
  }
  if (typeof json === "number") {
    if (!Number.isFinite(json))
      throw new RpcError("OUT_OF_RANGE", "value has a number beyond the range of a double", { reason: "OUT_OF_RANGE" });
    return json;
  }
  if (typeof json !== "object" || json === null) return json;
  // A tag is a leaf: as values go, a Date is no deeper than a number.
  if (depth >= MAX_DEPTH && !isTag(json)) throw tooDeep("");
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) json[i] = revive(json[i], inherit, depth + 1);
    return json;
  }
  const record = json as Record<string, unknown>;
  let dangerous = !inherit;
  for (const key in record) {
    if (key.charCodeAt(0) === DOLLAR) return reviveDollar(record, key, inherit, depth);
    if (!key.isWellFormed()) throw refused("", "has a key with a lone surrogate");
    if (key === "__proto__") dangerous = true;
    else record[key] = revive(record[key], inherit, depth + 1);
  }
  return dangerous ? withoutPrototype(record, inherit, depth) : record;
}

function withoutPrototype(record: Record<string, unknown>, inherit: boolean, depth: number): Record<string, unknown> {
  const clean = emptyRecord();
  for (const key of Object.keys(record)) {
    clean[key] =
      key === "__proto__"
        ? revive(Object.getOwnPropertyDescriptor(record, key)?.value, inherit, depth + 1)
        : record[key];
  }
  return clean;
}

/** A record with at least one key that begins with `$`: a tag, or the user's own keys with their second `$`. */
function reviveDollar(record: Record<string, unknown>, firstDollar: string, inherit: boolean, depth: number): unknown {
  if (isTag(record)) return reviveTag(firstDollar, record[firstDollar]);
  const clean = emptyRecord();
  // Members before the first `$` have been revived already; a second time would take a Date for a record.
  let revived = true;
  for (const key of Object.keys(record)) {
    if (key === firstDollar) revived = false;
    let name = key;
    if (key.charCodeAt(0) === DOLLAR) {
      if (key.charCodeAt(1) !== DOLLAR) throw refused("", `has the unknown tag ${JSON.stringify(key.slice(0, 40))}`);
      name = key.slice(1);
    }
    const value: unknown = Object.getOwnPropertyDescriptor(record, key)?.value;
    clean[name] = revived && key !== "__proto__" ? value : revive(value, inherit, depth + 1);
  }
  return clean;
}

/** Whether a record is one key with one `$`, or claims to be. */
function isTag(json: object): boolean {
  const keys = Object.keys(json);
  return keys.length === 1 && keys[0]?.charCodeAt(0) === DOLLAR && keys[0].charCodeAt(1) !== DOLLAR;
}

function reviveTag(tag: string, content: unknown): unknown {
  if (typeof content === "string") {
    switch (tag) {
      case "$bytes": {
        const bytes = bytesFromBase64(content);
        if (bytes !== undefined) return bytes;
        break;
      }
      case "$bigint":
        if (content.length > MAX_BIGINT_DIGITS + 1) throw tooManyDigits("");
        if (/^-?(?:0|[1-9][0-9]*)$/.test(content)) return BigInt(content);
        break;
      case "$date": {
        const date = new Date(content);
        if (!Number.isNaN(date.getTime()) && date.toISOString() === content) return date;
        break;
      }
      case "$number":
        if (content === "-0") return -0;
        if (content === "NaN" || content === "Infinity" || content === "-Infinity") return Number(content);
        break;
    }
  }
  throw refused("", `has a wrong content for the tag ${JSON.stringify(tag.slice(0, 40))}`);
}

function emptyRecord(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function describeClass(prototype: unknown): string {
  const named = prototype as { readonly constructor?: { readonly name?: unknown } };
  return typeof named.constructor?.name === "string" ? named.constructor.name : "class instance";
}

function refused(path: string, what: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `${path === "" ? "value" : path} ${what}`, { reason: "INVALID_ARGUMENT" });
}

function tooManyDigits(path: string): RpcError {
  const message = `${path === "" ? "value" : path} has an integer of more than ${MAX_BIGINT_DIGITS} digits`;
  return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxElements" });
}

function tooDeep(path: string): RpcError {
  return new RpcError(
    "RESOURCE_EXHAUSTED",
    `${path === "" ? "value" : path} is nested deeper than ${MAX_DEPTH} levels`,
    { reason: "maxDepth" },
  );
}
