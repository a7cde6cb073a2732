import type { StandardSchema } from "@rpc/core";

/** Reads a value or says what is wrong with it. */
type Check<T> = (value: unknown) => { readonly value: T } | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly PropertyKey[];
}

/** A tiny validator in the shape of Standard Schema, so that the suites need no validation library. */
export function shape<T>(
  validate: Check<T> | ((value: unknown) => Promise<Awaited<ReturnType<Check<T>>>>),
): StandardSchema<T> {
  return { "~standard": { version: 1, vendor: "@rpc/testkit", validate } };
}

/** Any text. */
export const text: StandardSchema<string> = shape((value) =>
  typeof value === "string" ? { value } : issue("must be text"),
);

/** A whole number that a double keeps. */
export const whole: StandardSchema<number> = shape((value) =>
  typeof value === "number" && Number.isSafeInteger(value) ? { value } : issue("must be a whole number"),
);

/** A record with these members; others are let through. */
export function recordOf<T extends Readonly<Record<string, StandardSchema>>>(
  members: T,
): StandardSchema<{ readonly [Name in keyof T]: T[Name] extends StandardSchema<infer I> ? I : never }> {
  return shape((value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return issue("must be a record");
    const issues = Object.entries(members).flatMap(([name, member]) =>
      issuesOf(member, (value as Record<string, unknown>)[name], name),
    );
    // The members were proved one by one just above.
    return issues.length > 0 ? { issues } : { value: value as never };
  });
}

/** A list of these. */
export function listOf<T>(item: StandardSchema<T>): StandardSchema<readonly T[]> {
  return shape((value) => {
    if (!Array.isArray(value)) return issue("must be a list");
    const issues = value.flatMap((each, i) => issuesOf(item, each, i));
    return issues.length > 0 ? { issues } : { value: value as readonly T[] };
  });
}

function issue(message: string): { readonly issues: readonly Issue[] } {
  return { issues: [{ message }] };
}

function issuesOf(schema: StandardSchema, value: unknown, at: PropertyKey): Issue[] {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) throw new TypeError("a member's schema must not be asynchronous");
  return (result.issues ?? []).map(({ message, path = [] }) => ({
    message,
    path: [at, ...path.map((part) => (typeof part === "object" ? part.key : part))],
  }));
}
