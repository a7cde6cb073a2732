import type { BuildOrder } from "../../contracts/bot.ts";
import type { BuildRequest, BuildSummary, Properties, Results } from "../../contracts/values.ts";
import { requestDependents } from "../schedule/dependents.ts";
import type { Kind } from "./dialect.ts";
import type { Db, Tx } from "./open-store.ts";
import { getBuildSummary } from "./reading-builds.ts";
import { getRequest } from "./requests.ts";
import { fromJson, IS_RUNNING } from "./rows.ts";

/** A request that has lost so many bots may be what they are lost of, and is given to no more. */
const MOST_LOST = 10;

export interface Writer {
  readonly build: number;
  /** The bot's name. */
  readonly bot: string;
  readonly incarnation: string;
}

/** A build and its request after a change, for those who are told. */
export interface Changed {
  readonly builds: BuildSummary[];
  readonly requests: BuildRequest[];
}

/**
 * Whether a bot may (still) write for a build: undefined, or why not, in words. Call it in the transaction that writes; on PostgreSQL it locks
 * the build until then. A build that its writer has finished is still its own: what it says again changes nothing.
 */
export async function whyLost(kind: Kind, { db }: Tx, writer: Writer): Promise<string | undefined> {
  let query = db.selectFrom("builds").select(["bot", "incarnation", "lost"]).where("id", "=", writer.build);
  if (kind === "postgres") query = query.forUpdate();
  const row = await query.executeTakeFirst();
  if (row === undefined) return "there is no such build";
  if (row.bot !== writer.bot) return `it belongs to ${row.bot}`;
  if (row.incarnation !== writer.incarnation) return `it belongs to another incarnation, ${row.incarnation}`;
  return row.lost === 1 ? "it was taken away, because nothing had been heard of its bot" : undefined;
}

/** What the checkout has found. Undefined: it has finished. */
export async function beginBuild(
  db: Db,
  build: number,
  found: { readonly revision: string; readonly subject: string; readonly author: string },
): Promise<BuildSummary | undefined> {
  const { numUpdatedRows } = await db
    .updateTable("builds")
    .set({ began: 1, revision: found.revision, subject: found.subject, author: found.author })
    .where("id", "=", build)
    .where("state", "=", "running")
    .executeTakeFirst();
  return numUpdatedRows === 0n ? undefined : getBuildSummary(db, build);
}

