import { setImmediate } from "node:timers/promises";
import { systemClock } from "@rpc/core";
import { createDbQueue, createPostgresStore, createSqliteStore } from "@rpc/db-queue";
import { describe, expect, it } from "vitest";
import {
  addArtefact,
  addTests,
  beginBuild,
  beginStep,
  cancelRequest,
  claimRequests,
  countPending,
  createBot,
  createUser,
  endStep,
  factOf,
  findBot,
  findUserByToken,
  finishBuild,
  getBuild,
  getBuildByNumber,
  getOrder,
  getRequest,
  greetBot,
  insertRequest,
  listBuilders,
  listBuilds,
  listRequests,
  listTests,
  loseBuilds,
  openStore,
  pauseBot,
  removeUser,
  requestCancel,
  setProperties,
  type Store,
  testHistory,
  trends,
  whyLost,
} from "../src/server/store/index.ts";
import { addBot, configure, DATABASES, openRig } from "./store-rig.ts";

const claim = (store: Store, bot: number, max = 64, incarnation = "first") =>
  store.transaction((tx) => claimRequests(store.kind, tx, { bot, incarnation, max, at: 5000 }));

async function wish(store: Store, builder: string, more: Partial<Parameters<typeof insertRequest>[1]> = {}) {
  const request = await insertRequest(store.db, { builder, reason: "wished", by: "ann", at: 2000, ...more });
  if (request === undefined) throw new Error("no request");
  return request;
}

const finish = (store: Store, build: number, results: "success" | "warnings" | "failure" | "retry" = "success") =>
  store.transaction((tx) => finishBuild(tx, { build, at: 9000, results, summary: results }));

