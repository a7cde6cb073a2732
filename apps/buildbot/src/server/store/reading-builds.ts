import type { BuildDetail, BuildStep, BuildSummary, Properties, Results } from "../../contracts/values.ts";
import { listArtefacts } from "./artefacts.ts";
import { idOf } from "./ids.ts";
import type { Db } from "./open-store.ts";
import { BUILD_COLUMNS, contains, IS_RUNNING, fromJson, present, toBuildSummary } from "./rows.ts";
import { countTests } from "./tests.ts";

export interface BuildFilter {
  readonly builder?: string | undefined;
  readonly branch?: string | undefined;
  readonly bot?: string | undefined;
  readonly results?: Results | undefined;
  readonly state?: "running" | "finished" | undefined;
  /** In subject, author, revision, reason. */
  readonly search?: string | undefined;
  readonly revisions?: readonly string[] | undefined;
  readonly requestId?: number | undefined;
  /** Only builds with a smaller id. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Text is looked for in so many builds, from the newest or from `before` on: nothing could index what stands anywhere in it. */
const MOST_SEARCHED = 100_000;

/** Newest first. */
export async function listBuilds(db: Db, filter: BuildFilter): Promise<BuildSummary[]> {
  let query = builds(db).orderBy("builds.id", "desc").limit(filter.limit);
  const { builder, branch, bot, results, state, search, revisions, requestId, before } = filter;
  if (builder !== undefined) {
    const id = await idOf(db, "builders", builder);
    if (id === undefined) return [];
    query = query.where("builds.builder_id", "=", id);
  }
  if (branch !== undefined) query = query.where("builds.branch", "=", branch);
  if (bot !== undefined) query = query.where("builds.bot", "=", bot);
  if (results !== undefined) query = query.where("builds.results", "=", results);
  if (state !== undefined) query = query.where("builds.state", "=", state);
  if (revisions !== undefined) query = query.where("builds.revision", "in", [...revisions]);
  if (requestId !== undefined) query = query.where("builds.request_id", "=", requestId);
  if (before !== undefined) query = query.where("builds.id", "<", before);
  if (search !== undefined && search !== "") {
    const columns = ["builds.subject", "builds.author", "builds.revision", "builds.reason"];
    const last = before ?? (await lastId(db));
    query = query.where((eb) => contains(eb, columns, search)).where("builds.id", ">=", last - MOST_SEARCHED);
  }
  return (await query.execute()).map(toBuildSummary);
}

async function lastId(db: Db): Promise<number> {
  const row = await db.selectFrom("builds").select("id").orderBy("id", "desc").limit(1).executeTakeFirst();
  return row?.id ?? 0;
}

/** What is being built now, by everybody or by one bot. */
export async function listRunning(db: Db, bot?: string): Promise<BuildSummary[]> {
  let query = builds(db).where(IS_RUNNING);
  if (bot !== undefined) query = query.where("builds.bot", "=", bot);
  return (await query.orderBy("builds.id", "desc").execute()).map(toBuildSummary);
}

export async function getBuildSummary(db: Db, id: number): Promise<BuildSummary | undefined> {
  const row = await builds(db).where("builds.id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toBuildSummary(row);
}

export async function getBuild(db: Db, id: number): Promise<BuildDetail | undefined> {
  const summary = await getBuildSummary(db, id);
  if (summary === undefined) return undefined;
  const { properties_json: properties } = await db
    .selectFrom("builds")
    .select("properties_json")
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  return {
    ...summary,
    steps: await listSteps(db, id),
    properties: fromJson<Properties>(properties),
    artefacts: await listArtefacts(db, id),
    tests: await countTests(db, id),
  };
}

export async function getBuildByNumber(db: Db, builder: string, number: number): Promise<BuildDetail | undefined> {
  const row = await builds(db)
    .where("builders.name", "=", builder)
    .where("builds.number", "=", number)
    .executeTakeFirst();
  return row === undefined ? undefined : getBuild(db, row.id);
}

export async function listSteps(db: Db, build: number): Promise<BuildStep[]> {
  const rows = await db.selectFrom("build_steps").selectAll().where("build_id", "=", build).orderBy("seq").execute();
  return rows.map((row) =>
    present({
      seq: row.seq,
      name: row.name,
      state: row.state,
      summary: row.summary,
      logBytes: row.log_bytes,
      logLines: row.log_lines,
      results: row.results,
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      exitCode: row.exit_code,
    }),
  );
}

function builds(db: Db) {
  return db.selectFrom("builds").leftJoin("builders", "builders.id", "builds.builder_id").select(BUILD_COLUMNS);
}
