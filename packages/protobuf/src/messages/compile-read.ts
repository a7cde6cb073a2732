import { type FieldDefinition, isPacked, isScalar, type MessageDefinition, wireTypeOf } from "../model/definitions.ts";
import type { ProtoReader } from "../reader.ts";
import type { CompileContext } from "./compile-write.ts";
import { MAX_DEPTH, tooDeep } from "./field-error.ts";
import type { NestedCodec } from "./nested.ts";
import { checkEnd } from "./reading.ts";
import { SCALARS } from "./scalars.ts";

type Draft = Record<string, unknown>;
type ReadField = (reader: ProtoReader, draft: Draft, depth: number) => void;
type ReadValue = (reader: ProtoReader, depth: number, into: unknown) => unknown;

/** The read half of a message as closures over its definition; see `compileWrite`. */
export function compileRead(definition: MessageDefinition, context: CompileContext): NestedCodec["read"] {
  const fields = new Map<number, ReadField>();
  for (const field of definition.fields) addReaders(fields, field, context);
  const blank = blankMaker(definition);
  return (reader, end, depth, into) => {
    if (depth > MAX_DEPTH) throw tooDeep();
    // Merging goes on with the object that the first occurrence made; nobody else has seen it.
    const draft = (into ?? blank()) as Draft;
    while (reader.pos < end) {
      const tag = reader.tag();
      const read = fields.get(tag);
      if (read === undefined) reader.skipType(tag & 7, tag >>> 3);
      else read(reader, draft, depth);
    }
    checkEnd(reader, end);
    return draft;
  };
}

function addReaders(fields: Map<number, ReadField>, field: FieldDefinition, context: CompileContext): void {
  const { name } = field;
  const readValue = valueReader(field, context);
  const tag = ((field.number << 3) | wireTypeOf(field.kind, field.type)) >>> 0;
  const blockTag = ((field.number << 3) | 2) >>> 0;
  if (field.rule === "map") {
    fields.set(blockTag, mapReader(field, readValue, emptyValue(field, context)));
  } else if (field.rule === "list") {
    fields.set(tag, (reader, draft, depth) => {
      reader.countElement();
      (draft[name] as unknown[]).push(readValue(reader, depth, undefined));
    });
    // Both forms are read, whichever one the sender's definition asks for.
    if (isPacked(field) || field.packed === false) {
      fields.set(blockTag, (reader, draft, depth) => {
        const list = draft[name] as unknown[];
        const end = reader.lengthEnd();
        while (reader.pos < end) {
          reader.countElement();
          list.push(readValue(reader, depth, undefined));
        }
        checkEnd(reader, end);
      });
    }
  } else if (field.oneof !== undefined) {
    const { oneof } = field;
    fields.set(tag, (reader, draft, depth) => {
      const before = draft[oneof] as { readonly case: string; readonly value: unknown } | undefined;
      const value = readValue(reader, depth, before?.case === name ? before.value : undefined);
      draft[oneof] = { case: name, value };
    });
  } else {
    fields.set(tag, (reader, draft, depth) => {
      draft[name] = readValue(reader, depth, draft[name]);
    });
  }
}

function mapReader(field: FieldDefinition, readValue: ReadValue, emptyOf: (reader: ProtoReader) => unknown): ReadField {
  const key = SCALARS[field.mapKey ?? "string"];
  const keyTag = 8 | wireTypeOf("scalar", field.mapKey ?? "string");
  const valueTag = 16 | wireTypeOf(field.kind, field.type);
  return (reader, draft, depth) => {
    reader.countElement();
    const end = reader.lengthEnd();
    let name: unknown = key.empty();
    let value: unknown;
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === keyTag) name = key.read(reader);
      else if (tag === valueTag) value = readValue(reader, depth, value);
      else reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    const map = draft[field.name];
    if (map instanceof Map) map.set(name, value ?? emptyOf(reader));
    else (map as Draft)[name as string] = value ?? emptyOf(reader);
  };
}

function valueReader(field: FieldDefinition, context: CompileContext): ReadValue {
  if (field.kind === "scalar" && isScalar(field.type)) return SCALARS[field.type].read;
  if (field.kind === "enum") return (reader) => reader.int32();
  let codec: NestedCodec | undefined;
  return (reader, depth, into) => {
    codec ??= context.nested(field.type);
    return codec.read(reader, reader.lengthEnd(), depth + 1, into);
  };
}

/** What a map's value is when its entry has none. */
function emptyValue(field: FieldDefinition, context: CompileContext): (reader: ProtoReader) => unknown {
  if (field.kind === "scalar" && isScalar(field.type)) return SCALARS[field.type].empty;
  if (field.kind === "enum") return () => 0;
  // Reading up to where the reader stands reads nothing: the message's defaults.
  return (reader) => context.nested(field.type).read(reader, reader.pos, 0);
}

/** Makes a message with every field in it, so that all of a kind have one shape and only own properties. */
function blankMaker(definition: MessageDefinition): () => Draft {
  const makers: (readonly [string, () => unknown])[] = [];
  const oneofs = new Set<string>();
  for (const field of definition.fields) {
    if (field.oneof === undefined) makers.push([field.name, blankValue(field)]);
    else oneofs.add(field.oneof);
  }
  for (const oneof of oneofs) makers.push([oneof, () => undefined]);
  return () => {
    const draft: Draft = {};
    for (const [name, make] of makers) draft[name] = make();
    return draft;
  };
}

function blankValue(field: FieldDefinition): () => unknown {
  if (field.rule === "list") return () => [];
  if (field.rule === "map") return field.mapKey === "string" ? () => Object.create(null) as unknown : () => new Map();
  if (field.rule === "optional") return () => undefined;
  return field.kind === "scalar" && isScalar(field.type) ? SCALARS[field.type].empty : () => 0;
}
