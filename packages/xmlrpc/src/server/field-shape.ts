import type { MessageShape, MethodDescriptor } from "@rpc/core/transport";

/**
 * What a method's JSON schema says about a value, as far as a wire needs it: which of the types that the wire has not, or has twice, is meant,
 * and which fields there are in which order.
 */
export interface FieldShape {
  /** Nothing is known: any value. */
  readonly any: boolean;
  readonly text: boolean;
  readonly boolean: boolean;
  readonly date: boolean;
  readonly bytes: boolean;
  readonly bigint: boolean;
  readonly integer: boolean;
  /** A number that need not be whole. */
  readonly double: boolean;
  readonly nil: boolean;
  readonly list: boolean;
  readonly items: FieldShape | undefined;
  readonly firstItems: readonly FieldShape[];
  readonly record: boolean;
  /** In the order of the contract. */
  readonly fields: ReadonlyMap<string, FieldShape>;
  /** Their names. */
  readonly names: readonly string[];
  readonly required: ReadonlySet<string>;
  /** Of members that are no fields; undefined: there are none. */
  readonly others: FieldShape | undefined;
  /** Whether a number in it, however deep, is a double. */
  readonly hasDouble: boolean;
  /** Whether a part of it, however deep, may be anything. */
  readonly hasAny: boolean;
}

/** Shape of a message; undefined: it has no schema, or none that can be said. Worked out once. */
export function fieldShapeOf(message: MessageShape): FieldShape | undefined {
  let known = shapes.get(message);
  if (known === undefined) shapes.set(message, (known = { shape: shapeOfMessage(message) }));
  return known.shape;
}

/** What a method takes: its fields in order, when its input is a record with fields. */
export function inputFields(method: MethodDescriptor): readonly string[] | undefined {
  const shape = fieldShapeOf(method.input);
  return shape === undefined || shape.names.length === 0 ? undefined : shape.names;
}

const shapes = new WeakMap<MessageShape, { readonly shape: FieldShape | undefined }>();

function shapeOfMessage({ jsonSchema, codec }: MessageShape): FieldShape | undefined {
  if (jsonSchema === undefined) return undefined;
  let schema: unknown;
  try {
    schema = jsonSchema(true);
  } catch {
    // A validator that cannot describe this one: the values pass as they are, and it judges them.
    return undefined;
  }
  if (!isSchema(schema)) return undefined;
  return new ShapeReader(schema, codec.format === "protobuf").read(schema);
}

type Schema = { readonly [word: string]: unknown };
type Draft = { -readonly [Name in keyof FieldShape]: FieldShape[Name] };

/** JSON schemas of contracts: ours to trust, but they may hold themselves. */
class ShapeReader {
  readonly #root: Schema;
  readonly #isProtobuf: boolean;
  readonly #made = new Map<Schema, Draft>();
  readonly #done = new Set<Draft>();

  constructor(root: Schema, isProtobuf: boolean) {
    this.#root = root;
    this.#isProtobuf = isProtobuf;
  }

