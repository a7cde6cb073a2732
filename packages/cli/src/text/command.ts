import type { CommandRow, CommandState } from "@rpc/db-queue";
import type { Style } from "../output.ts";
import { plain, plainJson } from "./plain.ts";
import { shortSpan } from "./time.ts";

const STYLES: Readonly<Record<CommandState, Style | undefined>> = {
  queued: undefined,
  waiting: "cyan",
  claimed: "yellow",
  done: "green",
  failed: "red",
  expired: "magenta",
  cancelled: "dim",
};

const LONGEST = 500;

export function styleOf(state: CommandState): Style | undefined {
  return STYLES[state];
}

export function isOver(state: CommandState): boolean {
  return state !== "queued" && state !== "waiting" && state !== "claimed";
}

/** Arguments as in a call, `"main", depth=1`; empty for none. */
export function argumentsText({ args, kwargs }: CommandRow, most: number = LONGEST): string {
  const list = valueIn(args);
  const record = valueIn(kwargs);
  if (!Array.isArray(list) || !isRecord(record)) return plain(`${args} ${kwargs}`, most);
  const named = Object.entries(record).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return plain([...list.map((value) => JSON.stringify(value)), ...named].join(", "), most);
}

/** What a row's error says, `COMMAND_FAILURE: Closed: come back tomorrow`. */
export function errorText(json: string, most: number = LONGEST): string {
  const error = valueIn(json);
  if (!isRecord(error)) return plain(json, most);
  const code = textIn(error, "code") ?? "failed";
  const message =
    textIn(error, "message") ?? [textIn(error, "title"), textIn(error, "text")].filter(Boolean).join(": ");
  return plain(message === "" ? (MEANINGS.get(code) ?? code) : `${code}: ${message}`, most);
}

/** Errors that the queue itself writes have a code alone. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["EXPIRED", "EXPIRED: no agent took it in time"],
  ["LEASE_LOST", "LEASE_LOST: its agent was lost while it ran"],
  ["NO_AGENT", "NO_AGENT: no live agent was there"],
]);

/** What there is to say of a row beside its columns, the most important only. `now`: the database's clock. */
export function noteOf(row: CommandRow, now: number): string {
  switch (row.state) {
    case "queued":
      return waitingNote(row, now);
    case "waiting":
      return row.cancelRequestedAt === undefined ? "broadcast" : "broadcast, asked to end";
    case "claimed":
      return runningNote(row, now);
    case "done":
      return row.result === undefined ? "" : plainJson(row.result.slice(0, LONGEST));
    case "cancelled":
      return plain(row.cancelReason ?? "", LONGEST);
    case "failed":
    case "expired":
      return row.error === undefined ? "" : errorText(row.error);
    default:
      return row.state satisfies never;
  }
}

function waitingNote(row: CommandRow, now: number): string {
  if (row.expiresAt !== undefined && row.expiresAt <= now) return "has expired, and nobody has said so yet";
  const parts: string[] = [];
  if (row.notBeforeAt > now) parts.push(`due in ${shortSpan(row.notBeforeAt - now)}`);
  if (row.expiresAt !== undefined) parts.push(`expires in ${shortSpan(row.expiresAt - now)}`);
  if (row.targetAgent !== undefined) parts.push(`for ${plain(row.targetAgent, 100)}`);
  if (row.error !== undefined) parts.push(`last try ${errorText(row.error)}`);
  return parts.length === 0 ? argumentsText(row) : parts.join(", ");
}

function runningNote(row: CommandRow, now: number): string {
  const parts: string[] = [];
  if (row.cancelRequestedAt !== undefined) parts.push("asked to end");
  if (row.leaseUntilAt !== undefined && row.leaseUntilAt <= now) parts.push("its lease is over");
  if (row.progress !== undefined) parts.push(`progress ${plainJson(row.progress.slice(0, LONGEST))}`);
  return parts.join(", ");
}

/** Undefined for what is no JSON. */
export function valueIn(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textIn(record: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  return typeof value === "string" ? value : undefined;
}
