import type { StandardSchema } from "@rpc/core";

/**
 * Shapes of what the service takes and gives, as Standard Schemas: this package depends on no validator. Each says its JSON schema, by which
 * XML-RPC names positional arguments and tells numbers apart.
 */
export interface Shape<T> extends StandardSchema<T> {
  /** Gives the value, checked and copied. Throws {@link Misfit}. */
  read(value: unknown): T;
  readonly jsonSchema: JsonSchema;
  /** May be left out of a record. */
  readonly isOptional: boolean;
}

type JsonSchema = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

/** Why a value has not the shape, and where in it. */
class Misfit extends Error {
  readonly path: Path;

  constructor(message: string, path: Path = []) {
    super(message);
    this.path = path;
  }
}

function shape<T>(jsonSchema: JsonSchema, read: (value: unknown) => T, isOptional = false): Shape<T> {
  const validate = (value: unknown): Validated<T> => {
    try {
      return { value: read(value) };
    } catch (thrown) {
      if (thrown instanceof Misfit) return { issues: [{ message: thrown.message, path: thrown.path }] };
      throw thrown;
    }
  };
  const said = (): JsonSchema => jsonSchema;
  // Standard JSON Schema, the sibling of Standard Schema, whose type does not have it.
  const standard = {
    version: 1 as const,
    vendor: "@rpc/db-queue",
    validate,
    jsonSchema: { input: said, output: said },
  };
  return { read, jsonSchema, isOptional, "~standard": standard };
}

type Validated<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path: Path }[] };

function within<T>(step: string | number, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof Misfit) throw new Misfit(thrown.message, [step, ...thrown.path]);
    throw thrown;
  }
}

/** Anything that can travel. */
export const anything: Shape<unknown> = shape({}, (value) => value);

/** May be missing. Null means the same: foreign languages have nothing else to leave out an argument in the middle with. */
export function optional<T>(inner: Shape<T>): Shape<T | undefined> {
  const read = (value: unknown): T | undefined =>
    value === undefined || value === null ? undefined : inner.read(value);
  return shape(inner.jsonSchema, read, true);
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  const read = (value: unknown): T | null => (value === undefined || value === null ? null : inner.read(value));
  return shape({ anyOf: [inner.jsonSchema, { type: "null" }] }, read);
}

export function text(maxLength: number = Number.POSITIVE_INFINITY): Shape<string> {
  return shape({ type: "string" }, (value) => {
    if (typeof value !== "string") throw new Misfit(`must be text, got ${kindOf(value)}`);
    if (value.length > maxLength)
      throw new Misfit(`must be no longer than ${maxLength} characters, got ${value.length}`);
    return value;
  });
}

export function mapped<T>(inner: Shape<T>, map: (value: T) => T): Shape<T> {
  return shape(inner.jsonSchema, (value) => map(inner.read(value)));
}

export function oneOf<const T extends string>(...words: readonly T[]): Shape<T> {
  return shape({ type: "string", enum: words }, (value) => {
    const word = words.find((each) => each === value);
    if (word === undefined) throw new Misfit(`must be one of ${words.join(", ")}`);
    return word;
  });
}

export const yesNo: Shape<boolean> = shape({ type: "boolean" }, (value) => {
  if (typeof value !== "boolean") throw new Misfit(`must be true or false, got ${kindOf(value)}`);
  return value;
});

export function whole(least: number = Number.MIN_SAFE_INTEGER, most: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return shape({ type: "integer" }, (value) => {
    const given = typeof value === "bigint" ? Number(value) : value;
    if (typeof given === "number" && Number.isSafeInteger(given) && given >= least && given <= most) return given;
    throw new Misfit(`must be a whole number from ${least} to ${most}`);
  });
}

/** Any number; whether it makes sense is for somebody else to say. */
export const number: Shape<number> = shape({ type: "number" }, (value) => {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return value;
  throw new Misfit(`must be a number, got ${kindOf(value)}`);
});

/** A duration, or an instant, in milliseconds; databases know parts of them. */
export function milliseconds(least: number = 0): Shape<number> {
  return shape({ type: "number" }, (value) => {
    const given = typeof value === "bigint" ? Number(value) : value;
    if (typeof given === "number" && Number.isFinite(given) && given >= least) return given;
    throw new Misfit(`must be milliseconds of at least ${least}`);
  });
}

export function list<T>(item: Shape<T>, maxLength: number = 1000): Shape<readonly T[]> {
  return shape({ type: "array", items: item.jsonSchema }, (value) => {
    if (!Array.isArray(value)) throw new Misfit(`must be a list, got ${kindOf(value)}`);
    if (value.length > maxLength) throw new Misfit(`must have no more than ${maxLength} items, got ${value.length}`);
    return value.map((each: unknown, index) => within(index, () => item.read(each)));
  });
}

/** A record with any members. */
export const struct: Shape<Readonly<Record<string, unknown>>> = shape(
  { type: "object", additionalProperties: true },
  (value) => {
    if (isStruct(value)) return value;
    throw new Misfit(`must be a record, got ${kindOf(value)}`);
  },
);

type Fields<T> = { readonly [Name in keyof T]-?: Shape<T[Name]> | Shape<Exclude<T[Name], undefined>> };

/** A record of these fields, in the order of positional arguments. One that nobody knows is refused: a typing error must not drop an option. */
export function record<T extends object>(fields: Fields<T>): Shape<T> {
  return recordOf(fields, (name) => {
    throw new Misfit(`there is no such member; there are ${Object.keys(fields).join(", ")}`, [name]);
  });
}

/** The same of what may be newer than this end, and say more. */
export function loose<T extends object>(fields: Fields<T>): Shape<T> {
  return recordOf(fields, () => undefined);
}

function recordOf<T extends object>(fields: Fields<T>, onUnknown: (name: string) => void): Shape<T> {
  const entries = Object.entries<Shape<unknown>>(fields as Readonly<Record<string, Shape<unknown>>>);
  const names = new Set(Object.keys(fields));
  const jsonSchema = {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, field]) => [name, field.jsonSchema])),
    required: entries.flatMap(([name, field]) => (field.isOptional || field === anything ? [] : [name])),
    additionalProperties: false,
  };
  return shape(jsonSchema, (value) => {
    if (!isStruct(value)) throw new Misfit(`must be a record, got ${kindOf(value)}`);
    for (const name of Object.keys(value)) if (!names.has(name) && value[name] !== undefined) onUnknown(name);
    const made: Record<string, unknown> = {};
    for (const [name, field] of entries) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined;
      made[name] = within(name, () => field.read(member));
    }
    // The border between names and types: `fields` has a shape for each member of T.
    return made as T;
  });
}

/** The first shape that fits. */
export function either<A, B>(first: Shape<A>, second: Shape<B>): Shape<A | B> {
  return shape<A | B>({ anyOf: [first.jsonSchema, second.jsonSchema] }, (value) => {
    try {
      return first.read(value);
    } catch {
      return second.read(value);
    }
  });
}

function isStruct(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
