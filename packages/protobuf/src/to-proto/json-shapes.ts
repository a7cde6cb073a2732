import { fieldError } from "../messages/field-error.ts";
import { isIdentifier, pascalCase, propertyName, snakeCase } from "../model/names.ts";
import type { DraftField, Drafts, DraftShape } from "./drafts.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

const MAX_SCHEMA_DEPTH = 50;
/** Words of JSON schema that change a shape in a way that protobuf cannot say. */
const WITHOUT_EQUIVALENT = ["allOf", "not", "if", "patternProperties", "prefixItems", "dependentSchemas", "contains"];
const DYNAMIC: DraftShape = { rule: "one", type: "google.protobuf.Value", isMessage: true };

/** Reads the JSON schema of one message into drafts. Errors carry the path of the part that protobuf cannot say. */
export class JsonShapes {
  readonly #drafts: Drafts;
  readonly #root: JsonSchema;
  /** Which message a definition (`$ref`) became: a shape that holds itself ends here. */
  readonly #named = new Map<string, DraftShape>();

  constructor(root: unknown, drafts: Drafts) {
    this.#root = isRecord(root) ? root : {};
    this.#drafts = drafts;
  }

  /** The shape of the whole schema as the input or output of a method: always a message. */
  message(name: string, path: string): string {
    const shape = this.#shapeOf(this.#root, name, path, 0);
    if (shape.rule !== "one")
      throw refused(
        path,
        `is ${shape.rule === "list" ? "a list" : "a record"}; protobuf wants a message there: put it into an object`,
      );
    if (shape.isMessage) return shape.type;
    const wrapper = WRAPPERS.get(shape.type);
    if (wrapper === undefined) throw refused(path, "is an enum; protobuf wants a message there: put it into an object");
    return wrapper;
  }

