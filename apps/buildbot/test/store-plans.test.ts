// The queries that pages make, at 100,000 builds: each must be answered by an index, in its order.
import { CompiledQuery, type KyselyPlugin, type RootOperationNode, sql } from "kysely";
import { expect, it } from "vitest";
import { nextDue } from "../src/server/schedule/due.ts";
import {
  claimRequests,
  countPending,
  countTests,
  type Db,
  getBuild,
  listBuilds,
  listCommits,
  listRequests,
  listRunning,
  listTests,
  type Store,
  testHistory,
  trends,
} from "../src/server/store/index.ts";
import { addBot, configure, DATABASES, openRig } from "./store-rig.ts";

const BUILDS = 100_000;
const BUILDERS = 10;

/** Rows by the database itself: 100,000 finished builds with a request each, tests of every tenth, commits. */
async function fill(store: Store): Promise<void> {
  const numbers = sql.raw(`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${BUILDS})`);
  const builder = sql.raw(`(i % ${BUILDERS}) + 1`);
  await store.transaction(async ({ db }) => {
    await sql`insert into requests (builder_id, branch, reason, priority, properties_json, state, results, submitted_at,
      submitted_by) ${numbers} select ${builder}, 'main', '', 0, '{}', 'complete', 'success', i, 'x' from n`.execute(
      db,
    );
    await sql`insert into requests (builder_id, branch, reason, priority, properties_json, state, submitted_at, submitted_by)
      ${numbers} select ${builder}, 'main', '', i % 3, '{}', 'pending', i, 'x' from n where i <= 200`.execute(db);
    await sql`insert into builds (request_id, builder_id, number, bot, incarnation, branch, revision, subject, author, reason,
      state, results, summary, started_at, finished_at, properties_json, order_json) ${numbers}
      select i, ${builder}, i, 'bot-' || (i % 500), 'x', 'main', 'r' || i, '', '', '', 'finished',
        case when i % 50 = 0 then 'failure' else 'success' end, '', i, i, '{}', '{}' from n`.execute(db);
    await sql`update builds set state = 'running', finished_at = null, results = null where id > ${BUILDS - 10}`.execute(
      db,
    );
    await sql`update builds set builder_id = ${BUILDERS + 1} where id <= 3`.execute(db);
    await sql`insert into tests (build_id, builder_id, step, suite, name, state)
      ${numbers} select i, ${builder}, 1, 'suite', 'test ' || (i % 400), 'pass' from n`.execute(db);
    await sql`insert into commits (repository_id, branch, hash, author, at, subject, seen_at)
      ${numbers} select 1, 'main', 'r' || i, '', i, '', i from n`.execute(db);
  });
  await sql`analyze`.execute(store.db);
}

class Plans implements KyselyPlugin {
  readonly nodes: RootOperationNode[] = [];

  transformQuery: KyselyPlugin["transformQuery"] = ({ node }) => {
    this.nodes.push(node);
    return node;
  };

  transformResult: KyselyPlugin["transformResult"] = ({ result }) => Promise.resolve(result);

  /** How the database answers the queries that were seen. */
  async explained({ db, kind }: Store): Promise<string> {
    const texts: string[] = [];
    for (const node of this.nodes.splice(0)) {
      const query = db.getExecutor().compileQuery(node, { queryId: "explained" });
      const words = kind === "sqlite" ? "explain query plan" : "explain";
      const { rows } = await db.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(`${words} ${query.sql}`, [...query.parameters]),
      );
      texts.push(...rows.map((row) => String(row["detail"] ?? row["QUERY PLAN"])));
    }
    return texts.join("\n");
  }
}

const MOST_MS = 1000;

