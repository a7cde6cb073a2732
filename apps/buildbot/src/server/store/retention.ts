import type { Db, Tx } from "./open-store.ts";

const DAY_MS = 86_400_000;
const BATCH = 50;

/**
 * Finished builds that their builder does not want to keep, the oldest ones of each first, and only some: ask again until there are none. The
 * newest build of a builder stays, and the newest one that ended well.
 */
export async function listOutdated(db: Db, at: number): Promise<number[]> {
  const builders = await db
    .selectFrom("builders")
    .select(["id", "keep_builds", "keep_days"])
    .where((eb) => eb.or([eb("keep_builds", ">", 0), eb("keep_days", ">", 0)]))
    .execute();
  const outdated: number[] = [];
  for (const { id, keep_builds: most, keep_days: days } of builders) {
    const firstKept = most === 0 ? 0 : await firstOfNewest(db, id, most);
    const since = days === 0 ? Number.NEGATIVE_INFINITY : at - days * DAY_MS;
    const oldest = await db
      .selectFrom("builds")
      .select(["id", "finished_at"])
      .where("builder_id", "=", id)
      .where("state", "=", "finished")
      .orderBy("id")
      .limit(BATCH)
      .execute();
    const old = oldest.filter((build) => build.id < firstKept || (build.finished_at ?? at) < since);
    if (old.length === 0) continue;
    const stay = await thoseThatStay(db, id);
    outdated.push(...old.map((build) => build.id).filter((build) => !stay.has(build)));
  }
  return outdated;
}

/** Of the newest `most` finished builds the first one's id; 0: there are no more. */
async function firstOfNewest(db: Db, builder: number, most: number): Promise<number> {
  const row = await finished(db, builder)
    .offset(most - 1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

async function thoseThatStay(db: Db, builder: number): Promise<Set<number | undefined>> {
  const newest = await finished(db, builder).executeTakeFirst();
  const good = await finished(db, builder).where("results", "in", ["success", "warnings"]).executeTakeFirst();
  return new Set([newest?.id, good?.id]);
}

function finished(db: Db, builder: number) {
  return db
    .selectFrom("builds")
    .select("id")
    .where("builder_id", "=", builder)
    .where("state", "=", "finished")
    .orderBy("id", "desc")
    .limit(1);
}

/** All that the database has of finished builds, and of their requests when those have no other. Call in a transaction. */
export async function deleteBuilds({ db }: Tx, builds: readonly number[]): Promise<void> {
  if (builds.length === 0) return;
  for (const table of ["build_steps", "tests", "test_parts", "artefacts"] as const) {
    await db
      .deleteFrom(table)
      .where("build_id", "in", [...builds])
      .execute();
  }
  const gone = await db
    .deleteFrom("builds")
    .where("id", "in", [...builds])
    .returning("request_id")
    .execute();
  const requests = [...new Set(gone.map(({ request_id }) => request_id))];
  if (requests.length === 0) return;
  await db
    .deleteFrom("requests")
    .where("id", "in", requests)
    .where("state", "=", "complete")
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom("builds").select("builds.id").whereRef("builds.request_id", "=", "requests.id"))),
    )
    .execute();
}
