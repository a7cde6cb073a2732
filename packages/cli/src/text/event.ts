import { isRecord, textIn, valueIn } from "./command.ts";
import { plain, plainJson } from "./plain.ts";

/** An event's row, as the store gives it. */
interface EventRow {
  readonly kind: string;
  readonly data: string;
}

const LONGEST = 2000;
const LONGEST_KIND = 40;

export interface EventText {
  /** `log`, `progress`, or the agent's own word. */
  readonly kind: string;
  /** Of a log line; empty for others. */
  readonly level: string;
  readonly text: string;
}

/** A part of a value that was too large for its row: nobody is shown it (docs/wire/db-queue.md, "Results"). */
export function isPart({ kind }: EventRow): boolean {
  return kind === "$part";
}

/** An event as people read it. A foreign agent may have written anything. */
export function eventText({ kind, data }: EventRow): EventText {
  const name = plain(kind, LONGEST_KIND);
  if (kind !== "log") return { kind: name, level: "", text: plainJson(shortened(data)) };
  const line = valueIn(data);
  if (!isRecord(line))
    return { kind: name, level: "info", text: plain(typeof line === "string" ? line : data, LONGEST) };
  const level = plain(textIn(line, "level") ?? "info", LONGEST_KIND);
  const { fields } = line;
  const said = isRecord(fields) ? Object.entries(fields).map(([field, value]) => `${field}=${String(value)}`) : [];
  return { kind: name, level, text: plain([textIn(line, "message") ?? "", ...said].join(" "), LONGEST) };
}

function shortened(json: string): string {
  return json.length > LONGEST ? `${json.slice(0, LONGEST).toWellFormed()}…` : json;
}
