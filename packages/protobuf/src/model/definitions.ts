/**
 * What a `.proto` says, free of any parser: the table that codecs, generator, JSON schema and `contractToProto` share.
 * Glossary: a *definition* describes a message, enum or service; `name` is the word in TypeScript, `protoName` the one in the
 * `.proto`; `typeName` is the full name with its package, such as `buildbot.BuildOrder.Step`.
 */
export interface Definitions {
  readonly messages: ReadonlyMap<string, MessageDefinition>;
  readonly enums: ReadonlyMap<string, EnumDefinition>;
  readonly services: ReadonlyMap<string, ServiceDefinition>;
}

/** One message and its fields, in ascending order of their numbers: that is also the order on the wire. */
export interface MessageDefinition {
  readonly typeName: string;
  readonly fields: readonly FieldDefinition[];
  readonly doc?: string | undefined;
  readonly place?: Place | undefined;
}

/** One field. */
export interface FieldDefinition {
  readonly name: string;
  readonly protoName: string;
  readonly number: number;
  /** Whether `type` is a scalar's word or the full name of an enum or message. */
  readonly kind: "scalar" | "enum" | "message";
  readonly type: string;
  /** `one` has a default instead of an absence; `optional` may be absent. */
  readonly rule: "one" | "optional" | "list" | "map";
  readonly mapKey?: MapKey | undefined;
  /** The oneof that it belongs to, by its TypeScript name. Its rule is then `one`. */
  readonly oneof?: string | undefined;
  /** False where a list of numbers travels one tag each; every other list of numbers is packed. */
  readonly packed?: boolean | undefined;
  readonly doc?: string | undefined;
}

/** One enum: its words and numbers, the first with number 0. */
export interface EnumDefinition {
  readonly typeName: string;
  readonly values: readonly EnumValueDefinition[];
  readonly doc?: string | undefined;
  readonly place?: Place | undefined;
}

interface EnumValueDefinition {
  readonly name: string;
  readonly number: number;
  readonly doc?: string | undefined;
}

/** One service: a contract. */
export interface ServiceDefinition {
  readonly typeName: string;
  readonly methods: readonly RpcDefinition[];
  readonly serviceId?: number | undefined;
  readonly doc?: string | undefined;
  readonly place?: Place | undefined;
}

/** One method of a service, with what its options say. */
export interface RpcDefinition {
  /** Name in the contract and on the wire: the rpc's name with a small first letter. */
  readonly name: string;
  readonly kind: RpcKind;
  /** Full names of messages. */
  readonly input: string;
  readonly output: string;
  readonly progress?: string | undefined;
  /** Reason → full name of the details' message, or undefined for an error without details. */
  readonly errors: ReadonlyMap<string, string | undefined>;
  readonly idempotent: boolean;
  readonly timeoutMs?: number | undefined;
  readonly maxAttempts?: number | undefined;
  readonly methodId?: number | undefined;
  readonly doc?: string | undefined;
}

export type RpcKind = "unary" | "serverStream" | "clientStream" | "bidiStream" | "notification" | "event" | "job";

/** Where something stands, for error messages. */
export interface Place {
  readonly file: string;
  readonly line?: number | undefined;
}

/** The scalar types of protobuf, with the wire type of their values. */
export const SCALAR_WIRE_TYPES = {
  int32: 0,
  int64: 0,
  uint32: 0,
  uint64: 0,
  sint32: 0,
  sint64: 0,
  bool: 0,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
  string: 2,
  bytes: 2,
  fixed32: 5,
  sfixed32: 5,
  float: 5,
} as const;

/** A scalar type of protobuf. */
export type Scalar = keyof typeof SCALAR_WIRE_TYPES;

const MAP_KEYS = [
  "int32",
  "int64",
  "uint32",
  "uint64",
  "sint32",
  "sint64",
  "bool",
  "fixed32",
  "sfixed32",
  "fixed64",
  "sfixed64",
  "string",
] as const;

/** A scalar that may be the key of a map. */
export type MapKey = (typeof MAP_KEYS)[number];

/** Whether a type's word is a scalar. */
export function isScalar(type: string): type is Scalar {
  return Object.hasOwn(SCALAR_WIRE_TYPES, type);
}

/** Whether a type's word may be the key of a map. */
export function isMapKey(type: string): type is MapKey {
  return (MAP_KEYS as readonly string[]).includes(type);
}

/** The wire type of a field's single value. */
export function wireTypeOf(kind: FieldDefinition["kind"], type: string): number {
  if (kind === "enum") return 0;
  return kind === "scalar" && isScalar(type) ? SCALAR_WIRE_TYPES[type] : 2;
}

/** Whether a list of this field travels in one length-delimited block. */
export function isPacked(field: FieldDefinition): boolean {
  return field.packed !== false && wireTypeOf(field.kind, field.type) !== 2;
}
