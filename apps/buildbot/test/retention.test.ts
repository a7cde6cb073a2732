// Old builds go when their builder does not want to keep them: rows, logs and artefacts, and nothing of anybody else's.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { Artefacts } from "../src/server/artefacts/index.ts";
import { Logs } from "../src/server/logs/index.ts";
import { Retention } from "../src/server/retention.ts";
import {
  addArtefact,
  addTests,
  beginStep,
  claimRequests,
  finishBuild,
  insertRequest,
  listBuilds,
  loseBuilds,
  type Store,
} from "../src/server/store/index.ts";
import { addBot, configure, DATABASES, openRig } from "./store-rig.ts";
import type { Results } from "../src/contracts/values.ts";

const DAY_MS = 86_400_000;
const INCARNATION = "first";

describe.each(DATABASES)("on %s", (kind) => {
  async function wish(store: Store, builder: string): Promise<void> {
    await store.transaction(
      async ({ db }) => void (await insertRequest(db, { builder, reason: "", by: "test", at: 1 })),
    );
  }

  /** Gives the build's id. It is there with all that a build can have. */
  async function build(store: Store, bot: number, results: Results, at: number): Promise<number> {
    return store.transaction(async (tx) => {
      const { orders } = await claimRequests(store.kind, tx, { bot, incarnation: INCARNATION, max: 1, at });
      const id = orders[0]?.build ?? 0;
      await beginStep(tx.db, { build: id, seq: 0, name: "checkout", at });
      await addTests(tx.db, id, { part: 0, tests: [{ step: 1, suite: "s", name: "t", state: "pass" }] });
      await addArtefact(tx.db, { build: id, name: "a", bytes: 1, sha256: "0".repeat(64), at });
      await finishBuild(tx, { build: id, at, results, summary: "" });
      return id;
    });
  }

  it("keeps as many, and as long, as each builder says; the newest, and the newest good one, always", async () => {
    await using rig = await openRig(kind);
    const { store, clock } = rig;
    const folder = mkdtempSync(join(tmpdir(), "buildbot-retention-"));
    await configure(store, { few: { keepBuilds: 3 }, young: { keepDays: 2 }, bad: { keepBuilds: 1 }, all: {} });
    const bot = await addBot(store, "one", 2, INCARNATION);
    const logs = new Logs({ folder: join(folder, "logs") });
    const artefacts = new Artefacts({ folder: join(folder, "artefacts") });
    const now = clock.wall;
    const made: Record<string, number[]> = { few: [], young: [], bad: [], all: [] };
    for (const [name, ids] of Object.entries(made)) {
      for (let index = 0; index < 14; index += 1) {
        await wish(store, name);
        const id = await build(
          store,
          bot.id,
          name === "bad" && index > 4 ? "failure" : "success",
          now - (14 - index) * DAY_MS + 1,
        );
        ids.push(id);
        for (const file of [logs.path(id, 1), artefacts.path(id, "0".repeat(64))]) {
          mkdirSync(dirname(file), { recursive: true });
          writeFileSync(file, "x");
        }
      }
    }
    const problems: unknown[] = [];
    const retention = new Retention({ store, logs, artefacts, failed: (error) => problems.push(error) });
    await retention.round();
    expect(problems).toEqual([]);
    const left = async (builder: string): Promise<number[]> =>
      (await listBuilds(store.db, { builder, limit: 50 })).map(({ id }) => id).toReversed();
    expect(await left("few")).toEqual(made["few"]?.slice(-3));
    expect(await left("young")).toEqual(made["young"]?.slice(-2));
    expect(await left("bad")).toEqual([made["bad"]?.[4], made["bad"]?.[13]]);
    expect(await left("all")).toEqual(made["all"]);
    const stay = new Set([
      ...(await left("few")),
      ...(await left("young")),
      ...(await left("bad")),
      ...(made["all"] ?? []),
    ]);
    for (const id of Object.values(made).flat()) {
      expect([id, existsSync(logs.path(id, 1)), existsSync(artefacts.path(id, "0".repeat(64)))]).toEqual([
        id,
        stay.has(id),
        stay.has(id),
      ]);
    }
    for (const table of ["build_steps", "tests", "test_parts", "artefacts"] as const) {
      const rows = await store.db.selectFrom(table).select("build_id").distinct().execute();
      expect(new Set(rows.map(({ build_id }) => build_id))).toEqual(stay);
    }
    expect(await store.db.selectFrom("requests").select("id").execute()).toHaveLength(stay.size);
    rmSync(folder, { recursive: true });
  });

  it("takes neither what runs nor a request that waits again", async () => {
    await using rig = await openRig(kind);
    const { store, clock } = rig;
    await configure(store, { few: { keepBuilds: 1, keepDays: 1 } });
    const bot = await addBot(store, "one", 2, INCARNATION);
    const at = clock.wall - 10 * DAY_MS;
    await wish(store, "few");
    await store.transaction((tx) => claimRequests(kind, tx, { bot: bot.id, incarnation: INCARNATION, max: 1, at }));
    await store.transaction((tx) => loseBuilds(kind, tx, { bot: "one", why: "gone", at }));
    const running = await store.transaction((tx) =>
      claimRequests(kind, tx, { bot: bot.id, incarnation: INCARNATION, max: 1, at }),
    );
    await beginStep(store.db, { build: running.orders[0]?.build ?? 0, seq: 0, name: "checkout", at });
    await wish(store, "few");
    const good = await build(store, bot.id, "success", at);
    const folder = mkdtempSync(join(tmpdir(), "buildbot-retention-"));
    const retention = new Retention({
      store,
      logs: new Logs({ folder }),
      artefacts: new Artefacts({ folder }),
      failed: (error) => {
        throw error;
      },
    });
    await retention.round();
    const left = (await listBuilds(store.db, { limit: 10 })).map(({ id }) => id);
    expect(left).toEqual([good, running.orders[0]?.build]);
    expect(await store.db.selectFrom("requests").select("state").orderBy("id").execute()).toEqual([
      { state: "claimed" },
      { state: "complete" },
    ]);
    rmSync(folder, { recursive: true });
  });
});
