import { setImmediate } from "node:timers/promises";
import type { BuilderDetail, BuilderSummary, Scheduler, Step } from "../../contracts/values.ts";
import { idOf } from "./ids.ts";
import type { Db } from "./open-store.ts";
import { listBuilds, listRunning } from "./reading-builds.ts";
import { countPending } from "./requests.ts";
import { fromJson } from "./rows.ts";

const RECENT = 20;
const DAY_MS = 86_400_000;

/** In the configuration's order, or the one of that name. */
export async function listBuilders(db: Db, name?: string): Promise<BuilderSummary[]> {
  let query = db
    .selectFrom("builders")
    .innerJoin("repositories", "repositories.id", "builders.repository_id")
    .select([
      "builders.name",
      "builders.title",
      "builders.group_name",
      "builders.branch",
      "builders.bots_json",
      "builders.parameters_json",
      "repositories.name as repository",
    ])
    .where("builders.retired", "=", 0)
    .orderBy("builders.position");
  if (name !== undefined) query = query.where("builders.name", "=", name);
  const rows = await query.execute();
  const pending = await countPending(db);
  const running = Map.groupBy(await listRunning(db), ({ builder }) => builder);
  return Promise.all(
    rows.map(async (row) => ({
      name: row.name,
      title: row.title,
      group: row.group_name,
      repository: row.repository,
      branch: row.branch,
      bots: fromJson<string[]>(row.bots_json),
      parameters: fromJson<BuilderSummary["parameters"]>(row.parameters_json),
      pending: pending.get(row.name) ?? 0,
      running: running.get(row.name) ?? [],
      recent: await listBuilds(db, { builder: row.name, limit: RECENT }),
    })),
  );
}

/** One of the configuration's, with what it does and when. */
export async function findBuilder(db: Db, name: string): Promise<BuilderDetail | undefined> {
  const [builder] = await listBuilders(db, name);
  if (builder === undefined) return undefined;
  const id = (await idOf(db, "builders", name)) ?? 0;
  const schedulers = await db
    .selectFrom("schedulers")
    .select(["settings_json", "next_at"])
    .where("builder_id", "=", id)
    .orderBy("position")
    .execute();
  const steps = await db
    .selectFrom("builder_steps")
    .select("step_json")
    .where("builder_id", "=", id)
    .orderBy("seq")
    .execute();
  return Object.assign(builder, {
    schedulers: schedulers.map(({ settings_json, next_at }) => {
      const scheduler = fromJson<Scheduler>(settings_json);
      return next_at === null ? { scheduler } : { scheduler, nextAt: next_at };
    }),
    steps: steps.map(({ step_json }) => fromJson<Step>(step_json).name),
  });
}

export interface Trend {
  /** `2026-11-21`, in UTC. */
  readonly day: string;
  readonly success: number;
  readonly other: number;
  readonly medianSeconds: number;
  readonly longestSeconds: number;
}

/**
 * The days that end with `at`'s, oldest first, those without a build as well. Builds that were put back or cancelled do not count. Others have
 * their turn after each day: of a busy house a year is some hundred thousand builds.
 */
export async function trends(
  db: Db,
  ask: { readonly builder?: string | undefined; readonly days: number; readonly at: number },
): Promise<Trend[]> {
  const { builder, days, at } = ask;
  const id = builder === undefined ? undefined : ((await idOf(db, "builders", builder)) ?? 0);
  const firstDay = Math.floor(at / DAY_MS) - days + 1;
  const found: Trend[] = [];
  for (let day = firstDay; day < firstDay + days; day += 1) {
    const trend = await trendOf(db, day, id);
    found.push(trend);
    if (trend.success + trend.other > 0) await setImmediate();
  }
  return found;
}

async function trendOf(db: Db, day: number, builder: number | undefined): Promise<Trend> {
  let query = db
    .selectFrom("builds")
    .select(["results", "started_at", "finished_at"])
    .where("finished_at", ">=", day * DAY_MS)
    .where("finished_at", "<", (day + 1) * DAY_MS)
    .where("results", "not in", ["retry", "cancelled"]);
  if (builder !== undefined) query = query.where("builder_id", "=", builder);
  const rows = await query.execute();
  const good = rows.filter(({ results }) => results === "success" || results === "warnings").length;
  const seconds = rows
    .map(({ started_at, finished_at }) => ((finished_at ?? started_at) - started_at) / 1000)
    .toSorted((one, other) => one - other);
  return {
    day: new Date(day * DAY_MS).toISOString().slice(0, 10),
    success: good,
    other: rows.length - good,
    medianSeconds: seconds[Math.floor((seconds.length - 1) / 2)] ?? 0,
    longestSeconds: seconds.at(-1) ?? 0,
  };
}