  read(schema: Schema): FieldShape {
    const known = this.#made.get(schema);
    if (known !== undefined) {
      // It holds itself: what is in it is not known yet, so it is looked through.
      if (!this.#done.has(known)) known.hasDouble = known.hasAny = true;
      return known;
    }
    const draft = emptyDraft();
    this.#made.set(schema, draft);
    const parts = this.#parts(schema);
    for (const part of parts) this.#add(draft, part);
    if (parts.every(saysNothing)) draft.any = draft.hasAny = true;
    this.#done.add(draft);
    return draft;
  }

  /** A schema with those that it refers to and chooses between, side by side. */
  #parts(schema: Schema): Schema[] {
    const parts: Schema[] = [];
    const waiting = [schema];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (parts.includes(next)) continue;
      parts.push(next);
      const target = typeof next["$ref"] === "string" ? this.#find(next["$ref"]) : undefined;
      if (target !== undefined) waiting.push(target);
      for (const word of ["allOf", "oneOf", "anyOf"])
        if (Array.isArray(next[word])) waiting.push(...next[word].filter(isSchema).toReversed());
    }
    return parts;
  }

  #find(reference: string): Schema | undefined {
    if (!reference.startsWith("#")) return undefined;
    let found: unknown = this.#root;
    for (const segment of reference
      .slice(1)
      .split("/")
      .filter((part) => part !== "")) {
      const name = segment.replaceAll("~1", "/").replaceAll("~0", "~");
      found = isSchema(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    }
    return isSchema(found) ? found : undefined;
  }

  #add(draft: Draft, schema: Schema): void {
    const types: readonly unknown[] = Array.isArray(schema["type"])
      ? schema["type"]
      : [schema["type"] ?? typeByWords(schema)];
    for (const type of types) {
      if (type === "string") this.#addText(draft, schema);
      else if (type === "boolean") draft.boolean = true;
      else if (type === "null") draft.nil = true;
      else if (type === "integer") {
        if (schema["x-rpc-type"] === "bigint") draft.bigint = true;
        else draft.integer = true;
      } else if (type === "number") draft.double = draft.hasDouble = true;
      else if (type === "array") this.#addList(draft, schema);
      else if (type === "object") this.#addRecord(draft, schema);
    }
  }

  #addText(draft: Draft, schema: Schema): void {
    if (schema["contentEncoding"] === "base64") draft.bytes = true;
    // A code-first `date-time` is a text that looks like a date; a protobuf Timestamp is a Date.
    else if (schema["x-rpc-type"] === "date" || (this.#isProtobuf && schema["format"] === "date-time"))
      draft.date = true;
    else draft.text = true;
  }

  #addList(draft: Draft, schema: Schema): void {
    draft.list = true;
    const first = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"].filter(isSchema) : [];
    draft.firstItems = first.map((item) => this.read(item));
    if (isSchema(schema["items"])) draft.items = this.read(schema["items"]);
    inherit(draft, [...draft.firstItems, draft.items]);
  }

  #addRecord(draft: Draft, schema: Schema): void {
    draft.record = true;
    const fields = new Map(draft.fields);
    const { properties, additionalProperties, required } = schema;
    if (isSchema(properties)) {
      for (const [name, field] of Object.entries(properties)) if (isSchema(field)) fields.set(name, this.read(field));
    }
    draft.fields = fields;
    draft.names = [...fields.keys()];
    if (Array.isArray(required)) draft.required = new Set([...draft.required, ...(required as unknown[]).map(String)]);
    // JSON Schema takes other members unless it is told not to; a record of named fields means those, and says so where it takes more.
    if (isSchema(additionalProperties)) draft.others = this.read(additionalProperties);
    else if (additionalProperties === true || (!isSchema(properties) && additionalProperties !== false))
      draft.others = ANY;
    inherit(draft, [...fields.values(), draft.others]);
  }
}

function inherit(draft: Draft, parts: readonly (FieldShape | undefined)[]): void {
  for (const part of parts) {
    if (part?.hasDouble === true) draft.hasDouble = true;
    if (part?.hasAny === true) draft.hasAny = true;
  }
}

function typeByWords(schema: Schema): string | undefined {
  if ("properties" in schema || "additionalProperties" in schema) return "object";
  if ("items" in schema || "prefixItems" in schema) return "array";
  // Enums and constants: the type of what they list.
  const values: unknown[] = Array.isArray(schema["enum"]) ? schema["enum"] : "const" in schema ? [schema["const"]] : [];
  switch (typeof values[0]) {
    case "string":
      return "string";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    default:
      return undefined;
  }
}

function saysNothing(schema: Schema): boolean {
  return schema["type"] === undefined && typeByWords(schema) === undefined;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function emptyDraft(): Draft {
  return {
    any: false,
    text: false,
    boolean: false,
    date: false,
    bytes: false,
    bigint: false,
    integer: false,
    double: false,
    nil: false,
    list: false,
    items: undefined,
    firstItems: [],
    record: false,
    fields: new Map(),
    names: [],
    required: new Set(),
    others: undefined,
    hasDouble: false,
    hasAny: false,
  };
}

const ANY: FieldShape = Object.freeze({ ...emptyDraft(), any: true, hasAny: true });
