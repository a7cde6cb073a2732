import type { MessageType } from "@rpc/core";
import { ProtobufMessageCodec } from "../message-codec.ts";
import type { Definitions, EnumDefinition, FieldDefinition } from "../model/definitions.ts";
import { WELL_KNOWN_CODECS } from "../well-known.ts";
import { compileRead } from "./compile-read.ts";
import { compileWrite } from "./compile-write.ts";
import { messageFromDynamic } from "./dynamic-from.ts";
import { messageToDynamic } from "./dynamic-to.ts";
import { fieldError, withinMessage } from "./field-error.ts";
import { locateBrokenText } from "./broken-text.ts";
import { messageJsonSchema } from "./json-schema.ts";
import type { NestedCodec } from "./nested.ts";
import { ownValues } from "./own-values.ts";

/** A protobuf message as a schema in a contract, which also makes messages. */
export interface ProtoMessage<T = unknown> extends MessageType<T> {
  /** A message with the given fields, and the default of every other one. */
  create(fields?: Partial<T>): T;
}

const origins = new WeakMap<object, { readonly definitions: Definitions; readonly typeName: string }>();

/** What a message type of this package was made from; undefined for anything else. Asked with its codec. */
export function originOf(codec: object): { readonly definitions: Definitions; readonly typeName: string } | undefined {
  return origins.get(codec);
}

/** Joins the halves of a message to what a contract takes. */
export function messageType<T>(typeName: string, definitions: Definitions, nested: NestedCodec<T>): ProtoMessage<T> {
  const codec = new ProtobufMessageCodec<T>({
    typeName,
    write(value, writer) {
      try {
        nested.write(ownValues(value), writer, 0);
      } catch (caught) {
        throw withinMessage(locateBrokenText(caught, value), typeName);
      }
    },
    read: (reader, end) => nested.read(reader, end, 0),
    fromDynamic(value) {
      try {
        // Its shape is proved field by field against the definition.
        return messageFromDynamic(definitions, typeName, value) as T;
      } catch (caught) {
        throw withinMessage(caught, typeName);
      }
    },
    toDynamic: (value) => messageToDynamic(definitions, typeName, value),
  });
  origins.set(codec, { definitions, typeName });
  return {
    typeName,
    codec,
    jsonSchema: () => messageJsonSchema(definitions, typeName),
    create(fields) {
      const message = codec.decode(new Uint8Array(0));
      if (fields === undefined) return message;
      return Object.assign(message as object, fields) as T;
    },
  };
}

/** Message types whose codecs are compiled from definitions, at their first use. */
export function compileMessageTypes(definitions: Definitions): (typeName: string) => ProtoMessage {
  const compiled = new Map<string, NestedCodec>();
  const types = new Map<string, ProtoMessage>();
  const nested = (typeName: string): NestedCodec => {
    const known = compiled.get(typeName) ?? (WELL_KNOWN_CODECS.get(typeName) as NestedCodec | undefined);
    if (known !== undefined) return known;
    const definition = definitions.messages.get(typeName);
    if (definition === undefined) throw fieldError("", `there is no message ${typeName}`);
    const context = { nested, enumOf };
    const codec = { write: compileWrite(definition, context), read: compileRead(definition, context) };
    compiled.set(typeName, codec);
    return codec;
  };
  const enumOf = (typeName: string): EnumDefinition => definitions.enums.get(typeName) ?? { typeName, values: [] };
  return (typeName) => {
    const type = types.get(typeName) ?? messageType(typeName, definitions, nested(typeName));
    types.set(typeName, type);
    return type;
  };
}

/** A field as generated code writes it down: what goes without saying is left out. */
interface TerseField extends Omit<FieldDefinition, "protoName" | "kind" | "rule"> {
  readonly protoName?: string;
  readonly kind?: FieldDefinition["kind"];
  readonly rule?: FieldDefinition["rule"];
}

/** The definitions behind generated code, for everything that is not the hot path: dynamic values and JSON schemas. */
export function definitionsOf(
  messages: readonly (readonly [typeName: string, fields: readonly TerseField[]])[],
  enums: readonly (readonly [typeName: string, values: Readonly<Record<string, number>>])[],
): Definitions {
  const full = (field: TerseField): FieldDefinition => ({
    protoName: field.name,
    kind: "scalar",
    rule: "one",
    ...field,
  });
  return {
    messages: new Map(messages.map(([typeName, fields]) => [typeName, { typeName, fields: fields.map(full) }])),
    enums: new Map(
      enums.map(([typeName, values]) => [
        typeName,
        { typeName, values: Object.entries(values).map(([name, number]) => ({ name, number })) },
      ]),
    ),
    services: new Map(),
  };
}
