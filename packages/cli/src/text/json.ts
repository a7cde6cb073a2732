import type { CommandRow } from "@rpc/db-queue";
import { plainJson } from "./plain.ts";
import { isoTime } from "./time.ts";

/** JSON that stands in a row: it is passed on as it is, so that no number loses a digit on the way. */
export class RowJson {
  readonly text: string;

  constructor(text: string) {
    // A foreign program may have written something else.
    this.text = isJson(text) ? text : JSON.stringify(text);
  }
}

/** An object on one line. Members that are undefined are left out. */
export function jsonObject(members: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(members).flatMap(([name, value]) => {
    const text = value instanceof RowJson ? value.text : JSON.stringify(value);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return plainJson(`{${texts.join(",")}}`);
}

/** An array with a line for each object. */
export function jsonArray(objects: readonly string[]): string {
  return objects.length === 0 ? "[]" : `[\n${objects.join(",\n")}\n]`;
}

/** All of a row, with values instead of texts, and instants in ISO 8601. */
export function commandMembers(row: CommandRow): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) members[name] = memberOf(name, value);
  return members;
}

const VALUES: ReadonlySet<string> = new Set(["args", "kwargs", "meta", "result", "error", "progress"]);

function memberOf(name: string, value: unknown): unknown {
  if (typeof value === "string" && VALUES.has(name)) return new RowJson(value);
  return typeof value === "number" && name.endsWith("At") ? isoTime(value) : value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