/** Whether it is new: a step begins once. Steps that the order does not name are added. */
export async function beginStep(
  db: Db,
  step: { readonly build: number; readonly seq: number; readonly name: string; readonly at: number },
): Promise<boolean> {
  const { build, seq, name, at } = step;
  await db
    .insertInto("build_steps")
    .values({ build_id: build, seq, name, state: "waiting", summary: "", log_bytes: 0, log_lines: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { numUpdatedRows } = await db
    .updateTable("build_steps")
    .set({ state: "running", started_at: at })
    .where("build_id", "=", build)
    .where("seq", "=", seq)
    .where("state", "=", "waiting")
    .executeTakeFirst();
  // A bot that writes has begun, whether or not its word of it has come.
  await db.updateTable("builds").set({ began: 1 }).where("id", "=", build).where("began", "=", 0).execute();
  return numUpdatedRows > 0n;
}

/** Whether it is new. One that never began is `skipped`, and may end as well. */
export async function endStep(
  db: Db,
  step: {
    readonly build: number;
    readonly seq: number;
    readonly at: number;
    readonly results: Results;
    readonly exitCode?: number | undefined;
    readonly summary: string;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("build_steps")
    .set({
      state: "finished",
      finished_at: step.at,
      results: step.results,
      exit_code: step.exitCode ?? null,
      summary: step.summary,
    })
    .where("build_id", "=", step.build)
    .where("seq", "=", step.seq)
    .where("state", "!=", "finished")
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** How large a step's log is now. */
export async function setLogSize(
  db: Db,
  log: { readonly build: number; readonly seq: number; readonly bytes: number; readonly lines: number },
): Promise<void> {
  await db
    .updateTable("build_steps")
    .set({ log_bytes: log.bytes, log_lines: log.lines })
    .where("build_id", "=", log.build)
    .where("seq", "=", log.seq)
    .execute();
}

/** Adds to those that it has. */
export async function setProperties(db: Db, build: number, properties: Properties): Promise<void> {
  const row = await db.selectFrom("builds").select("properties_json").where("id", "=", build).executeTakeFirst();
  if (row === undefined) return;
  const merged = { ...fromJson<Properties>(row.properties_json), ...properties };
  await db
    .updateTable("builds")
    .set({ properties_json: JSON.stringify(merged) })
    .where("id", "=", build)
    .execute();
}

/**
 * Ends a build and its request, and makes the requests that depend on it; `retry` puts its request back instead, but after ten lost bots, when
 * it ends as `exception`. Nothing, when it has ended before. Call in a transaction.
 */
export async function finishBuild(
  tx: Tx,
  end: { readonly build: number; readonly at: number; readonly results: Results; readonly summary: string },
): Promise<Changed> {
  const { db } = tx;
  const row = await db
    .updateTable("builds")
    .set({ state: "finished", finished_at: end.at, results: end.results, summary: end.summary })
    .where("id", "=", end.build)
    .where("state", "=", "running")
    .returning(["request_id", "builder_id", "cancel_reason"])
    .executeTakeFirst();
  if (row === undefined) return { builds: [], requests: [] };
  await closeSteps(db, end);
  const isCancelled = row.cancel_reason !== null;
  const goesBack = end.results === "retry" && !isCancelled && (await countLost(db, row.request_id)) < MOST_LOST;
  await db
    .updateTable("requests")
    .set(
      goesBack
        ? { state: "pending", claimed_by: null, build_id: null }
        : {
            state: "complete",
            results: end.results !== "retry" ? end.results : isCancelled ? "cancelled" : "exception",
            complete_at: end.at,
          },
    )
    .where("id", "=", row.request_id)
    .where("build_id", "=", end.build)
    .execute();
  const build = await getBuildSummary(db, end.build);
  const request = await getRequest(db, row.request_id);
  if (build === undefined || request === undefined) throw new Error(`build ${end.build} has gone`);
  return { builds: [build], requests: [request, ...(await requestDependents(tx, build, end.at))] };
}

/** Its builds that were taken from their bots. */
async function countLost(db: Db, request: number): Promise<number> {
  const { count } = await db
    .selectFrom("builds")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("request_id", "=", request)
    .where("lost", "=", 1)
    .executeTakeFirstOrThrow();
  return count;
}

/** Whether somebody has wished its end before it came. The bot that runs it hears of it by a command. */
export async function requestCancel(db: Db, build: number, reason: string): Promise<BuildSummary | undefined> {
  const { numUpdatedRows } = await db
    .updateTable("builds")
    .set({ cancel_reason: reason })
    .where("id", "=", build)
    .where("state", "=", "running")
    .executeTakeFirst();
  return numUpdatedRows === 0n ? undefined : getBuildSummary(db, build);
}

/**
 * Takes builds from a bot, which ends them as `retry`: their requests wait again (those that were to be cancelled end). Call in a transaction.
 */
export async function loseBuilds(
  kind: Kind,
  tx: Tx,
  lose: {
    /** The bot's name. */
    readonly bot: string;
    /** Only builds of other incarnations. Left out: all of the bot's. */
    readonly incarnation?: string | undefined;
    /** What it has of other incarnations: not these, where they are as it says. */
    readonly but?: readonly { readonly build: number; readonly incarnation: string }[] | undefined;
    readonly why: string;
    readonly at: number;
  },
): Promise<Changed> {
  const { db } = tx;
  let query = db
    .selectFrom("builds")
    .select(["id", "incarnation"])
    .where("bot", "=", lose.bot)
    .where(IS_RUNNING)
    .orderBy("id");
  if (kind === "postgres") query = query.forUpdate();
  const changed: Changed = { builds: [], requests: [] };
  for (const { id, incarnation } of await query.execute()) {
    if (incarnation === lose.incarnation) continue;
    if (lose.but?.some((has) => has.build === id && has.incarnation === incarnation) === true) continue;
    await db.updateTable("builds").set({ lost: 1 }).where("id", "=", id).execute();
    const one = await finishBuild(tx, { build: id, at: lose.at, results: "retry", summary: lose.why });
    changed.builds.push(...one.builds);
    changed.requests.push(...one.requests);
  }
  return changed;
}

/** As it was given to the bot. */
export async function getOrder(db: Db, build: number): Promise<BuildOrder | undefined> {
  const row = await db.selectFrom("builds").select("order_json").where("id", "=", build).executeTakeFirst();
  return row === undefined ? undefined : fromJson<BuildOrder>(row.order_json);
}

/** What runs was cut off; what waited was never run. */
async function closeSteps(db: Db, end: { readonly build: number; readonly at: number; readonly results: Results }) {
  await db
    .updateTable("build_steps")
    .set({ state: "finished", finished_at: end.at, results: end.results })
    .where("build_id", "=", end.build)
    .where("state", "=", "running")
    .execute();
  await db
    .updateTable("build_steps")
    .set({ state: "finished", results: "skipped" })
    .where("build_id", "=", end.build)
    .where("state", "=", "waiting")
    .execute();
}