describe.each(DATABASES)("the store on %s", (kind) => {
  it(
    "gives a request to one bot once: eight of them, each on a connection of its own",
    { timeout: 60_000 },
    async () => {
      await using rig = await openRig(kind);
      const { store } = rig;
      await configure(store, { a: {}, b: {}, c: { bots: ["bot-1", "bot-2"] }, d: {}, e: {} });
      const wished: number[] = [];
      await store.transaction(async ({ db }) => {
        for (let index = 0; index < 120; index += 1) {
          const request = await insertRequest(db, {
            builder: "abcde"[index % 5] ?? "",
            reason: "",
            by: "x",
            at: index,
          });
          wished.push(request?.id ?? 0);
        }
      });
      const given: { request: number; builder: string; number: number; bot: string }[] = [];
      const work = async (name: string): Promise<void> => {
        const own = kind === "sqlite" ? await rig.reopen(systemClock) : store;
        const { id } = await addBot(own, name, 3);
        for (let empty = 0; empty < 2;) {
          const { orders } = await claim(own, id, 3);
          if (orders.length === 0) empty += 1;
          // node:sqlite never waits: without it the first bot would do all before the second one's turn.
          await setImmediate();
          expect(orders.length).toBeLessThanOrEqual(3);
          for (const { build, number, request } of orders) {
            given.push({ request: request.id, builder: request.builder, number, bot: name });
            await finish(own, build);
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, index) => work(`bot-${index + 1}`)));
      expect(given.map(({ request }) => request).toSorted((one, other) => one - other)).toEqual(wished);
      for (const builder of "abcde") {
        const numbers = given.filter((one) => one.builder === builder).map(({ number }) => number);
        expect(numbers.toSorted((one, other) => one - other)).toEqual(numbers.map((_, index) => index + 1));
      }
      expect(new Set(given.filter(({ builder }) => builder === "c").map(({ bot }) => bot)).size).toBeLessThanOrEqual(2);
      expect(await listRequests(store.db, { pendingOnly: true, limit: 10 })).toEqual([]);
    },
  );

  it("gives by priority, then by age, what the bot may build, and no more than it may have", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { open: {}, closed: { bots: ["gpu-*"] }, urgent: { priority: 5 } });
    const bot = await addBot(store, "cpu-1", 3);
    const old = await wish(store, "open");
    const closed = await wish(store, "closed");
    const urgent = await wish(store, "urgent");
    const young = await wish(store, "open", { priority: 1 });
    const last = await wish(store, "open");
    const order = (await claim(store, bot.id, 2)).orders.map(({ request }) => request.id);
    expect(order).toEqual([urgent.id, young.id]);
    expect((await claim(store, bot.id)).orders.map(({ request }) => request.id)).toEqual([urgent.id, young.id, old.id]);
    expect((await countPending(store.db)).get("closed")).toBe(1);
    expect((await getRequest(store.db, last.id))?.state).toBe("pending");
    const gpu = await addBot(store, "gpu-7");
    expect((await claim(store, gpu.id)).orders.map(({ request }) => request.id)).toEqual([closed.id, last.id]);
  });

  it("gives a claim once more that was not begun, and nothing while the bot is paused", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: { properties: { a: "builder", b: "builder" }, env: { CI: "1", HOME: null } } });
    const bot = await addBot(store, "one", 5);
    await wish(store, "core", { properties: { b: "forced" }, revision: "abc" });
    const first = await claim(store, bot.id);
    const again = await claim(store, bot.id);
    expect(again.orders).toEqual(first.orders);
    expect(again.builds).toEqual([]);
    const [order] = first.orders;
    expect(order).toMatchObject({
      number: 1,
      repositoryUrl: "/srv/house.git",
      branch: "main",
      revision: "abc",
      properties: { a: "builder", b: "forced" },
      env: { CI: "1", HOME: null },
    });
    expect(order?.steps[0]).toMatchObject({ name: "test", command: "true", noOutputTimeoutSeconds: 1200 });
    await beginBuild(store.db, 1, { revision: "abc", subject: "s", author: "a" });
    expect((await claim(store, bot.id)).orders).toEqual([]);
    await wish(store, "core");
    await pauseBot(store.db, bot.id, true);
    expect((await claim(store, bot.id)).orders).toEqual([]);
    await pauseBot(store.db, bot.id, false);
    expect((await claim(store, bot.id)).orders).toHaveLength(1);
  });

  it("fences the incarnation before: its claims, its words and its builds", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: {} });
    const bot = await addBot(store, "one");
    const request = await wish(store, "core");
    await claim(store, bot.id);
    const told = (build: number, who: string, incarnation: string) =>
      store.transaction((tx) => whyLost(kind, tx, { build, bot: who, incarnation }));
    expect(await told(1, "one", "first")).toBeUndefined();
    expect(await told(1, "two", "first")).toContain("one");
    expect(await told(7, "one", "first")).toContain("no such build");

    await greetBot(store.db, bot.id, { incarnation: "second", about: { os: "x" }, at: 6000 });
    await expect(claim(store, bot.id)).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "FENCED" });
    const lost = await store.transaction((tx) =>
      loseBuilds(kind, tx, { bot: "one", incarnation: "second", why: "started anew", at: 6000 }),
    );
    expect(lost.builds).toMatchObject([{ id: 1, state: "finished", results: "retry", summary: "started anew" }]);
    expect(lost.requests).toMatchObject([{ id: request.id, state: "pending" }]);
    expect(lost.requests[0]?.claimedBy).toBeUndefined();
    expect(await told(1, "one", "first")).toContain("taken away");
    const { orders } = await claim(store, bot.id, 1, "second");
    expect(orders).toMatchObject([{ build: 2, number: 2, request: { id: request.id } }]);
    // What the first one finishes too late changes nothing.
    expect(await finish(store, 1)).toEqual({ builds: [], requests: [] });
    expect(await getRequest(store.db, request.id)).toMatchObject({ state: "claimed", buildId: 2 });
    await finish(store, 2);
    expect(await getRequest(store.db, request.id)).toMatchObject({ state: "complete", results: "success", buildId: 2 });
    expect(await told(2, "one", "second")).toBeUndefined();
  });

  it("ends a lost build whose end was wished as cancelled, and a pending request at once", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: {} });
    const bot = await addBot(store, "one");
    const [first, second] = [await wish(store, "core"), await wish(store, "core")];
    await claim(store, bot.id, 1);
    expect(await requestCancel(store.db, 1, "mistake")).toMatchObject({ cancelRequested: true });
    expect(await cancelRequest(store.db, second.id, 7000, "twice")).toMatchObject({
      state: "complete",
      results: "cancelled",
      cancelReason: "twice",
    });
    expect(await cancelRequest(store.db, second.id, 7000, "twice")).toBeUndefined();
    expect(await cancelRequest(store.db, first.id, 7000, "late")).toBeUndefined();
    await store.transaction((tx) => loseBuilds(kind, tx, { bot: "one", why: "gone", at: 8000 }));
    expect(await getRequest(store.db, first.id)).toMatchObject({ state: "complete", results: "cancelled" });
    expect(await requestCancel(store.db, 1, "again")).toBeUndefined();
  });

  it("makes what depends on a build in the transaction that ends it, once, of the same revision", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    const after = { schedulers: [{ kind: "dependent", upstream: "core" }] };
    await configure(store, { core: {}, docs: after, away: { ...after, repository: "other", branch: "stable" } });
    const bot = await addBot(store, "one", 9);
    await wish(store, "core", { branch: "topic" });
    await wish(store, "core");
    await claim(store, bot.id);
    await beginBuild(store.db, 1, { revision: "abc", subject: "s", author: "a" });
    const { requests } = await finish(store, 1, "warnings");
    expect(requests.slice(1)).toMatchObject([
      { builder: "docs", branch: "topic", revision: "abc", reason: "core #1 ended with warnings" },
      { builder: "away", branch: "stable" },
    ]);
    expect(requests[2]?.revision).toBeUndefined();
    expect((await finish(store, 1)).requests).toEqual([]);
    expect((await finish(store, 2, "failure")).requests).toHaveLength(1);
    expect(await listRequests(store.db, { pendingOnly: true, limit: 10 })).toHaveLength(2);
  });

  it("keeps what a build says: steps, tests, properties, artefacts, each once", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    const { db } = store;
    await configure(store, {
      core: {
        steps: [
          { name: "test", command: "t" },
          { name: "pack", command: "p" },
        ],
      },
    });
    const bot = await addBot(store, "one");
    await wish(store, "core");
    await claim(store, bot.id);
    const step = { build: 1, seq: 1, name: "test", at: 6000 };
    expect(await beginStep(db, step)).toBe(true);
    expect(await beginStep(db, step)).toBe(false);
    const end = { build: 1, seq: 1, at: 7000, results: "failure" as const, exitCode: 2, summary: "exit code 2" };
    expect(await endStep(db, end)).toBe(true);
    expect(await endStep(db, { ...end, results: "success" })).toBe(false);
    const tests = [
      { step: 1, suite: "io", name: "reads 100%", state: "pass" as const, durationMs: 1.5 },
      { step: 1, suite: "io", name: "writes", state: "fail" as const, message: "ENOSPC" },
    ];
    const part = () => store.transaction((tx) => addTests(tx.db, 1, { part: 0, tests }));
    expect(await part()).toBe(true);
    expect(await part()).toBe(false);
    await setProperties(db, 1, { version: "1" });
    await setProperties(db, 1, { os: "x" });
    const file = { build: 1, name: "a.tgz", bytes: 4, sha256: "00", at: 1 };
    const { id } = await addArtefact(db, file);
    expect((await addArtefact(db, { ...file, bytes: 5 })).id).toBe(id);
    await finish(store, 1, "failure");
    const build = await getBuildByNumber(db, "core", 1);
    expect(build).toEqual(await getBuild(db, 1));
    expect(build).toMatchObject({
      steps: [
        { seq: 0, name: "checkout", state: "finished", results: "skipped" },
        { seq: 1, state: "finished", results: "failure", exitCode: 2, startedAt: 6000, finishedAt: 7000 },
        { seq: 2, name: "pack", state: "finished", results: "skipped" },
      ],
      properties: { version: "1", os: "x" },
      artefacts: [{ name: "a.tgz", bytes: 5 }],
      tests: { pass: 1, fail: 1, error: 0, skip: 0 },
    });
    const found = (search: string) => listTests(db, 1, { search, offset: 0, limit: 10 });
    expect(await found("0%")).toEqual({ total: 1, tests: [tests[0]] });
    expect(await found("%")).toMatchObject({ total: 1 });
    expect(await listTests(db, 1, { state: "fail", offset: 0, limit: 1 })).toEqual({ total: 1, tests: [tests[1]] });
    expect(await testHistory(db, { builder: "core", suite: "io", name: "writes", limit: 5 })).toMatchObject([
      { state: "fail", message: "ENOSPC", build: { id: 1, number: 1, builder: "core" } },
    ]);
  });

  it("lists builds newest first, by what is asked for", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: {}, docs: {} });
    const bot = await addBot(store, "one", 64);
    for (const builder of ["core", "docs", "core", "core"]) await wish(store, builder, { branch: `of-${builder}` });
    await claim(store, bot.id);
    await beginBuild(store.db, 1, { revision: "abc", subject: "Mend the_door", author: "Ann" });
    await finish(store, 1, "failure");
    const ids = async (filter: Partial<Parameters<typeof listBuilds>[1]>) =>
      (await listBuilds(store.db, { limit: 50, ...filter })).map(({ id }) => id);
    const cores = (await listBuilds(store.db, { builder: "core", limit: 9 })).map(({ number }) => number);
    expect(cores).toEqual([3, 2, 1]);
    expect(await ids({})).toEqual([4, 3, 2, 1]);
    expect(await ids({ before: 3, limit: 1 })).toEqual([2]);
    expect(await ids({ results: "failure" })).toEqual([1]);
    expect(await ids({ state: "running", limit: 2 })).toEqual([4, 3]);
    expect(await ids({ search: "THE_D" })).toEqual([1]);
    expect(await ids({ search: "the%d" })).toEqual([]);
    expect(await ids({ revisions: ["abc", "x"] })).toEqual([1]);
    expect(await ids({ builder: "nobody" })).toEqual([]);
    expect(await ids({ branch: "of-docs", bot: "one" })).toHaveLength(1);
    const [core] = await listBuilders(store.db, "core");
    expect(core).toMatchObject({
      name: "core",
      repository: "house",
      pending: 0,
      running: [{}, {}],
      recent: [{}, {}, {}],
    });
    const days = await trends(store.db, { days: 2, at: 90_000_000 });
    expect(days).toEqual([
      { day: "1970-01-01", success: 0, other: 1, medianSeconds: 4, longestSeconds: 4 },
      { day: "1970-01-02", success: 0, other: 0, medianSeconds: 0, longestSeconds: 0 },
    ]);
  });

  it("refuses a second one of a name, and decides a fact once", async () => {
    await using rig = await openRig(kind);
    const { db } = rig.store;
    const ann = { name: "ann", role: "admin" as const, tokenHash: "aa", at: 1 };
    await createUser(db, ann);
    await expect(createUser(db, { ...ann, tokenHash: "bb" })).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(await findUserByToken(db, "aa")).toMatchObject({ name: "ann", role: "admin" });
    expect(await removeUser(db, "ann")).toBe(true);
    expect(await removeUser(db, "ann")).toBe(false);
    expect(await findUserByToken(db, "aa")).toBeUndefined();
    const bot = { name: "one", secret: "", maxBuilds: 1, at: 1 };
    const { id } = await createBot(db, bot);
    await expect(createBot(db, bot)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect(await findBot(db, id)).toEqual(await findBot(db, "one"));
    const facts = await Promise.all(["a", "b", "c"].map((value) => factOf(db, "key", () => value)));
    expect(new Set(facts).size).toBe(1);
  });

  it("undoes all of a transaction that throws", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: {} });
    const failed = store.transaction(async ({ db }) => {
      await insertRequest(db, { builder: "core", reason: "", by: "x", at: 1 });
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    expect(await listRequests(store.db, { pendingOnly: false, limit: 9 })).toEqual([]);
  });

  it("carries out both of two transactions that lock the same rows the other way round", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: {}, docs: {} });
    const both = Promise.withResolvers<void>();
    let begun = 0;
    const raise = (names: readonly string[]) =>
      store.transaction(async ({ db }) => {
        for (const name of names) {
          await db.updateTable("builders").set({ priority: 1 }).where("name", "=", name).execute();
          begun += 1;
          if (begun === 2) both.resolve();
          // On PostgreSQL both hold one row before either asks for its second; SQLite has them one after the other.
          if (kind === "postgres") await both.promise;
        }
        return names[0];
      });
    expect(await Promise.all([raise(["core", "docs"]), raise(["docs", "core"])])).toEqual(["core", "docs"]);
  });

  it("lends its transaction to the command queue", async () => {
    await using rig = await openRig(kind);
    const { store, place } = rig;
    await configure(store, { core: {} });
    await using rows =
      kind === "sqlite" ? createSqliteStore({ file: place }) : createPostgresStore({ connection: place });
    await rows.migrate();
    await rows.ensureAddress("bot:1");
    const queue = createDbQueue(rows);
    const tell = (fails: boolean) =>
      store.transaction(async ({ db, handle }) => {
        await insertRequest(db, { builder: "core", reason: "", by: "x", at: 1 });
        await queue.inTransaction(handle, (commands) => commands.send("bot:1", "triggerMasterRequests"));
        if (fails) throw new Error("no");
      });
    await expect(tell(true)).rejects.toThrow("no");
    expect(await queue.list()).toEqual([]);
    await tell(false);
    expect(await queue.list()).toMatchObject([{ method: "triggerMasterRequests" }]);
    await queue.close();
  });

  it("opens in many processes at once, and finds everything again", async () => {
    await using rig = await openRig(kind);
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(rig.place)));
    await configure(rig.store, { core: {} });
    await wish(rig.store, "core");
    for (const store of stores) {
      expect(await listRequests(store.db, { pendingOnly: true, limit: 9 })).toHaveLength(1);
      await store.close();
    }
    expect(await getOrder(rig.store.db, 1)).toBeUndefined();
  });
});
