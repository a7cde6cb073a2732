// From rows to what the contracts say, and back.
import { type ExpressionBuilder, sql } from "kysely";
import type { BuildRequest, BuildSummary, Properties } from "../../contracts/values.ts";
import type { BuildTable, RequestTable, Tables } from "./tables.ts";

export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** Without the keys that are null: the contracts have optional fields, not nulls. */
export function present<T extends object>(row: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(row).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}

/** For `like … escape '\'`: the text anywhere, letter case of ASCII aside. */
export function anywhere(text: string): string {
  return `%${text.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

export function contains<T extends keyof Tables>(
  eb: ExpressionBuilder<Tables, T>,
  columns: readonly string[],
  text: string,
): ReturnType<typeof eb.or> {
  return eb.or(columns.map((column) => sql<boolean>`lower(${sql.ref(column)}) like ${anywhere(text)} escape '\\'`));
}

// Every row has its builder. Of a left join SQLite does not begin with the builders, which would cost the order.
const BUILDER = sql<string>`builders.name`.as("builder");

export const BUILD_COLUMNS = [
  "builds.id",
  "builds.request_id",
  "builds.number",
  "builds.bot",
  "builds.branch",
  "builds.revision",
  "builds.subject",
  "builds.author",
  "builds.reason",
  "builds.state",
  "builds.results",
  "builds.summary",
  "builds.started_at",
  "builds.finished_at",
  "builds.cancel_reason",
  BUILDER,
] as const;

type BuildRow = Pick<
  Selected<BuildTable>,
  | "id"
  | "request_id"
  | "number"
  | "bot"
  | "branch"
  | "revision"
  | "subject"
  | "author"
  | "reason"
  | "state"
  | "results"
  | "summary"
  | "started_at"
  | "finished_at"
  | "cancel_reason"
> & { readonly builder: string };

type Selected<T> = { readonly [K in keyof T]: K extends "id" ? number : T[K] };

export function toBuildSummary(row: BuildRow): BuildSummary {
  return {
    id: row.id,
    requestId: row.request_id,
    builder: row.builder,
    number: row.number,
    bot: row.bot,
    branch: row.branch,
    revision: row.revision,
    subject: row.subject,
    author: row.author,
    reason: row.reason,
    state: row.state,
    summary: row.summary,
    startedAt: row.started_at,
    cancelRequested: row.cancel_reason !== null,
    ...present({ results: row.results, finishedAt: row.finished_at }),
  };
}

export const REQUEST_COLUMNS = [
  "requests.id",
  "requests.branch",
  "requests.revision",
  "requests.reason",
  "requests.priority",
  "requests.properties_json",
  "requests.state",
  "requests.results",
  "requests.submitted_at",
  "requests.submitted_by",
  "requests.claimed_by",
  "requests.complete_at",
  "requests.build_id",
  "requests.cancel_reason",
  BUILDER,
] as const;

type RequestRow = Omit<Selected<RequestTable>, "builder_id" | "cause" | "merges"> & { readonly builder: string };

export function toBuildRequest(row: RequestRow): BuildRequest {
  return {
    id: row.id,
    builder: row.builder,
    branch: row.branch,
    reason: row.reason,
    priority: row.priority,
    properties: fromJson<Properties>(row.properties_json),
    state: row.state,
    submittedAt: row.submitted_at,
    submittedBy: row.submitted_by,
    ...present({
      revision: row.revision,
      results: row.results,
      claimedBy: row.claimed_by,
      completeAt: row.complete_at,
      buildId: row.build_id,
      cancelReason: row.cancel_reason,
    }),
  };
}

// Written out, not as parameters: the partial indexes are for these very words.
export const IS_RUNNING = sql<boolean>`builds.state = 'running'`;
export const IS_PENDING = sql<boolean>`requests.state = 'pending'`;
