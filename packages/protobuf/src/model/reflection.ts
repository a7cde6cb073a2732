/**
 * The part of protobufjs' reflection that this package reads, as shapes: so the main door neither loads protobufjs
 * nor drags its declarations along, and a Root made by any copy of it will do.
 */
export interface ProtobufRoot extends ReflectedObject {
  readonly nestedArray: readonly ReflectedObject[];
  /** Not called; a method is what tells a Root from the JSON of one. */
  addJSON(json: Record<string, never>): unknown;
}

export interface ReflectedObject {
  readonly name: string;
  readonly fullName: string;
  readonly comment?: string | null;
  readonly filename?: string | null;
  readonly parent?: object | null;
  readonly options?: { readonly [name: string]: unknown } | undefined;
}

export interface ReflectedNamespace extends ReflectedObject {
  readonly nestedArray: readonly ReflectedObject[];
}

export interface ReflectedType extends ReflectedNamespace {
  readonly fieldsArray: readonly ReflectedField[];
  readonly oneofsArray: readonly ReflectedOneOf[];
  toJSON(): { readonly edition?: string };
}

export interface ReflectedField extends ReflectedObject {
  readonly id: number;
  readonly type: string;
  readonly rule?: string | undefined;
  readonly keyType?: string | undefined;
  readonly partOf?: ReflectedOneOf | null;
}

export interface ReflectedOneOf extends ReflectedObject {
  readonly oneof: readonly string[];
}

export interface ReflectedEnum extends ReflectedObject {
  readonly values: { readonly [name: string]: number };
  readonly comments?: { readonly [name: string]: string | null } | null;
  toJSON(): { readonly edition?: string };
}

export interface ReflectedService extends ReflectedNamespace {
  readonly methodsArray: readonly ReflectedMethod[];
}

export interface ReflectedMethod extends ReflectedObject {
  readonly requestType: string;
  readonly responseType: string;
  readonly requestStream?: boolean | undefined;
  readonly responseStream?: boolean | undefined;
  readonly parsedOptions?: unknown;
}

export function isReflectedType(value: ReflectedObject): value is ReflectedType {
  return "fieldsArray" in value && "oneofsArray" in value;
}

export function isReflectedEnum(value: ReflectedObject): value is ReflectedEnum {
  return "values" in value && "valuesById" in value;
}

export function isReflectedService(value: ReflectedObject): value is ReflectedService {
  return "methodsArray" in value;
}

export function isReflectedNamespace(value: ReflectedObject): value is ReflectedNamespace {
  return "nestedArray" in value;
}
