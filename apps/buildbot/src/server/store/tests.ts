import type { BuildSummary, TestResult } from "../../contracts/values.ts";
import { idOf } from "./ids.ts";
import type { Db } from "./open-store.ts";
import { BUILD_COLUMNS, contains, present, toBuildSummary } from "./rows.ts";

/** SQLite takes at most 32,766 parameters in one statement. */
const ROWS_AT_ONCE = 500;

/** Call in a transaction. False: this part has come before, and nothing was added. */
export async function addTests(
  db: Db,
  build: number,
  { part, tests }: { readonly part: number; readonly tests: readonly TestResult[] },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows: isNew } = await db
    .insertInto("test_parts")
    .values({ build_id: build, part })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (isNew !== 1n) return false;
  const { builder_id } = await db
    .selectFrom("builds")
    .select("builder_id")
    .where("id", "=", build)
    .executeTakeFirstOrThrow();
  const rows = tests.map((test) => ({
    build_id: build,
    builder_id,
    step: test.step,
    suite: test.suite,
    name: test.name,
    state: test.state,
    duration_ms: test.durationMs ?? null,
    message: test.message ?? null,
  }));
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await db
      .insertInto("tests")
      .values(rows.slice(from, from + ROWS_AT_ONCE))
      .execute();
  }
  return true;
}

export interface TestFilter {
  readonly state?: TestResult["state"] | undefined;
  /** In suite and name. */
  readonly search?: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** In the order in which they came. `total`: of all that the filter fits. */
export async function listTests(
  db: Db,
  build: number,
  { state, search, offset, limit }: TestFilter,
): Promise<{ total: number; tests: TestResult[] }> {
  let query = db.selectFrom("tests").where("tests.build_id", "=", build);
  if (state !== undefined) query = query.where("tests.state", "=", state);
  if (search !== undefined && search !== "") {
    query = query.where((eb) => contains(eb, ["tests.suite", "tests.name"], search));
  }
  const { total } = await query.select((eb) => eb.fn.countAll<number>().as("total")).executeTakeFirstOrThrow();
  const rows = await query.select(TEST_COLUMNS).orderBy("tests.id").offset(offset).limit(limit).execute();
  return { total, tests: rows.map(toTestResult) };
}

export async function countTests(
  db: Db,
  build: number,
): Promise<{ pass: number; fail: number; error: number; skip: number }> {
  const rows = await db
    .selectFrom("tests")
    .select((eb) => ["state", eb.fn.countAll<number>().as("count")])
    .where("build_id", "=", build)
    .groupBy("state")
    .execute();
  const counts = { pass: 0, fail: 0, error: 0, skip: 0 };
  for (const { state, count } of rows) counts[state] = count;
  return counts;
}

/** Newest first. */
export async function testHistory(
  db: Db,
  test: { readonly builder: string; readonly suite: string; readonly name: string; readonly limit: number },
): Promise<(TestResult & { build: BuildSummary })[]> {
  const builder = await idOf(db, "builders", test.builder);
  if (builder === undefined) return [];
  const rows = await db
    .selectFrom("tests")
    .innerJoin("builds", "builds.id", "tests.build_id")
    .leftJoin("builders", "builders.id", "builds.builder_id")
    .select(BUILD_COLUMNS)
    .select([
      "tests.step as test_step",
      "tests.suite as test_suite",
      "tests.name as test_name",
      "tests.state as test_state",
      "tests.duration_ms",
      "tests.message",
    ])
    .where("tests.builder_id", "=", builder)
    .where("tests.suite", "=", test.suite)
    .where("tests.name", "=", test.name)
    .orderBy("tests.build_id", "desc")
    .limit(test.limit)
    .execute();
  return rows.map((row) =>
    present({
      step: row.test_step,
      suite: row.test_suite,
      name: row.test_name,
      state: row.test_state,
      durationMs: row.duration_ms,
      message: row.message,
      build: toBuildSummary(row),
    }),
  );
}

const TEST_COLUMNS = [
  "tests.step",
  "tests.suite",
  "tests.name",
  "tests.state",
  "tests.duration_ms",
  "tests.message",
] as const;

function toTestResult(row: {
  readonly step: number;
  readonly suite: string;
  readonly name: string;
  readonly state: TestResult["state"];
  readonly duration_ms: number | null;
  readonly message: string | null;
}): TestResult {
  return present({
    step: row.step,
    suite: row.suite,
    name: row.name,
    state: row.state,
    durationMs: row.duration_ms,
    message: row.message,
  });
}
