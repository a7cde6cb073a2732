import { Decimal, Double, XmlRpcDateTime } from "../values.ts";
import type { FieldShape } from "./field-shape.ts";

/** Which types a wire has: XML-RPC has dates and bytes of its own and no bigint for small numbers, JSON has texts for all three. */
export type Wire = "xml" | "json";

type MutableRecord = Record<string, unknown>;

/** A received value with the types that its schema means. Changes containers in place: they are fresh from a decoder, and at most 64 deep. */
export function takenFrom(value: unknown, shape: FieldShape | undefined, wire: Wire): unknown {
  if (shape === undefined) return value;
  switch (typeof value) {
    case "string":
      return wire === "json" ? fromText(value, shape) : value;
    case "number":
      return shape.bigint && !shape.integer && !shape.double && Number.isSafeInteger(value) ? BigInt(value) : value;
    case "bigint":
      return !shape.bigint && (shape.integer || shape.double) && isSafe(value) ? Number(value) : value;
    case "object":
      return value === null ? null : fromObject(value, shape, wire);
    default:
      return value;
  }
}

function fromText(text: string, shape: FieldShape): unknown {
  if (shape.any || shape.text) return text;
  if (shape.bytes && BASE64.test(text)) return new Uint8Array(Buffer.from(text, "base64"));
  if (shape.date && DATE.test(text)) {
    const date = new Date(text);
    return Number.isNaN(date.getTime()) ? text : date;
  }
  return shape.bigint && DIGITS.test(text) ? BigInt(text) : text;
}

// Each has one way through a text, so that a hostile one takes no longer than its length.
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?$/;
const DIGITS = /^-?\d{1,4096}$/;

function fromObject(value: object, shape: FieldShape, wire: Wire): unknown {
  if (Array.isArray(value)) {
    if (!shape.list) return value;
    const list = value as unknown[];
    for (let i = 0; i < list.length; i++) list[i] = takenFrom(list[i], shape.firstItems[i] ?? shape.items, wire);
    return list;
  }
  if (value instanceof Date) return shape.text && !shape.date ? value.toISOString() : value;
  if (value instanceof XmlRpcDateTime) return shape.text && !shape.date ? value.toString() : value.toDate();
  if (value instanceof Decimal) {
    if (shape.text) return value.text;
    return shape.double || shape.integer ? Number(value.text) : value;
  }
  if (!shape.record || value instanceof Uint8Array || value instanceof Map) return value;
  const record = value as MutableRecord;
  for (const name in record) {
    const field = shape.fields.get(name);
    const member = record[name];
    // Peers whose records have all members say nil for one that is not there.
    if (member === null && field !== undefined && !field.nil && !field.any && !shape.required.has(name))
      delete record[name];
    else record[name] = takenFrom(member, field ?? shape.others, wire);
  }
  return record;
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}

/** A value on its way out as XML-RPC: whole numbers that are doubles by their schema are said as doubles. Copies what it changes. */
export function withDoubles(value: unknown, shape: FieldShape | undefined, depth = 0): unknown {
  if (shape === undefined || !shape.hasDouble || depth > 64) return value;
  if (typeof value === "number") return shape.double && Number.isInteger(value) ? new Double(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => withDoubles(item, shape.firstItems[index] ?? shape.items, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const record = Object.create(null) as MutableRecord;
  for (const name of Object.keys(value))
    record[name] = withDoubles((value as MutableRecord)[name], shape.fields.get(name) ?? shape.others, depth + 1);
  return record;
}
