import type { LogLevel, LogLine } from "@rpc/core";
import { dynamicCodec, type MethodDescriptor } from "@rpc/core/transport";
import type { JsonText, NewEvent } from "../store/store-words.ts";
import {
  isRecord,
  type Json,
  jsonText,
  memberOf,
  parsedJson,
  textIn,
  valueOfJson,
  wellFormedText,
} from "./json-text.ts";

const PROGRESS = "progress";
const LOG = "log";
const LEVELS: ReadonlySet<string> = new Set<LogLevel>([
  "trace",
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
]);

/** A command's event: how far its handler is, a line that it logs, or a kind of the agent's own. */
export type CommandEvent = {
  /** From 1, without a gap. */
  readonly seq: number;
  /** The database's clock, milliseconds since 1970. */
  readonly at: number;
} & (
  | { readonly kind: "progress"; readonly value: unknown }
  | { readonly kind: "log"; readonly line: LogLine }
  | { readonly kind: "other"; readonly name: string; readonly value: unknown }
);

/** Throws INVALID_ARGUMENT for a value that cannot travel. */
export function progressEvent(method: MethodDescriptor, value: unknown): NewEvent {
  return { kind: PROGRESS, data: jsonText(method.progress.codec, value) ?? "null" };
}

export function logEvent({ level, message, fields }: LogLine): NewEvent {
  const said: Record<string, unknown> = { level, message: wellFormedText(message) };
  const names = Object.entries(fields);
  if (names.length > 0) {
    const record = Object.create(null) as Record<string, string>;
    for (const [name, value] of names) record[name.toWellFormed()] = wellFormedText(value);
    said["fields"] = record;
  }
  return { kind: LOG, data: JSON.stringify(said) };
}

/** Without the method, progress is any value. Throws INVALID_ARGUMENT for an event that cannot be read. */
export function readEvent(
  row: { readonly seq: number; readonly at: number; readonly kind: string; readonly data: JsonText },
  method?: MethodDescriptor,
): CommandEvent {
  const { seq, at } = row;
  const json = parsedJson(row.data, "an event's data");
  if (row.kind === PROGRESS) {
    return { seq, at, kind: "progress", value: valueOfJson(method?.progress.codec ?? dynamicCodec, json) };
  }
  if (row.kind !== LOG) return { seq, at, kind: "other", name: row.kind, value: valueOfJson(dynamicCodec, json) };
  // A foreign agent may log a bare text.
  const line: Json = isRecord(json) ? json : { message: typeof json === "string" ? json : JSON.stringify(json) };
  const level = textIn(line, "level") ?? "info";
  return {
    seq,
    at,
    kind: "log",
    line: {
      level: LEVELS.has(level) ? (level as LogLevel) : "info",
      message: textIn(line, "message") ?? "",
      fields: fieldsOf(memberOf(line, "fields")),
    },
  };
}

function fieldsOf(json: unknown): Readonly<Record<string, string>> {
  const fields = Object.create(null) as Record<string, string>;
  if (!isRecord(json)) return fields;
  for (const [name, value] of Object.entries(json)) if (typeof value === "string") fields[name] = value;
  return fields;
}
