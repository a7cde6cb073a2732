import { ValidationError } from "@rpc/xmlrpc";
import { type RawBuilder, type SelectQueryBuilder, sql } from "kysely";
import { RESULTS } from "../../contracts/values.ts";
import type { Db } from "../store/index.ts";

/** `json` is shown as what it holds, and cannot be searched. */
export type Kind = "integer" | "number" | "text" | "boolean" | "datetime" | "json";

/** What a script sees of a table: names of its own, and what each is taken from. */
export interface Model {
  readonly name: string;
  readonly fields: Readonly<Record<string, { readonly kind: Kind; readonly from: string | RawBuilder<unknown> }>>;
  /** The table with what is joined to it. */
  readonly from: (db: Db) => AnyQuery;
}

/** The columns are told by the model at run time. */
export type AnyQuery = SelectQueryBuilder<Record<string, Record<string, unknown>>, string, Record<string, unknown>>;

/** The numbers are Buildbot's. */
export function resultsNumber(column: string): RawBuilder<unknown> {
  const cases = RESULTS.map((name, at) => sql`when ${sql.lit(name)} then ${sql.lit(at)}`);
  return sql`case ${sql.ref(column)} ${sql.join(cases, sql` `)} end`;
}

/** Throws ValidationError: what a caller names is compared with the model's names, and never written into SQL as it came. */
export function fieldOf(model: Model, name: unknown): { readonly name: string; readonly kind: Kind } {
  if (typeof name === "string" && Object.hasOwn(model.fields, name)) {
    const field = model.fields[name];
    if (field !== undefined) return { name, kind: field.kind };
  }
  const known = Object.keys(model.fields).join(", ");
  throw new ValidationError(`${model.name} has no field ${shown(name)}; it has ${known}`);
}

/** As rows `m` with the model's own names. */
export function rowsOf(db: Db, model: Model): AnyQuery {
  const columns = Object.entries(model.fields).map(([name, { from }]) =>
    (typeof from === "string" ? sql.ref(from) : from).as(name),
  );
  const inner = model.from(db).select(columns).as("m");
  return db.selectFrom(inner);
}

/** What is not there is `false`, as models have it. */
export function told(kind: Kind, value: unknown): unknown {
  if (value === null || value === undefined) return false;
  switch (kind) {
    case "boolean":
      return value === 1 || value === true;
    case "datetime":
      return new Date(Number(value));
    case "json":
      return JSON.parse(value as string) as unknown;
    default:
      return value;
  }
}

/** `name desc, id`. */
export function orderOf(model: Model, order: string): { readonly name: string; readonly direction: "asc" | "desc" }[] {
  return order
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const { word, direction = "asc" } = /^(?<word>\S+)(?:\s+(?<direction>asc|desc))?$/i.exec(part)?.groups ?? {};
      if (word === undefined) throw new ValidationError(`${shown(part)} is no order; say "number desc, id"`);
      const { name, kind } = fieldOf(model, word);
      if (kind === "json") throw new ValidationError(`${model.name} cannot be ordered by ${name}`);
      return { name, direction: direction.toLowerCase() === "desc" ? ("desc" as const) : ("asc" as const) };
    });
}

export function shown(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100).toWellFormed()}…` : text;
}