  #shapeOf(schema: unknown, name: string, path: string, depth: number): DraftShape {
    if (depth > MAX_SCHEMA_DEPTH) throw refused(path, `nests deeper than ${MAX_SCHEMA_DEPTH} levels`);
    if (schema === true || (isRecord(schema) && Object.keys(schema).every((word) => ANNOTATIONS.has(word))))
      return DYNAMIC;
    if (!isRecord(schema)) throw refused(path, "can have no value at all");
    const unsaid = WITHOUT_EQUIVALENT.find((word) => schema[word] !== undefined);
    if (unsaid !== undefined) throw refused(path, `uses ${unsaid} of JSON schema`);
    if (typeof schema["$ref"] === "string") return this.#reference(schema["$ref"], name, path, depth);
    if (Array.isArray(schema["enum"])) return this.#enumOf(schema["enum"], name, path);
    if (schema["const"] !== undefined) return this.#shapeOf({ type: typeof schema["const"] }, name, path, depth + 1);
    const choices = schema["anyOf"] ?? schema["oneOf"];
    if (Array.isArray(choices)) return this.#union(choices, name, path, depth);
    if (Array.isArray(schema["type"]))
      return this.#union(
        schema["type"].map((type: unknown) => ({ ...schema, type })),
        name,
        path,
        depth,
      );
    switch (schema["type"]) {
      case "object":
        return this.#objectShape(schema, name, path, depth);
      case "array":
        return this.#listShape(schema, name, path, depth);
      case "string":
        return scalar(schema["contentEncoding"] === "base64" || schema["format"] === "binary" ? "bytes" : "string");
      case "boolean":
        return scalar("bool");
      case "number":
        return scalar("double");
      case "integer":
        return scalar(integerType(schema));
      default:
        throw refused(path, `has the type ${JSON.stringify(schema["type"])}`);
    }
  }

  #reference(ref: string, name: string, path: string, depth: number): DraftShape {
    const known = this.#named.get(ref);
    if (known !== undefined) return known;
    const target = resolvePointer(this.#root, ref);
    if (target === undefined) throw refused(path, `refers to ${JSON.stringify(ref)}, which is not there`);
    const last = pascalCase(ref.slice(ref.lastIndexOf("/") + 1));
    const own = ref === "#" || !/^[A-Z]/.test(last) || /^Schema\d+$/.test(last) ? name : last;
    if (isRecord(target) && target["type"] === "object" && isRecord(target["properties"])) {
      this.#named.set(ref, { rule: "one", type: own, isMessage: true });
    }
    const shape = this.#shapeOf(target, own, path, depth + 1);
    this.#named.set(ref, shape);
    return shape;
  }

  #objectShape(schema: JsonSchema, name: string, path: string, depth: number): DraftShape {
    const { properties, additionalProperties: rest } = schema;
    if (!isRecord(properties) || (Object.keys(properties).length === 0 && isRecord(rest))) {
      if (!isRecord(rest))
        return isRecord(properties)
          ? this.#declare(name, schema, path, depth)
          : { ...DYNAMIC, type: "google.protobuf.Struct" };
      const value = this.#shapeOf(rest, `${name}Value`, `${path}[*]`, depth + 1);
      if (value.rule !== "one")
        throw refused(`${path}[*]`, "is a list or record inside a record: put it into an object");
      return { rule: "map", type: value.type, isMessage: value.isMessage };
    }
    return this.#declare(name, schema, path, depth);
  }

  #declare(name: string, schema: JsonSchema, path: string, depth: number): DraftShape {
    const shape: DraftShape = { rule: "one", type: name, isMessage: true };
    if (this.#root === schema) this.#named.set("#", shape);
    if (this.#drafts.messages.has(name) || this.#drafts.enums.has(name))
      throw refused(path, `would be a second message ${name}`);
    const fields: DraftField[] = [];
    this.#drafts.messages.set(name, { name, fields, doc: textOf(schema["description"]) });
    const required = new Set(Array.isArray(schema["required"]) ? (schema["required"] as unknown[]) : []);
    for (const [property, inner] of Object.entries(isRecord(schema["properties"]) ? schema["properties"] : {})) {
      const place = `${path}.${property}`;
      const fieldName = snakeCase(property);
      if (!isIdentifier(fieldName) || propertyName(fieldName) !== property) {
        throw refused(
          place,
          `cannot be a field: ${JSON.stringify(property)} is no camelCase word that comes back from ${JSON.stringify(fieldName)}`,
        );
      }
      const value = this.#shapeOf(withoutNull(inner), `${name}${pascalCase(property)}`, place, depth + 1);
      const absent = !required.has(property) || withoutNull(inner) !== inner;
      fields.push({
        name: fieldName,
        shape: value,
        optional: absent && value.rule === "one" && !value.isMessage,
        doc: docOf(inner),
      });
    }
    return shape;
  }

  #listShape(schema: JsonSchema, name: string, path: string, depth: number): DraftShape {
    if (schema["items"] === undefined) return { ...DYNAMIC, type: "google.protobuf.ListValue" };
    const item = this.#shapeOf(
      schema["items"],
      `${name.replace(/s$/, "")}${name.endsWith("s") ? "" : "Item"}`,
      `${path}[]`,
      depth + 1,
    );
    if (item.rule !== "one") throw refused(`${path}[]`, "is a list or record inside a list: put it into an object");
    return { rule: "list", type: item.type, isMessage: item.isMessage };
  }

  #enumOf(values: readonly unknown[], name: string, path: string): DraftShape {
    if (!values.every((value) => typeof value === "string"))
      throw refused(path, "is an enum of something else than texts");
    if (values.length === 1) return scalar("string");
    const prefix = snakeCase(name).toUpperCase();
    const words = values.map((value) => ({
      name: `${prefix}_${snakeCase(value).toUpperCase()}`,
      doc: JSON.stringify(value),
    }));
    for (const [index, word] of words.entries()) {
      const twin = words.findIndex((other) => other.name === word.name);
      if (
        !isIdentifier(word.name) ||
        !/[A-Z0-9]/.test(word.name.slice(prefix.length)) ||
        twin !== index ||
        word.name === `${prefix}_UNSPECIFIED`
      ) {
        throw refused(path, `has the value ${word.doc}, which has no name of its own in protobuf`);
      }
    }
    if (this.#drafts.messages.has(name) || this.#drafts.enums.has(name))
      throw refused(path, `would be a second enum ${name}`);
    this.#drafts.enums.set(name, { name, values: words });
    return { rule: "one", type: name, isMessage: false };
  }

  /** A choice between shapes becomes a message with a oneof; a choice with null is an absence, which fields have anyway. */
  #union(choices: readonly unknown[], name: string, path: string, depth: number): DraftShape {
    const some = choices.filter((choice) => !(isRecord(choice) && choice["type"] === "null"));
    if (some.length === 1) return this.#shapeOf(some[0], name, path, depth + 1);
    const constants = some.map((choice) => (isRecord(choice) ? choice["const"] : undefined));
    if (constants.every((value) => typeof value === "string")) return this.#enumOf(constants, name, path);
    const fields: DraftField[] = [];
    if (this.#drafts.messages.has(name)) throw refused(path, `would be a second message ${name}`);
    this.#drafts.messages.set(name, { name, fields, doc: undefined });
    for (const [index, choice] of some.entries()) {
      const label = labelOf(choice) ?? `option_${index + 1}`;
      const shape = this.#shapeOf(choice, `${name}${pascalCase(label)}`, `${path}|${index + 1}`, depth + 1);
      if (shape.rule !== "one") throw refused(path, "is a choice with a list or record in it: put it into an object");
      if (fields.some((field) => field.name === label)) throw refused(path, `has two choices called ${label}`);
      fields.push({ name: label, shape, optional: false, oneof: "choice", doc: docOf(choice) });
    }
    return { rule: "one", type: name, isMessage: true };
  }
}

