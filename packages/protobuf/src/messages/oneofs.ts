import { fieldError, wrongField } from "./field-error.ts";

/** A oneof must be undefined or say which of its fields it is. */
export function checkOneof(chosen: unknown, oneof: string, cases: ReadonlySet<unknown>): void {
  if (chosen === undefined) return;
  if (typeof chosen !== "object" || chosen === null) throw wrongField(oneof, "an object with case and value", chosen);
  if ("case" in chosen && cases.has(chosen.case)) return;
  const names = Array.from(cases, (name) => JSON.stringify(name)).join(", ");
  throw fieldError(`${oneof}.case`, `must be one of ${names}`);
}
