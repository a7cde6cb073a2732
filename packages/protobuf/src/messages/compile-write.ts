import {
  type EnumDefinition,
  type FieldDefinition,
  isPacked,
  isScalar,
  type MessageDefinition,
  wireTypeOf,
} from "../model/definitions.ts";
import type { ProtoWriter } from "../writer.ts";
import { fieldError, MAX_DEPTH, memberOf, tooDeep, withinField, wrongField } from "./field-error.ts";
import { isMapOrRecord, mapEntries } from "./map-fields.ts";
import type { NestedCodec } from "./nested.ts";
import { checkOneof } from "./oneofs.ts";
import { SCALARS } from "./scalars.ts";

/** What a compiler of one message needs to know about the others. */
export interface CompileContext {
  readonly nested: (typeName: string) => NestedCodec;
  readonly enumOf: (typeName: string) => EnumDefinition;
}

type Fields = Readonly<Record<string, unknown>>;
type WriteField = (message: Fields, writer: ProtoWriter, depth: number) => void;
/** One value without its tag, with what is asked of it. */
interface ValueRules {
  readonly mustBe: string;
  readonly accepts: (value: unknown) => boolean;
  readonly isDefault: (value: unknown) => boolean;
  readonly write: (value: unknown, writer: ProtoWriter, depth: number) => void;
}

/** The write half of a message as closures over its definition: the same rules as generated code, and no `eval`. */
export function compileWrite(definition: MessageDefinition, context: CompileContext): NestedCodec["write"] {
  const inOwnOrder = definition.fields.map((field) => compileField(field, definition, context));
  const oneofs = oneofChecks(definition);
  return (value, writer, depth) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongField("", "an object", value);
    if (depth > MAX_DEPTH) throw tooDeep();
    const message = value as Fields;
    for (let index = 0; index < oneofs.length; index++) oneofs[index]?.(message);
    for (let index = 0; index < inOwnOrder.length; index++) inOwnOrder[index]?.(message, writer, depth);
  };
}

function compileField(field: FieldDefinition, definition: MessageDefinition, context: CompileContext): WriteField {
  const value = valueRules(field, context);
  const tag = ((field.number << 3) | wireTypeOf(field.kind, field.type)) >>> 0;
  if (field.rule === "list") return compileList(field, value, tag);
  if (field.rule === "map") return compileMap(field, value);
  if (field.oneof !== undefined) return compileOneofField(field, field.oneof, value, tag);
  const always = field.rule === "optional";
  return (message, writer, depth) => {
    const item = message[field.name];
    if (item === undefined) return;
    if (!value.accepts(item)) throw wrongField(field.name, value.mustBe, item);
    if (!always && value.isDefault(item)) return;
    writer.uint32(tag);
    writeNamed(value, item, writer, depth, field.name);
  };
}

function compileList(field: FieldDefinition, value: ValueRules, tag: number): WriteField {
  const packed = isPacked(field);
  const blockTag = ((field.number << 3) | 2) >>> 0;
  return (message, writer, depth) => {
    const list = message[field.name];
    if (list === undefined) return;
    if (!Array.isArray(list)) throw wrongField(field.name, "a list", list);
    if (list.length === 0) return;
    if (packed) writer.uint32(blockTag).fork();
    for (let index = 0; index < list.length; index++) {
      const item: unknown = list[index];
      if (!value.accepts(item)) throw wrongField(`${field.name}[${index}]`, value.mustBe, item);
      if (!packed) writer.uint32(tag);
      writeNamed(value, item, writer, depth, field.name, index);
    }
    if (packed) writer.ldelim();
  };
}

function compileMap(field: FieldDefinition, value: ValueRules): WriteField {
  const key = SCALARS[field.mapKey ?? "string"];
  const keyTag = 8 | wireTypeOf("scalar", field.mapKey ?? "string");
  const valueTag = 16 | wireTypeOf(field.kind, field.type);
  const tag = ((field.number << 3) | 2) >>> 0;
  const asRecord = field.mapKey === "string";
  return (message, writer, depth) => {
    const map = message[field.name];
    if (map === undefined) return;
    if (!isMapOrRecord(map, asRecord)) throw wrongField(field.name, asRecord ? "a plain object" : "a Map", map);
    for (const [name, item] of mapEntries(map)) {
      if (!key.accepts(name)) throw fieldError(field.name, `must have keys that are each ${key.mustBe}`);
      const label = typeof name === "string" || typeof name === "number" ? name : String(name);
      if (!value.accepts(item)) throw withinField(wrongField("", value.mustBe, item), field.name, label);
      writer.uint32(tag).fork().uint32(keyTag);
      key.write(writer, name as never);
      writer.uint32(valueTag);
      writeNamed(value, item, writer, depth, field.name, label);
      writer.ldelim();
    }
  };
}

function compileOneofField(field: FieldDefinition, oneof: string, value: ValueRules, tag: number): WriteField {
  return (message, writer, depth) => {
    const chosen = message[oneof] as { readonly case?: unknown; readonly value?: unknown } | undefined;
    if (chosen === undefined || chosen.case !== field.name) return;
    if (!value.accepts(chosen.value)) throw wrongField(`${oneof}.value`, value.mustBe, chosen.value);
    writer.uint32(tag);
    writeNamed(value, chosen.value, writer, depth, `${oneof}.value`);
  };
}

function oneofChecks(definition: MessageDefinition): ((message: Fields) => void)[] {
  const cases = new Map<string, Set<unknown>>();
  for (const { oneof, name } of definition.fields) {
    if (oneof !== undefined) cases.set(oneof, (cases.get(oneof) ?? new Set()).add(name));
  }
  return Array.from(cases, ([oneof, names]) => {
    return (message: Fields) => checkOneof(message[oneof], oneof, names);
  });
}

function writeNamed(
  rules: ValueRules,
  item: unknown,
  writer: ProtoWriter,
  depth: number,
  name: string,
  key?: number | string,
): void {
  try {
    rules.write(item, writer, depth);
  } catch (caught) {
    throw withinField(caught, name, key);
  }
}

function valueRules(field: FieldDefinition, context: CompileContext): ValueRules {
  if (field.kind === "scalar" && isScalar(field.type)) {
    const scalar = SCALARS[field.type];
    return { ...scalar, write: (value, writer) => scalar.write(writer, value as never) };
  }
  if (field.kind === "enum") {
    const numbers = new Set<unknown>(context.enumOf(field.type).values.map(({ number }) => number));
    return {
      mustBe: memberOf(field.type),
      accepts: (value) => numbers.has(value),
      isDefault: (value) => value === 0,
      write: (value, writer) => writer.int32(value as number),
    };
  }
  let codec: NestedCodec | undefined;
  return {
    mustBe: "an object",
    // The message itself says what it takes: a Timestamp takes a Date.
    accepts: (value) => value !== undefined,
    isDefault: () => false,
    write: (value, writer, depth) => {
      // Asked for late: a message may hold itself.
      codec ??= context.nested(field.type);
      writer.fork();
      codec.write(value, writer, depth + 1);
      writer.ldelim();
    },
  };
}
