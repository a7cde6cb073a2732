import { MAX_DEPTH, tooDeep, withinField, wrongField } from "./messages/field-error.ts";
import type { NestedCodec } from "./messages/nested.ts";
import { checkEnd } from "./messages/reading.ts";
import type { ProtoReader } from "./reader.ts";

/** What google.protobuf.Value can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** What google.protobuf.Struct can say. Received ones have no prototype, so a key such as `constructor` is data like any other. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** google.protobuf.Value as the plain value. A Value that says nothing reads as null. */
export const valueCodec: NestedCodec<JsonValue> = {
  write(value, writer, depth) {
    if (depth > MAX_DEPTH) throw tooDeep();
    // A oneof: even false, 0 and "" travel, so that their kind is known.
    if (value === null) writer.uint32(8).int32(0);
    else if (typeof value === "number") writer.uint32(17).double(value);
    else if (typeof value === "string") writer.uint32(26).string(value);
    else if (typeof value === "boolean") writer.uint32(32).bool(value);
    else if (Array.isArray(value)) {
      writer.uint32(50).fork();
      listValueCodec.write(value, writer, depth + 1);
      writer.ldelim();
    } else {
      if (!isPlainObject(value))
        throw wrongField("", "null, a boolean, a number, a string, a list or a plain object", value);
      writer.uint32(42).fork();
      structCodec.write(value, writer, depth + 1);
      writer.ldelim();
    }
  },
  read(reader, end, depth, into) {
    if (depth > MAX_DEPTH) throw tooDeep();
    let value: JsonValue = into ?? null;
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === 8) {
        reader.int32();
        value = null;
      } else if (tag === 17) value = reader.double();
      else if (tag === 26) value = reader.string();
      else if (tag === 32) value = reader.bool();
      else if (tag === 42)
        value = structCodec.read(reader, reader.lengthEnd(), depth + 1, isPlainObject(value) ? value : undefined);
      else if (tag === 50)
        value = listValueCodec.read(reader, reader.lengthEnd(), depth + 1, Array.isArray(value) ? value : undefined);
      else reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    return value;
  },
};

/** google.protobuf.Struct as a plain object of JSON values. */
export const structCodec: NestedCodec<JsonObject> = {
  write(value, writer, depth) {
    if (depth > MAX_DEPTH) throw tooDeep();
    if (!isPlainObject(value)) throw wrongField("", "a plain object", value);
    for (const [key, item] of Object.entries(value)) {
      writer.uint32(10).fork().uint32(10).string(key).uint32(18).fork();
      try {
        valueCodec.write(item, writer, depth + 1);
      } catch (caught) {
        throw withinField(caught, "", key);
      }
      writer.ldelim().ldelim();
    }
  },
  read(reader, end, depth, into) {
    if (depth > MAX_DEPTH) throw tooDeep();
    const value = Object.assign(Object.create(null), into) as Record<string, JsonValue>;
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === 10) {
        reader.countElement();
        readEntry(reader, reader.lengthEnd(), depth + 1, value);
      } else reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    return value;
  },
};

/** google.protobuf.ListValue as an array of JSON values. */
export const listValueCodec: NestedCodec<readonly JsonValue[]> = {
  write(value, writer, depth) {
    if (depth > MAX_DEPTH) throw tooDeep();
    if (!Array.isArray(value)) throw wrongField("", "a list", value);
    for (let index = 0; index < value.length; index++) {
      writer.uint32(10).fork();
      try {
        valueCodec.write(value[index] as JsonValue, writer, depth + 1);
      } catch (caught) {
        throw withinField(caught, "", index);
      }
      writer.ldelim();
    }
  },
  read(reader, end, depth, into) {
    if (depth > MAX_DEPTH) throw tooDeep();
    // Received lists are ours alone, so a merge may add to the one that is there.
    const value = (into ?? []) as JsonValue[];
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === 10) {
        reader.countElement();
        value.push(valueCodec.read(reader, reader.lengthEnd(), depth + 1));
      } else reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    return value;
  },
};

function readEntry(reader: ProtoReader, end: number, depth: number, into: Record<string, JsonValue>): void {
  let key = "";
  let value: JsonValue = null;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = valueCodec.read(reader, reader.lengthEnd(), depth, value);
    else reader.skipType(tag & 7, tag >>> 3);
  }
  checkEnd(reader, end);
  into[key] = value;
}

function isPlainObject(value: unknown): value is JsonObject {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