for (const kind of DATABASES) {
  it(`are answered by indexes on ${kind}`, { timeout: 180_000 }, async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    const names = [...Array.from({ length: BUILDERS }, (_, index) => `b${index}`), "rare"];
    await configure(store, Object.fromEntries(names.map((name) => [name, {}])));
    const bot = await addBot(store, "one", 2);
    await fill(store);
    const plans = new Plans();
    const db = store.db.withPlugin(plans);
    const asked = async (ask: (db: Db) => Promise<unknown>): Promise<string> => {
      const start = performance.now();
      await ask(db);
      // Far more than any takes; a scan of all tables in the tests' worst hour would show.
      expect(performance.now() - start).toBeLessThan(MOST_MS);
      return plans.explained(store);
    };
    /** Reads a large table from end to end, or sorts what it has found. */
    const slow =
      kind === "sqlite"
        ? /SCAN (builds|requests|tests|commits)$|TEMP B-TREE/m
        : /Seq Scan on (builds|requests|tests|commits)|Sort/;

    const ofBuilder = await asked((db) => listBuilds(db, { builder: "b3", limit: 50 }));
    expect(ofBuilder).not.toMatch(slow);
    // Its few builds are the oldest of all.
    const rare = await asked((db) => listBuilds(db, { builder: "rare", limit: 50 }));
    expect(rare).toMatch(/builds_of_builder/);
    const older = await asked((db) => listBuilds(db, { builder: "b3", before: 50_000, limit: 50 }));
    expect(older).not.toMatch(slow);
    const newest = await asked((db) => listBuilds(db, { limit: 50 }));
    expect(newest).not.toMatch(kind === "sqlite" ? /TEMP B-TREE/ : slow);
    for (const filter of [
      { results: "failure" },
      { bot: "bot-3" },
      { revisions: ["r1", "r2"] },
      { requestId: 7 },
    ] as const) {
      const plan = await asked((db) => listBuilds(db, { ...filter, limit: 50 }));
      expect(plan).toMatch(/builds_(by_results|of_bot|of_revision|of_request)/);
    }
    expect(await asked((db) => listRunning(db))).toMatch(/builds_running/);
    expect(await asked((db) => getBuild(db, 500))).not.toMatch(
      kind === "sqlite" ? /SCAN (builds|tests)$/m : /Seq Scan on (builds|tests)/,
    );

    const pending = await asked((db) => listRequests(db, { pendingOnly: true, limit: 50 }));
    expect(pending).toMatch(/requests_pending/);
    expect(pending).not.toMatch(kind === "sqlite" ? slow : /Seq Scan on requests/);
    expect(await asked((db) => listRequests(db, { pendingOnly: true, builder: "b3", limit: 50 }))).toMatch(
      /requests_pending/,
    );
    expect(await asked((db) => listRequests(db, { pendingOnly: false, builder: "rare", limit: 50 }))).toMatch(
      /requests_of_builder/,
    );
    expect(await asked((db) => countPending(db))).toMatch(/requests_pending/);

    const history = await asked((db) => testHistory(db, { builder: "b3", suite: "suite", name: "test 3", limit: 50 }));
    expect(history).toMatch(/tests_by_name/);
    expect(history).not.toMatch(/Seq Scan on (builds|tests)|SCAN (builds|tests)$/m);
    expect(await asked((db) => countTests(db, 500))).toMatch(/tests_of_build/);
    expect(await asked((db) => listTests(db, 500, { state: "pass", offset: 0, limit: 50 }))).toMatch(/tests_of_build/);
    expect(await asked((db) => listCommits(db, { repository: "house", before: 5000, limit: 50 }))).not.toMatch(slow);
    expect(await asked((db) => nextDue(db))).not.toMatch(slow);

    // The claim, in a transaction of its own.
    const seen = new Plans();
    await store.transaction(async ({ db, handle }) => {
      const tx = { db: db.withPlugin(seen), handle };
      const claim = await claimRequests(kind, tx, { bot: bot.id, incarnation: "first", max: 2, at: 1 });
      expect(claim.orders.map(({ request }) => request.priority)).toEqual([2, 2]);
    });
    seen.nodes.splice(4);
    const claim = await seen.explained(store);
    expect(claim).toMatch(/requests_pending/);
    expect(claim).not.toMatch(
      kind === "sqlite" ? /SCAN (builds|requests)$|TEMP B-TREE/m : /Seq Scan on (builds|requests)/,
    );
  });
}

it("lets others have their turn between the days of a year", async () => {
  await using rig = await openRig("sqlite");
  await configure(rig.store, { pack: {} });
  await rig.store.transaction(async ({ db }) => {
    const days = sql.raw("with recursive n(i) as (select 0 union all select i + 1 from n where i < 99)");
    await sql`insert into requests (builder_id, branch, reason, priority, properties_json, state, submitted_at, submitted_by)
      values (1, 'main', '', 0, '{}', 'complete', 1, 'x')`.execute(db);
    await sql`insert into builds (request_id, builder_id, number, bot, incarnation, branch, revision, subject, author, reason,
      state, results, summary, started_at, finished_at, properties_json, order_json) ${days}
      select 1, 1, i, 'x', 'x', 'main', '', '', '', '', 'finished', 'success', '', 0, i * 86400000, '{}', '{}' from n`.execute(
      db,
    );
  });
  let turns = 0;
  const turn = (): void => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const found = await trends(rig.store.db, { days: 366, at: 99 * 86_400_000 });
  clearImmediate(next);
  expect(found.filter(({ success }) => success === 1)).toHaveLength(100);
  expect(turns).toBeGreaterThanOrEqual(99);
});
