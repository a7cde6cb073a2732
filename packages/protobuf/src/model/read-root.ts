import { WELL_KNOWN_TYPES } from "../well-known-names.ts";
import type { Definitions, EnumDefinition, MessageDefinition, Place, ServiceDefinition } from "./definitions.ts";
import { isIdentifier } from "./names.ts";
import { protoError } from "./proto-error.ts";
import { readMessage } from "./read-message.ts";
import { readService } from "./read-service.ts";
import { typeResolver } from "./resolve-type.ts";
import {
  isReflectedEnum,
  isReflectedNamespace,
  isReflectedService,
  isReflectedType,
  type ProtobufRoot,
  type ReflectedEnum,
  type ReflectedObject,
  type ReflectedService,
  type ReflectedType,
} from "./reflection.ts";

/** Where each declared name stands, by its full name. */
export type DeclarationLines = ReadonlyMap<string, Place>;

/** Everything a Root says, checked. Throws INVALID_ARGUMENT, reason `PROTO`, with file and line where they are known. */
export function readRoot(root: ProtobufRoot, lines: DeclarationLines = new Map()): Definitions {
  const { types, enums, services } = collect(root, lines);
  const resolve = typeResolver(types, enums);
  const placeOf = (object: ReflectedObject): Place | undefined => placeIn(lines, object);
  const messageDefinitions = new Map<string, MessageDefinition>();
  for (const [typeName, type] of types) {
    if (!WELL_KNOWN_TYPES.has(typeName))
      messageDefinitions.set(typeName, readMessage(type, typeName, resolve, placeOf));
  }
  const enumDefinitions = new Map<string, EnumDefinition>();
  for (const [typeName, reflected] of enums) enumDefinitions.set(typeName, readEnum(reflected, typeName, placeOf));
  const serviceDefinitions = new Map<string, ServiceDefinition>();
  for (const [typeName, service] of services)
    serviceDefinitions.set(typeName, readService(service, typeName, resolve, placeOf));
  refuseSharedServiceIds(serviceDefinitions);
  return { messages: messageDefinitions, enums: enumDefinitions, services: serviceDefinitions };
}

interface Collected {
  readonly types: Map<string, ReflectedType>;
  readonly enums: Map<string, ReflectedEnum>;
  readonly services: Map<string, ReflectedService>;
}

function collect(root: ProtobufRoot, lines: DeclarationLines): Collected {
  const found: Collected = { types: new Map(), enums: new Map(), services: new Map() };
  const waiting: ReflectedObject[] = root.nestedArray.toReversed();
  for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
    const typeName = object.fullName.replace(/^\./, "");
    // Extensions of the descriptor's options are declarations for other readers; their names are dotted or free.
    if ("extend" in object && !isReflectedNamespace(object)) continue;
    if (!isIdentifier(object.name))
      throw protoError(placeIn(lines, object), `${JSON.stringify(object.name)} cannot be a name`);
    if (isReflectedType(object)) {
      refuseOtherSyntax(object, lines);
      found.types.set(typeName, object);
    } else if (isReflectedEnum(object)) {
      if (object.parent === root || !isReflectedType(object.parent as ReflectedObject))
        refuseOtherSyntax(object, lines);
      found.enums.set(typeName, object);
    } else if (isReflectedService(object)) found.services.set(typeName, object);
    if (isReflectedNamespace(object)) for (const nested of object.nestedArray.toReversed()) waiting.push(nested);
  }
  return found;
}

function refuseOtherSyntax(object: ReflectedType | ReflectedEnum, lines: DeclarationLines): void {
  // protobufjs leaves `edition` out for proto3, and for a nested type, whose parent has been asked already.
  const { edition } = object.toJSON();
  if (edition === undefined || edition === "proto3") return;
  const said = edition === "proto2" ? 'proto2 (or has no line `syntax = "proto3";`)' : `edition ${edition}`;
  throw protoError(placeIn(lines, object), `${object.name} is written in ${said}; only proto3 can be read`);
}

function placeIn(lines: DeclarationLines, object: ReflectedObject): Place | undefined {
  const known = lines.get(object.fullName.replace(/^\./, ""));
  if (known !== undefined) return known;
  for (let holder: object | null | undefined = object; isReflected(holder); holder = holder.parent) {
    if (typeof holder.filename === "string") return { file: holder.filename };
  }
  return undefined;
}

function isReflected(value: object | null | undefined): value is ReflectedObject {
  return value !== null && value !== undefined && "fullName" in value;
}

function readEnum(
  reflected: ReflectedEnum,
  typeName: string,
  placeOf: (object: ReflectedObject) => Place | undefined,
): EnumDefinition {
  const place = placeOf(reflected);
  const values = Object.entries(reflected.values).map(([name, number]) => {
    if (!isIdentifier(name)) throw protoError(place, `${typeName}: ${JSON.stringify(name)} cannot be a name`);
    if ((number | 0) !== number) throw protoError(place, `${typeName}.${name} must be an int32, not ${number}`);
    return { name, number, doc: reflected.comments?.[name] ?? undefined };
  });
  if (values[0]?.number !== 0) throw protoError(place, `the first value of enum ${typeName} must have number 0`);
  return { typeName, values, doc: reflected.comment ?? undefined, place };
}

function refuseSharedServiceIds(services: ReadonlyMap<string, ServiceDefinition>): void {
  const taken = new Map<number, string>();
  for (const { serviceId, typeName, place } of services.values()) {
    if (serviceId === undefined) continue;
    const other = taken.get(serviceId);
    if (other !== undefined) throw protoError(place, `${typeName} and ${other} have the same service_id ${serviceId}`);
    taken.set(serviceId, typeName);
  }
}
