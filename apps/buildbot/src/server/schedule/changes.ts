import type { Commit, Scheduler } from "../../contracts/values.ts";
import type { Tx } from "../store/open-store.ts";
import { fits } from "../store/patterns.ts";
import { fromJson } from "../store/rows.ts";

type Change = Extract<Scheduler, { kind: "change" }>;

/** Lets the change schedulers of a repository's builders see new commits: each branch waits until it has been quiet. */
export async function noteCommits(
  { db }: Tx,
  repository: number,
  commits: readonly Commit[],
  at: number,
): Promise<void> {
  if (commits.length === 0) return;
  const schedulers = await db
    .selectFrom("schedulers")
    .innerJoin("builders", "builders.id", "schedulers.builder_id")
    .select(["schedulers.id", "schedulers.settings_json"])
    .where("schedulers.kind", "=", "change")
    .where("builders.repository_id", "=", repository)
    .where("builders.retired", "=", 0)
    .orderBy("schedulers.id")
    .execute();
  for (const { id, settings_json } of schedulers) {
    const { branches, quietSeconds } = fromJson<Change>(settings_json);
    const seen = Map.groupBy(
      commits.filter(({ branch }) => fits(branches, branch)),
      ({ branch }) => branch,
    );
    for (const [branch, those] of seen) {
      const commit_id = Math.max(...those.map((commit) => commit.id));
      const due_at = at + quietSeconds * 1000;
      await db
        .insertInto("scheduler_changes")
        .values({ scheduler_id: id, branch, commit_id, commits: those.length, due_at })
        .onConflict((conflict) =>
          conflict.columns(["scheduler_id", "branch"]).doUpdateSet((eb) => ({
            commit_id,
            due_at,
            commits: eb("scheduler_changes.commits", "+", those.length),
          })),
        )
        .execute();
    }
  }
}
