import type { CommandRow } from "@rpc/db-queue";
import type { CommandSummary } from "../../contracts/values.ts";

/** In a command's metadata: who pressed the button. */
export const ISSUED_BY = "issued-by";
const MOST_CHARS = 500;

/** A row of the table, for people. `bot`: whose address it is. */
export function summaryOf(row: CommandRow, bot: string): CommandSummary {
  return {
    id: row.id,
    bot,
    method: row.method,
    args: cut(argumentsOf(row)),
    state: row.state,
    createdAt: row.createdAt,
    createdBy: issuerOf(row),
    outcome: cut(outcomeOf(row)),
    ...(row.finishedAt === undefined ? {} : { finishedAt: row.finishedAt }),
    ...(row.expiresAt === undefined ? {} : { expiresAt: row.expiresAt }),
  };
}

function argumentsOf({ args, kwargs }: CommandRow): string {
  const positional = parsed(args);
  const texts = (Array.isArray(positional) ? positional : []).map(inWords);
  return [...texts, inWords(parsed(kwargs))].filter((text) => text !== "").join(", ");
}

function outcomeOf(row: CommandRow): string {
  switch (row.state) {
    case "done":
      return inWords(parsed(row.result ?? "null")) || "done";
    case "failed":
      return failureOf(row);
    case "expired":
      return `no bot took it within ${spanOf((row.expiresAt ?? row.createdAt) - row.createdAt)}`;
    case "cancelled":
      return row.cancelReason ?? "cancelled";
    case "claimed":
      return row.cancelRequestedAt === undefined ? "runs" : "was asked to end";
    default:
      return "";
  }
}

function failureOf(row: CommandRow): string {
  const error = parsed(row.error ?? "{}");
  if (!isRecord(error)) return "failed";
  const { failure, message } = error;
  if (isRecord(failure)) return `${textOf(failure["title"])}: ${textOf(failure["text"])}`;
  return textOf(message) || "failed";
}

function issuerOf(row: CommandRow): string {
  const meta = parsed(row.meta);
  const metadata = isRecord(meta) ? meta["metadata"] : undefined;
  const by = isRecord(metadata) ? textOf(metadata[ISSUED_BY]) : "";
  return by === "" ? (row.createdBy ?? "") : by;
}

/** `branch: main, commits: 3`, for people; nothing for nothing. */
function inWords(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (!isRecord(value)) return JSON.stringify(value);
  return Object.entries(value)
    .map(([name, each]) => `${name}: ${typeof each === "string" ? each : JSON.stringify(each)}`)
    .join(", ");
}

function spanOf(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`;
  return ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function cut(text: string): string {
  return text.length <= MOST_CHARS ? text : `${text.slice(0, MOST_CHARS).toWellFormed()} …`;
}