const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$defs",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "id",
]);
const WRAPPERS: ReadonlyMap<string, string> = new Map([
  ["string", "google.protobuf.StringValue"],
  ["bytes", "google.protobuf.BytesValue"],
  ["bool", "google.protobuf.BoolValue"],
  ["double", "google.protobuf.DoubleValue"],
  ["int32", "google.protobuf.Int32Value"],
  ["uint32", "google.protobuf.UInt32Value"],
  ["int64", "google.protobuf.Int64Value"],
  ["uint64", "google.protobuf.UInt64Value"],
]);

function refused(path: string, problem: string): Error {
  return fieldError(path, `${problem}; this has no equivalent in protobuf`);
}

function scalar(type: string): DraftShape {
  return { rule: "one", type, isMessage: false };
}

function integerType(schema: JsonSchema): string {
  const low = Number(schema["minimum"] ?? schema["exclusiveMinimum"] ?? -Infinity);
  const high = Number(schema["maximum"] ?? schema["exclusiveMaximum"] ?? Infinity);
  if (schema["format"] === "uint64") return "uint64";
  if (low >= -(2 ** 31) && high <= 2 ** 31 - 1) return "int32";
  return low >= 0 && high <= 2 ** 32 - 1 ? "uint32" : "int64";
}

function withoutNull(schema: unknown): unknown {
  if (!isRecord(schema)) return schema;
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (!Array.isArray(choices)) {
    if (!Array.isArray(schema["type"]) || !schema["type"].includes("null")) return schema;
    const [type, ...more] = (schema["type"] as unknown[]).filter((one) => one !== "null");
    return { ...schema, type: more.length === 0 ? type : [type, ...more] };
  }
  const some = choices.filter((choice) => !(isRecord(choice) && choice["type"] === "null"));
  return some.length === choices.length ? schema : some.length === 1 ? (some[0] as unknown) : { anyOf: some };
}

/** A discriminator's constant names a choice best, then its title, then its plain type. */
function labelOf(choice: unknown): string | undefined {
  if (!isRecord(choice)) return undefined;
  const constants = Object.values(isRecord(choice["properties"]) ? choice["properties"] : {}).flatMap((property) =>
    isRecord(property) && typeof property["const"] === "string" ? [property["const"]] : [],
  );
  const label = constants[0] ?? choice["title"] ?? (choice["type"] === "object" ? undefined : choice["type"]);
  if (typeof label !== "string") return undefined;
  const name = snakeCase(label);
  return isIdentifier(name) ? name : undefined;
}

function resolvePointer(root: JsonSchema, ref: string): unknown {
  if (ref === "#") return root;
  if (!ref.startsWith("#/")) return undefined;
  let target: unknown = root;
  for (const part of ref.slice(2).split("/")) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    target = isRecord(target) && Object.hasOwn(target, key) ? target[key] : undefined;
  }
  return target;
}

function docOf(schema: unknown): string | undefined {
  return isRecord(schema) ? textOf(schema["description"]) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isRecord(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
