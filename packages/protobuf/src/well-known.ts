import { wrongField } from "./messages/field-error.ts";
import type { NestedCodec } from "./messages/nested.ts";
import { checkEnd } from "./messages/reading.ts";
import { SCALARS } from "./messages/scalars.ts";
import { type Scalar, SCALAR_WIRE_TYPES } from "./model/definitions.ts";
import { listValueCodec, structCodec, valueCodec } from "./well-known-json.ts";
import { durationCodec, timestampCodec } from "./well-known-time.ts";

/**
 * google.protobuf.Any: a message of a type that only its reader may know. It is handed over as it came; nothing looks its type
 * up or unpacks it, so a hostile one costs its bytes and no more.
 */
export interface PackedAny {
  /** Such as `type.googleapis.com/buildbot.BuildOrder`. */
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** google.protobuf.Empty: an object without fields. */
export type Empty = Readonly<Record<string, never>>;

/** google.protobuf.Any. */
export const anyCodec: NestedCodec<PackedAny> = {
  write(value, writer) {
    if (typeof value !== "object" || value === null) throw wrongField("", "an object with typeUrl and value", value);
    if (typeof value.typeUrl !== "string") throw wrongField("typeUrl", "a string", value.typeUrl);
    if (!(value.value instanceof Uint8Array)) throw wrongField("value", "a Uint8Array", value.value);
    if (value.typeUrl !== "") writer.uint32(10).string(value.typeUrl);
    if (value.value.length > 0) writer.uint32(18).bytes(value.value);
  },
  read(reader, end, _depth, into) {
    let typeUrl = into?.typeUrl ?? "";
    let value = into?.value ?? new Uint8Array(0);
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === 10) typeUrl = reader.string();
      else if (tag === 18) value = reader.bytes();
      else reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    return { typeUrl, value };
  },
};

/** google.protobuf.Empty. */
export const emptyCodec: NestedCodec<Empty> = {
  write(value) {
    if (typeof value !== "object" || value === null) throw wrongField("", "an object without fields", value);
  },
  read(reader, end) {
    while (reader.pos < end) {
      const tag = reader.tag();
      reader.skipType(tag & 7, tag >>> 3);
    }
    checkEnd(reader, end);
    return {};
  },
};

/** One of the wrappers in google/protobuf/wrappers.proto: the value itself, its absence being undefined. */
function wrapperCodec<T>(scalar: Scalar): NestedCodec<T> {
  const rules = SCALARS[scalar];
  const ownTag = 8 | SCALAR_WIRE_TYPES[scalar];
  return {
    write(value, writer) {
      if (!rules.accepts(value)) throw wrongField("", rules.mustBe, value);
      if (rules.isDefault(value)) return;
      writer.uint32(ownTag);
      // Accepted just above.
      rules.write(writer, value as never);
    },
    read(reader, end, _depth, into) {
      let value: unknown = into ?? rules.empty();
      while (reader.pos < end) {
        const tag = reader.tag();
        if (tag === ownTag) value = rules.read(reader);
        else reader.skipType(tag & 7, tag >>> 3);
      }
      checkEnd(reader, end);
      return value as T;
    },
  };
}

export const doubleValueCodec: NestedCodec<number> = wrapperCodec("double");
export const floatValueCodec: NestedCodec<number> = wrapperCodec("float");
export const int64ValueCodec: NestedCodec<bigint> = wrapperCodec("int64");
export const uint64ValueCodec: NestedCodec<bigint> = wrapperCodec("uint64");
export const int32ValueCodec: NestedCodec<number> = wrapperCodec("int32");
export const uint32ValueCodec: NestedCodec<number> = wrapperCodec("uint32");
export const boolValueCodec: NestedCodec<boolean> = wrapperCodec("bool");
export const stringValueCodec: NestedCodec<string> = wrapperCodec("string");
export const bytesValueCodec: NestedCodec<Uint8Array> = wrapperCodec("bytes");

/** The well-known types by full name: everything else is a message with fields. */
export const WELL_KNOWN_CODECS: ReadonlyMap<string, NestedCodec<never>> = new Map<string, NestedCodec<never>>([
  ["google.protobuf.Timestamp", timestampCodec],
  ["google.protobuf.Duration", durationCodec],
  ["google.protobuf.Struct", structCodec],
  ["google.protobuf.Value", valueCodec],
  ["google.protobuf.ListValue", listValueCodec],
  ["google.protobuf.Any", anyCodec],
  ["google.protobuf.Empty", emptyCodec],
  ["google.protobuf.DoubleValue", doubleValueCodec],
  ["google.protobuf.FloatValue", floatValueCodec],
  ["google.protobuf.Int64Value", int64ValueCodec],
  ["google.protobuf.UInt64Value", uint64ValueCodec],
  ["google.protobuf.Int32Value", int32ValueCodec],
  ["google.protobuf.UInt32Value", uint32ValueCodec],
  ["google.protobuf.BoolValue", boolValueCodec],
  ["google.protobuf.StringValue", stringValueCodec],
  ["google.protobuf.BytesValue", bytesValueCodec],
] as unknown as [string, NestedCodec<never>][]);
