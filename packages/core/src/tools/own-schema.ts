import type { StandardSchema } from "../words/standard-schema.ts";

/** A Standard Schema from a type guard: for the contracts of this package, which depends on no validator. */
export function schemaOf<T>(guard: (value: unknown) => value is T): StandardSchema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "@rpc/core",
      validate: (value) =>
        guard(value) ? { value } : { issues: [{ message: "has not the shape that the contract asks for" }] },
    },
  };
}
