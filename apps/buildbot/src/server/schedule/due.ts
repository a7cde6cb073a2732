import type { BuildRequest, Scheduler } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import type { Db, Tx } from "../store/open-store.ts";
import { getRequest, insertRequest, type NewRequest } from "../store/requests.ts";
import { fromJson, IS_PENDING } from "../store/rows.ts";
import { nextAfter } from "./times.ts";

/** How many in one transaction: others wait meanwhile. */
const AT_ONCE = 50;

/** When something falls due next; undefined: nothing will, until commits come or the configuration changes. */
export async function nextDue(db: Db): Promise<number | undefined> {
  const changes = await db
    .selectFrom("scheduler_changes")
    .select((eb) => eb.fn.min("due_at").as("at"))
    .executeTakeFirst();
  const times = await db
    .selectFrom("schedulers")
    .select((eb) => eb.fn.min("next_at").as("at"))
    .where("next_at", "is not", null)
    .executeTakeFirst();
  const due = [changes?.at, times?.at].filter((at) => at !== null && at !== undefined);
  return due.length === 0 ? undefined : Math.min(...due);
}

/**
 * Makes the requests that are due, and remembers in the same transaction that it has: after a crash at any point nothing is lost and nothing
 * made twice, with any number of servers. `more`: call it once again, there was too much for one transaction.
 */
export async function runDue(tx: Tx, at: number): Promise<{ requests: BuildRequest[]; more: boolean }> {
  const changes = await dueChanges(tx, at);
  const times = await dueTimes(tx, at);
  return {
    requests: [...changes, ...times].filter((request) => request !== undefined),
    more: changes.length === AT_ONCE || times.length === AT_ONCE,
  };
}

async function dueChanges({ db }: Tx, at: number): Promise<(BuildRequest | undefined)[]> {
  const due = await db
    .selectFrom("scheduler_changes")
    .innerJoin("schedulers", "schedulers.id", "scheduler_changes.scheduler_id")
    .innerJoin("builders", "builders.id", "schedulers.builder_id")
    .select(["schedulers.id", "builders.name", "scheduler_changes.branch"])
    .where("due_at", "<=", at)
    .orderBy("due_at")
    .orderBy("scheduler_id")
    .limit(AT_ONCE)
    .execute();
  const made: (BuildRequest | undefined)[] = [];
  for (const { id, name, branch } of due) {
    // Another server may have been faster, or a commit may have come meanwhile: then it is not due any more.
    const row = await db
      .deleteFrom("scheduler_changes")
      .where("scheduler_id", "=", id)
      .where("branch", "=", branch)
      .where("due_at", "<=", at)
      .returning(["commit_id", "commits"])
      .executeTakeFirst();
    if (row === undefined) {
      made.push(undefined);
      continue;
    }
    const commit = await db
      .selectFrom("commits")
      .select(["hash", "subject"])
      .where("id", "=", row.commit_id)
      .executeTakeFirstOrThrow();
    const what = row.commits === 1 ? "a commit" : `${row.commits} commits, the newest`;
    const request = {
      builder: name,
      branch,
      revision: commit.hash,
      reason: cut(`${what} on ${branch}: ${commit.subject}`, 500),
      by: "scheduler",
      at,
      cause: `change:${id}:${row.commit_id}`,
      merges: true,
    };
    made.push((await merged(db, request)) ?? (await insertRequest(db, request)));
  }
  return made;
}

/** A request of the same builder and branch that still waits builds the newer commit instead, and keeps its place in the queue. */
async function merged(
  db: Db,
  request: NewRequest & { readonly branch: string; readonly revision: string; readonly cause: string },
): Promise<BuildRequest | undefined> {
  const row = await db
    .selectFrom("requests")
    .innerJoin("builders", "builders.id", "requests.builder_id")
    .select("requests.id")
    .where(IS_PENDING)
    .where("builders.name", "=", request.builder)
    .where("requests.branch", "=", request.branch)
    .where("requests.merges", "=", 1)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { revision, reason, cause } = request;
  const { numUpdatedRows } = await db
    .updateTable("requests")
    .set({ revision, reason, cause })
    .where("id", "=", row.id)
    // A bot may have claimed it meanwhile: what it builds stays as it is.
    .where(IS_PENDING)
    .executeTakeFirst();
  return numUpdatedRows === 0n ? undefined : getRequest(db, row.id);
}

async function dueTimes({ db }: Tx, at: number): Promise<(BuildRequest | undefined)[]> {
  const due = await db
    .selectFrom("schedulers")
    .innerJoin("builders", "builders.id", "schedulers.builder_id")
    .select([
      "schedulers.id",
      "schedulers.builder_id",
      "schedulers.settings_json",
      "schedulers.next_at",
      "schedulers.last_commit_id",
      "builders.name",
      "builders.repository_id",
      "builders.branch",
    ])
    .where("next_at", "<=", at)
    .orderBy("next_at")
    .limit(AT_ONCE)
    .execute();
  const made: (BuildRequest | undefined)[] = [];
  for (const row of due) {
    const scheduler = fromJson<Scheduler>(row.settings_json);
    const newest = await newestCommit(db, row.repository_id, row.branch);
    const waits = await hasPending(db, row.builder_id, `${scheduler.kind}:${row.id}:`);
    const isWanted =
      !(scheduler.kind !== "change" && "onlyWhenChanged" in scheduler && scheduler.onlyWhenChanged) ||
      newest > row.last_commit_id;
    const makes = isWanted && !waits;
    const { numUpdatedRows } = await db
      .updateTable("schedulers")
      .set({ next_at: onGrid(scheduler, row.next_at ?? at, at), ...(makes ? { last_commit_id: newest } : {}) })
      .where("id", "=", row.id)
      .where("next_at", "=", row.next_at)
      .executeTakeFirst();
    if (numUpdatedRows === 0n || !makes) {
      made.push(undefined);
      continue;
    }
    const reason = scheduler.kind === "nightly" ? `nightly, ${scheduler.cron}` : "periodic";
    const cause = `${scheduler.kind}:${row.id}:${row.next_at ?? at}`;
    made.push(await insertRequest(db, { builder: row.name, reason, by: "scheduler", at, cause }));
  }
  return made;
}

/** The next time after now on the grid that it has kept so far: what was missed while nobody was there is made up for by one build. */
function onGrid(scheduler: Scheduler, due: number, at: number): number | null {
  if (scheduler.kind !== "periodic") return nextAfter(scheduler, at);
  const every = scheduler.everySeconds * 1000;
  return due + (Math.floor((at - due) / every) + 1) * every;
}

async function newestCommit(db: Db, repository: number, branch: string): Promise<number> {
  const row = await db
    .selectFrom("commits")
    .select("id")
    .where("repository_id", "=", repository)
    .where("branch", "=", branch)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

/** While its last build waits for a bot, another one of the same would only lengthen the queue. */
async function hasPending(db: Db, builder: number, cause: string): Promise<boolean> {
  const row = await db
    .selectFrom("requests")
    .select("id")
    .where(IS_PENDING)
    .where("builder_id", "=", builder)
    .where("cause", "like", `${cause}%`)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
