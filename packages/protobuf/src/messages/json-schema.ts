import type { Definitions, FieldDefinition } from "../model/definitions.ts";

type JsonSchema = { readonly [word: string]: unknown };

const SCALAR_SCHEMAS: ReadonlyMap<string, JsonSchema> = new Map<string, JsonSchema>([
  ["int32", { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }],
  ["sint32", { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }],
  ["sfixed32", { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }],
  ["uint32", { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 }],
  ["fixed32", { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 }],
  ["int64", { type: "integer", format: "int64" }],
  ["sint64", { type: "integer", format: "int64" }],
  ["sfixed64", { type: "integer", format: "int64" }],
  ["uint64", { type: "integer", format: "uint64", minimum: 0 }],
  ["fixed64", { type: "integer", format: "uint64", minimum: 0 }],
  ["float", { type: "number", format: "float" }],
  ["double", { type: "number" }],
  ["bool", { type: "boolean" }],
  ["string", { type: "string" }],
  ["bytes", { type: "string", contentEncoding: "base64" }],
]);

const WELL_KNOWN_SCHEMAS: ReadonlyMap<string, JsonSchema> = new Map<string, JsonSchema>([
  ["google.protobuf.Timestamp", { type: "string", format: "date-time" }],
  ["google.protobuf.Duration", { type: "number", description: "milliseconds" }],
  ["google.protobuf.Struct", { type: "object" }],
  ["google.protobuf.Value", {}],
  ["google.protobuf.ListValue", { type: "array" }],
  ["google.protobuf.Empty", { type: "object", properties: {} }],
  [
    "google.protobuf.Any",
    {
      type: "object",
      properties: { typeUrl: { type: "string" }, value: { type: "string", contentEncoding: "base64" } },
    },
  ],
]);

/** The dynamic form of a message as a JSON schema (2020-12), for reflection: data to print, never to evaluate. */
export function messageJsonSchema(definitions: Definitions, typeName: string): JsonSchema {
  const defs = new Map<string, JsonSchema>();
  const waiting = [typeName];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (defs.has(next) || !definitions.messages.has(next)) continue;
    const fields = definitions.messages.get(next)?.fields ?? [];
    for (const field of fields) if (field.kind === "message") waiting.push(field.type);
    const properties = fields.map((field) => [field.name, fieldSchema(definitions, field)] as const);
    defs.set(
      next,
      described({ type: "object", properties: Object.fromEntries(properties) }, definitions.messages.get(next)?.doc),
    );
  }
  if (defs.size === 0) return wellKnownSchema(typeName);
  return { $ref: `#/$defs/${typeName}`, $defs: Object.fromEntries(defs) };
}

function fieldSchema(definitions: Definitions, field: FieldDefinition): JsonSchema {
  const single = singleSchema(definitions, field);
  if (field.rule === "list") return described({ type: "array", items: single }, field.doc);
  if (field.rule === "map") return described({ type: "object", additionalProperties: single }, field.doc);
  return described(single, field.doc);
}

function singleSchema(definitions: Definitions, field: FieldDefinition): JsonSchema {
  if (field.kind === "scalar") return SCALAR_SCHEMAS.get(field.type) ?? {};
  if (field.kind === "enum") return { enum: definitions.enums.get(field.type)?.values.map(({ name }) => name) ?? [] };
  return definitions.messages.has(field.type) ? { $ref: `#/$defs/${field.type}` } : wellKnownSchema(field.type);
}

function wellKnownSchema(typeName: string): JsonSchema {
  const wrapped = /^google\.protobuf\.(\w+)Value$/.exec(typeName)?.[1]?.toLowerCase();
  return WELL_KNOWN_SCHEMAS.get(typeName) ?? SCALAR_SCHEMAS.get(wrapped ?? "") ?? {};
}

function described(schema: JsonSchema, doc: string | undefined): JsonSchema {
  return doc === undefined ? schema : { ...schema, description: doc };
}
