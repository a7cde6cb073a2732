import type { Definitions, FieldDefinition } from "../model/definitions.ts";
import { MAX_DEPTH, tooDeep } from "./field-error.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Makes a dynamic value from a message, the inverse of `messageFromDynamic`: enums become words where they have one, a oneof's
 * field stands flat, maps become records, what is absent is left out. Records have no prototype.
 */
export function messageToDynamic(definitions: Definitions, typeName: string, value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw tooDeep();
  const definition = definitions.messages.get(typeName);
  // A well-known type is a dynamic value already.
  if (definition === undefined || typeof value !== "object" || value === null) return value;
  const message = value as Fields;
  const dynamic = Object.create(null) as Record<string, unknown>;
  for (const field of definition.fields) {
    const item = field.oneof === undefined ? ownOf(message, field.name) : chosenOf(message, field.oneof, field.name);
    if (item !== undefined) dynamic[field.name] = fieldToDynamic(definitions, field, item, depth);
  }
  return dynamic;
}

function chosenOf(message: Fields, oneof: string, name: string): unknown {
  const chosen = ownOf(message, oneof) as { readonly case?: unknown; readonly value?: unknown } | undefined;
  return chosen?.case === name ? chosen.value : undefined;
}

function ownOf(message: Fields, name: string): unknown {
  return Object.hasOwn(message, name) ? message[name] : undefined;
}

function fieldToDynamic(definitions: Definitions, field: FieldDefinition, value: unknown, depth: number): unknown {
  const single = (item: unknown): unknown => {
    if (field.kind === "message") return messageToDynamic(definitions, field.type, item, depth + 1);
    return field.kind === "enum" ? wordOf(definitions, field.type, item) : item;
  };
  if (field.rule === "list") return (value as readonly unknown[]).map(single);
  if (field.rule !== "map") return single(value);
  const record = Object.create(null) as Record<string, unknown>;
  const entries: Iterable<readonly [unknown, unknown]> =
    value instanceof Map ? (value as Map<unknown, unknown>) : Object.entries(value as Fields);
  for (const [key, item] of entries) record[String(key)] = single(item);
  return record;
}

function wordOf(definitions: Definitions, typeName: string, number: unknown): unknown {
  return definitions.enums.get(typeName)?.values.find((value) => value.number === number)?.name ?? number;
}
