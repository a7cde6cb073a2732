import type { $ZodType } from "zod/v4/core";
import { z } from "zod";
import type { Path } from "./problems.ts";

/** A word that is in no schema would be dropped without a sound: mostly it is a misspelt one. */
export function* unknownKeys(
  schema: $ZodType,
  value: unknown,
  path: Path = [],
): Generator<{ path: Path; why: string }> {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    yield* unknownKeys(schema.unwrap(), value, path);
  } else if (schema instanceof z.ZodArray) {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) yield* unknownKeys(schema.element, item, [...path, index]);
  } else if (!isRecord(value)) {
    return;
  } else if (schema instanceof z.ZodRecord) {
    for (const [key, item] of Object.entries(value)) {
      // A record leaves it out, whatever stands there.
      if (key === "__proto__") yield { path: [...path, key], why: "this cannot be a name" };
      else yield* unknownKeys(schema.valueType, item, [...path, key]);
    }
  } else if (schema instanceof z.ZodDiscriminatedUnion) {
    const { kind } = value;
    for (const option of schema.options) {
      if (option instanceof z.ZodObject && z.safeParse(option.shape["kind"] as $ZodType, kind).success) {
        yield* unknownKeys(option, value, path);
      }
    }
  } else if (schema instanceof z.ZodObject) {
    const known = Object.keys(schema.shape);
    for (const [key, item] of Object.entries(value)) {
      if (known.includes(key)) yield* unknownKeys(schema.shape[key] as $ZodType, item, [...path, key]);
      else yield { path: [...path, key], why: `unknown word; there are ${known.join(", ")}` };
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
