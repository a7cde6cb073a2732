import { type Definitions, type FieldDefinition, isScalar } from "../model/definitions.ts";
import { WELL_KNOWN_TYPES } from "../well-known-names.ts";
import { fieldError, MAX_DEPTH, memberOf, tooDeep, withinField, wrongField } from "./field-error.ts";
import { SCALARS } from "./scalars.ts";

/**
 * Makes a message from a dynamic value, by names: what a caller without the contract sends. Fields are found by their TypeScript
 * or their `.proto` name, null means absent, enums are words or numbers, a oneof's fields stand flat among the others, 64-bit
 * integers may be whole numbers or decimal texts. A name that the message does not have is refused.
 */
export function messageFromDynamic(definitions: Definitions, typeName: string, value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw tooDeep();
  if (WELL_KNOWN_TYPES.has(typeName)) return wellKnownFromDynamic(typeName, value);
  const fields = fieldsByName(definitions, typeName);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongField("", "an object", value);
  const message: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, given] of Object.entries(value)) {
    const field = fields.get(name);
    if (field === undefined) throw fieldError(name, `is no field of ${typeName}`);
    if (given === undefined || (given === null && field.type !== "google.protobuf.Value")) continue;
    const item = within(name, undefined, () => fieldFromDynamic(definitions, field, given, depth));
    if (field.oneof === undefined) message[field.name] = item;
    else {
      const before = message[field.oneof] as { readonly case: string } | undefined;
      if (before !== undefined)
        throw fieldError(name, `and ${before.case} cannot be set both: they are one of "${field.oneof}"`);
      message[field.oneof] = { case: field.name, value: item };
    }
  }
  return message;
}

// Definitions never change; the index is made once for each message.
const indexes = new WeakMap<Definitions, Map<string, ReadonlyMap<string, FieldDefinition>>>();

function fieldsByName(definitions: Definitions, typeName: string): ReadonlyMap<string, FieldDefinition> {
  const byType = indexes.get(definitions) ?? new Map<string, ReadonlyMap<string, FieldDefinition>>();
  indexes.set(definitions, byType);
  let fields = byType.get(typeName);
  if (fields === undefined) {
    const made = new Map<string, FieldDefinition>();
    // The TypeScript name wins where one field's is another's name in the .proto.
    for (const field of definitions.messages.get(typeName)?.fields ?? []) made.set(field.protoName, field);
    for (const field of definitions.messages.get(typeName)?.fields ?? []) made.set(field.name, field);
    byType.set(typeName, (fields = made));
  }
  return fields;
}

function fieldFromDynamic(definitions: Definitions, field: FieldDefinition, value: unknown, depth: number): unknown {
  const single = (item: unknown): unknown => {
    if (field.kind === "message") return messageFromDynamic(definitions, field.type, item, depth + 1);
    return field.kind === "enum" ? enumFromDynamic(definitions, field.type, item) : scalarFromDynamic(field.type, item);
  };
  if (field.rule === "list") {
    if (!Array.isArray(value)) throw wrongField("", "a list", value);
    return value.map((item: unknown, index) => within("", index, () => single(item)));
  }
  if (field.rule !== "map") return single(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongField("", "an object", value);
  const entries: Iterable<readonly [unknown, unknown]> =
    value instanceof Map ? (value as Map<unknown, unknown>) : Object.entries(value);
  const map = new Map<unknown, unknown>();
  for (const [name, item] of entries)
    map.set(
      keyFromDynamic(field.mapKey ?? "string", name),
      within("", String(name), () => single(item)),
    );
  if (field.mapKey !== "string") return map;
  const record = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of map) record[name as string] = item;
  return record;
}

function keyFromDynamic(type: string, key: unknown): unknown {
  if (type === "bool" && (key === "true" || key === "false")) return key === "true";
  if (type !== "string" && type !== "bool" && typeof key === "string" && /^-?\d+$/.test(key)) {
    return scalarFromDynamic(type, BigInt(key));
  }
  return scalarFromDynamic(type, key);
}

function scalarFromDynamic(type: string, value: unknown): unknown {
  if (!isScalar(type)) throw fieldError("", `is of an unknown type ${type}`);
  const rules = SCALARS[type];
  let converted = value;
  if (typeof rules.empty() === "bigint") {
    if (typeof value === "number" && Number.isSafeInteger(value)) converted = BigInt(value);
    else if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) converted = BigInt(value);
  } else if (typeof rules.empty() === "number" && typeof value === "bigint" && value === BigInt.asIntN(53, value)) {
    converted = Number(value);
  }
  if (!rules.accepts(converted)) throw wrongField("", rules.mustBe, value);
  return converted;
}

function enumFromDynamic(definitions: Definitions, typeName: string, value: unknown): number {
  const values = definitions.enums.get(typeName)?.values ?? [];
  const found = values.find(({ name, number }) =>
    typeof value === "string" ? name === value : number === Number(value),
  );
  if (found === undefined || (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint")) {
    throw wrongField("", `a word or ${memberOf(typeName)}`, value);
  }
  return found.number;
}

function wellKnownFromDynamic(typeName: string, value: unknown): unknown {
  if (typeName === "google.protobuf.Timestamp" && typeof value === "string") {
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) throw wrongField("", "a date", value);
    return date;
  }
  if (typeName === "google.protobuf.Empty" && (value === null || value === undefined)) return {};
  const type = WELL_KNOWN_TYPES.get(typeName);
  // The wrappers' own scalars: the words of the 64-bit ones need converting, the rest is checked when it is written.
  if (type === "bigint") return scalarFromDynamic(typeName.includes("UInt") ? "uint64" : "int64", value);
  return value;
}

function within<T>(name: string, key: number | string | undefined, convert: () => T): T {
  try {
    return convert();
  } catch (caught) {
    throw withinField(caught, name, key);
  }
}
