import {
  type FieldDefinition,
  isMapKey,
  isScalar,
  type MessageDefinition,
  type Place,
  wireTypeOf,
} from "./definitions.ts";
import { propertyName, isIdentifier } from "./names.ts";
import { protoError } from "./proto-error.ts";
import type { ReflectedField, ReflectedObject, ReflectedOneOf, ReflectedType } from "./reflection.ts";
import type { ResolveType } from "./resolve-type.ts";

type PlaceOf = (object: ReflectedObject) => Place | undefined;

/** One message, checked: names, numbers and types of its fields. */
export function readMessage(
  type: ReflectedType,
  typeName: string,
  resolve: ResolveType,
  placeOf: PlaceOf,
): MessageDefinition {
  const fields = type.fieldsArray.map((field) => readField(field, typeName, resolve, placeOf));
  refuseSharedNames(type, fields, typeName, placeOf);
  return {
    typeName,
    fields: fields.sort((a, b) => a.number - b.number),
    doc: type.comment ?? undefined,
    place: placeOf(type),
  };
}

function readField(field: ReflectedField, typeName: string, resolve: ResolveType, placeOf: PlaceOf): FieldDefinition {
  const place = placeOf(field);
  const where = `${typeName}.${field.name}`;
  if (!isIdentifier(field.name))
    throw protoError(place, `${typeName}: ${JSON.stringify(field.name)} cannot be the name of a field`);
  checkNumber(field.id, where, place);
  if (field.rule === "required")
    throw protoError(place, `${where} is required, which is proto2; only proto3 can be read`);
  const resolved = isScalar(field.type)
    ? { kind: "scalar" as const, typeName: field.type }
    : resolve(field.type, typeName);
  if (resolved === undefined)
    throw protoError(place, `${where}: there is no message or enum ${JSON.stringify(field.type)}`);
  const oneof = realOneof(field);
  const definition: FieldDefinition = {
    name: propertyName(field.name),
    protoName: field.name,
    number: field.id,
    kind: resolved.kind,
    type: resolved.typeName,
    rule: ruleOf(field, resolved.kind, oneof),
    oneof: oneof === undefined ? undefined : propertyName(oneof.name),
    doc: field.comment ?? undefined,
  };
  if (field.keyType !== undefined) {
    if (!isMapKey(field.keyType))
      throw protoError(place, `${where}: ${JSON.stringify(field.keyType)} cannot be the key of a map`);
    return { ...definition, mapKey: field.keyType };
  }
  const unpacked = field.options?.["packed"] === false && wireTypeOf(definition.kind, definition.type) !== 2;
  return unpacked ? { ...definition, packed: false } : definition;
}

function ruleOf(
  field: ReflectedField,
  kind: FieldDefinition["kind"],
  oneof: ReflectedOneOf | undefined,
): FieldDefinition["rule"] {
  if (field.keyType !== undefined) return "map";
  if (field.rule === "repeated") return "list";
  if (oneof !== undefined) return "one";
  return kind === "message" || field.options?.["proto3_optional"] === true ? "optional" : "one";
}

// `optional int32 n` is a oneof of one field to older readers; protobufjs shows it as such.
function realOneof(field: ReflectedField): ReflectedOneOf | undefined {
  return field.options?.["proto3_optional"] === true ? undefined : (field.partOf ?? undefined);
}

function checkNumber(number: number, where: string, place: Place | undefined): void {
  if (!Number.isInteger(number) || number < 1 || number > 536_870_911) {
    throw protoError(place, `${where}: a field's number must be from 1 to 536870911, not ${number}`);
  }
  if (number >= 19_000 && number <= 19_999)
    throw protoError(place, `${where}: numbers 19000 to 19999 belong to protobuf itself`);
}

/** Two fields that are one property, or one number, in TypeScript. A oneof's fields live in its `case`. */
function refuseSharedNames(
  type: ReflectedType,
  fields: readonly FieldDefinition[],
  typeName: string,
  placeOf: PlaceOf,
): void {
  const properties = new Map<string, string>();
  const numbers = new Map<number, string>();
  const cases = new Set<string>();
  const claim = (property: string, owner: string, holder: ReflectedObject): void => {
    const other = properties.get(property);
    if (other !== undefined)
      throw protoError(placeOf(holder), `${typeName}: ${other} and ${owner} are both ${property} in TypeScript`);
    properties.set(property, owner);
  };
  for (const [index, field] of fields.entries()) {
    const holder = type.fieldsArray[index] ?? type;
    const twin = numbers.get(field.number);
    if (twin !== undefined)
      throw protoError(
        placeOf(holder),
        `${typeName}: ${twin} and ${field.protoName} have the same number ${field.number}`,
      );
    numbers.set(field.number, field.protoName);
    // Dynamic values name a oneof's fields flat, so all field names of a message must differ, whatever oneof they are in.
    if (cases.has(field.name))
      throw protoError(placeOf(holder), `${typeName}: two fields are ${field.name} in TypeScript`);
    cases.add(field.name);
    if (field.oneof === undefined) claim(field.name, field.protoName, holder);
  }
  for (const oneof of type.oneofsArray) {
    if (!isIdentifier(oneof.name))
      throw protoError(placeOf(oneof), `${typeName}: ${JSON.stringify(oneof.name)} cannot be the name of a oneof`);
    if (fields.some((field) => field.oneof === propertyName(oneof.name)))
      claim(propertyName(oneof.name), oneof.name, oneof);
  }
}
