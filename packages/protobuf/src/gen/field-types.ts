import type { FieldDefinition } from "../model/definitions.ts";
import { WELL_KNOWN_TYPES } from "../well-known-names.ts";

/** What the parts of the generator know of each other: the TypeScript name of a message or enum by its full name. */
export type NameOf = (typeName: string) => string;

const SCALAR_TYPES: ReadonlyMap<string, string> = new Map([
  ["bool", "boolean"],
  ["string", "string"],
  ["bytes", "Uint8Array"],
  ["int64", "bigint"],
  ["sint64", "bigint"],
  ["sfixed64", "bigint"],
  ["uint64", "bigint"],
  ["fixed64", "bigint"],
]);
const GLOBALS = new Set(["Date", "number", "bigint", "boolean", "string", "Uint8Array"]);

/** The TypeScript type of one value of a field. */
export function valueType(field: FieldDefinition, nameOf: NameOf): string {
  if (field.kind === "scalar") return SCALAR_TYPES.get(field.type) ?? "number";
  return messageTypeName(field.type, nameOf);
}

/** The TypeScript type of a message or enum by its full name. */
export function messageTypeName(typeName: string, nameOf: NameOf): string {
  const wellKnown = WELL_KNOWN_TYPES.get(typeName);
  if (wellKnown === undefined) return nameOf(typeName);
  if (wellKnown.startsWith("readonly ")) return `readonly pb.${wellKnown.slice("readonly ".length)}`;
  return GLOBALS.has(wellKnown) ? wellKnown : `pb.${wellKnown}`;
}

/** The TypeScript type of a whole field that is not in a oneof. */
export function fieldType(field: FieldDefinition, nameOf: NameOf): string {
  const single = valueType(field, nameOf);
  if (field.rule === "list") return single.startsWith("readonly ") ? `readonly (${single})[]` : `readonly ${single}[]`;
  if (field.rule === "map") {
    return field.mapKey === "string"
      ? `{ readonly [key: string]: ${single} }`
      : `ReadonlyMap<${mapKeyType(field)}, ${single}>`;
  }
  return field.rule === "optional" ? `${single} | undefined` : single;
}

/** The TypeScript type of a map's keys. */
export function mapKeyType(field: FieldDefinition): string {
  return SCALAR_TYPES.get(field.mapKey ?? "string") ?? "number";
}

/** The name of a well-known type's codec in the door for generated code; undefined for other types. */
export function wellKnownCodec(typeName: string): string | undefined {
  if (!WELL_KNOWN_TYPES.has(typeName)) return undefined;
  const short = typeName.slice("google.protobuf.".length);
  return `pb.${short.startsWith("UInt") ? `uint${short.slice(4)}` : short.charAt(0).toLowerCase() + short.slice(1)}Codec`;
}
