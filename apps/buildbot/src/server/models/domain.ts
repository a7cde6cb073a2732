import { ValidationError } from "@rpc/xmlrpc";
import { type RawBuilder, sql } from "kysely";
import { fieldOf, type Kind, type Model, shown } from "./model.ts";

const MOST_TERMS = 100;
const MOST_VALUES = 1000;

const COMPARISONS: Readonly<Record<string, RawBuilder<unknown>>> = {
  "=": sql`=`,
  "!=": sql`<>`,
  "<>": sql`<>`,
  "<": sql`<`,
  "<=": sql`<=`,
  ">": sql`>`,
  ">=": sql`>=`,
};

type Condition = RawBuilder<boolean>;

/**
 * A condition of a domain: `[["state", "=", "pending"], "|", ["builder", "=", "a"], ["builder", "ilike", "b"]]`. Operators `&`, `|` and `!` stand before
 * their operands, and terms that no operator joins must all hold. Throws ValidationError. Values go to the database as parameters.
 */
export function conditionOf(model: Model, domain: readonly unknown[]): Condition {
  if (domain.length > MOST_TERMS)
    throw new ValidationError(`a domain has at most ${MOST_TERMS} terms, not ${domain.length}`);
  const operands: Condition[] = [];
  // From its end on, every operator finds its operands ready.
  for (const term of domain.toReversed()) {
    if (Array.isArray(term)) operands.push(termOf(model, term));
    else operands.push(joined(term, operands));
  }
  return operands.reduceRight<Condition>((all, one) => sql<boolean>`${all} and ${one}`, sql<boolean>`1 = 1`);
}

function joined(operator: unknown, operands: Condition[]): Condition {
  const wanted = operator === "!" ? 1 : 2;
  if (operator !== "!" && operator !== "&" && operator !== "|") {
    throw new ValidationError(`${shown(operator)} is no term of a domain: say ["field", "=", value], "&", "|" or "!"`);
  }
  const one = operands.pop();
  const other = wanted === 2 ? operands.pop() : one;
  if (one === undefined || other === undefined) {
    throw new ValidationError(`"${operator}" in a domain wants ${wanted} term${wanted === 1 ? "" : "s"} behind it`);
  }
  // What is unknown is not what was asked for, nor is its opposite anything else than that.
  if (operator === "!") return sql<boolean>`(not coalesce(${one}, false))`;
  return operator === "&" ? sql<boolean>`(${one} and ${other})` : sql<boolean>`(${one} or ${other})`;
}

function termOf(model: Model, term: readonly unknown[]): Condition {
  const [word, operator, value] = term;
  if (term.length !== 3) throw new ValidationError(`${shown(term)} is no term of a domain: say ["field", "=", value]`);
  const { name, kind } = fieldOf(model, word);
  if (kind === "json") throw new ValidationError(`${model.name} cannot be searched by ${name}`);
  const column = sql.ref(`m.${name}`);
  if (operator === "in" || operator === "not in") {
    if (!Array.isArray(value) || value.length > MOST_VALUES) {
      throw new ValidationError(`"${operator}" wants a list of at most ${MOST_VALUES} values, not ${shown(value)}`);
    }
    const values = value.map((each: unknown) => sql`${valueOf(name, kind, each)}`);
    const isIn =
      values.length === 0 ? sql<boolean>`1 = 0` : sql<boolean>`coalesce(${column} in (${sql.join(values)}), false)`;
    return operator === "in" ? isIn : sql<boolean>`not (${isIn})`;
  }
  if (typeof operator === "string" && LIKES.has(operator)) return likeOf(name, kind, operator, value);
  const comparison =
    typeof operator === "string" && Object.hasOwn(COMPARISONS, operator) ? COMPARISONS[operator] : undefined;
  if (comparison === undefined) throw new ValidationError(`${shown(operator)} is no operator of a domain`);
  const isAbsent = value === null || (value === false && kind !== "boolean");
  if (isAbsent) {
    if (operator === "=") return sql<boolean>`${column} is null`;
    if (operator === "!=" || operator === "<>") return sql<boolean>`${column} is not null`;
    throw new ValidationError(`"${String(operator)}" cannot compare ${name} with nothing`);
  }
  const isOther = operator === "!=" || operator === "<>";
  const compared = sql<boolean>`${column} ${comparison} ${valueOf(name, kind, value)}`;
  return isOther ? sql<boolean>`(${column} is null or ${compared})` : compared;
}

const LIKES = new Set(["like", "ilike", "not like", "not ilike", "=like", "=ilike"]);

/** Letter case aside, with `i` or without: databases differ there. Without `=` the text may stand anywhere, and its `%` and `_` are themselves. */
function likeOf(name: string, kind: Kind, operator: string, value: unknown): Condition {
  if (kind !== "text" || typeof value !== "string") {
    throw new ValidationError(`"${operator}" compares texts, and not ${name} with ${shown(value)}`);
  }
  const pattern = operator.startsWith("=") ? value : `%${value.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const column = sql.ref(`m.${name}`);
  const fits = sql<boolean>`coalesce(lower(${column}) like lower(${pattern}) escape '\\', false)`;
  return operator.startsWith("not") ? sql<boolean>`not (${fits})` : fits;
}

function valueOf(name: string, kind: Kind, value: unknown): number | string {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (kind === "text" && typeof value === "string" && !value.includes("\0")) return value;
  if (kind === "boolean" && (typeof value === "boolean" || number === 0 || number === 1))
    return number === true || number === 1 ? 1 : 0;
  if (kind === "integer" && Number.isSafeInteger(number)) return Number(number);
  if (kind === "number" && typeof number === "number" && Number.isFinite(number)) return number;
  if (kind === "datetime") {
    const at = instantOf(value);
    if (at !== undefined) return at;
  }
  throw new ValidationError(`${name} is of kind ${kind}: it cannot be compared with ${shown(value)}`);
}

/** `2026-03-01 12:00:00` is in UTC. */
function instantOf(value: unknown): number | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.getTime();
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?$/.test(value)) return undefined;
  const at = Date.parse(value.includes(" ") ? `${value.replace(" ", "T")}Z` : value);
  return Number.isNaN(at) ? undefined : at;
}
