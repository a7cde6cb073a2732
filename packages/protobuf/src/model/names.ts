/** An identifier as protobuf defines it; nothing else becomes a name in code. */
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_NAME_LENGTH = 512;

/** Whether a text is a usable name of one message, field, method or enum value. */
export function isIdentifier(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && IDENTIFIER.test(name) && name !== "__proto__";
}

/**
 * The TypeScript name of a field or oneof: `build_number` becomes `buildNumber`, as protoc's own JSON names. A name that every object
 * inherits, such as `constructor`, gets a `_` at its end: absent, it would be found on the prototype.
 */
export function propertyName(name: string): string {
  const property = camelCase(name);
  return property in Object.prototype || property === "toJSON" ? `${property}_` : property;
}

/** `build_number` becomes `buildNumber`. */
function camelCase(name: string): string {
  const joined = name.replaceAll(/_+([A-Za-z0-9]?)/g, (_, next: string) => next.toUpperCase());
  // A field called "_1" would begin with a digit; one called "_" would be empty.
  if (!/^[A-Za-z]/.test(joined)) return name;
  return name.startsWith("_") ? joined.charAt(0).toLowerCase() + joined.slice(1) : joined;
}

/** The name of a method in a contract: the rpc's name with a small first letter. */
export function methodName(rpc: string): string {
  return rpc.charAt(0).toLowerCase() + rpc.slice(1);
}

/** `BuildOrder` and `buildOrder` become `build_order`. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();
}

/** `build_order` and `buildOrder` become `BuildOrder`. */
export function pascalCase(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

const RESERVED_METHOD_NAMES: ReadonlySet<string> = new Set([
  "then",
  "catch",
  "finally",
  "constructor",
  "prototype",
  "toJSON",
]);

/** What core refuses as a method's name: names that every object has, or that make an object a promise. */
export function isReservedMethodName(name: string): boolean {
  return RESERVED_METHOD_NAMES.has(name) || name in Object.prototype || !/^[A-Za-z]/.test(name);
}
