// The acceptance scenarios, with real processes, real git and real files, in both databases: one house each, in which most live side by side.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@rpc/core";
import { createDbQueue, createPostgresStore, createSqliteStore } from "@rpc/db-queue";
import { createTcpTransport } from "@rpc/tcp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startPostgres, type TestServer } from "../../../packages/db-queue/test/embedded-postgres.ts";
import { Bot, Desk } from "../src/contracts/bot.ts";
import type { CommandSummary } from "../src/contracts/values.ts";
import { CROWD_BUILDER, runCrowd } from "./e2e-crowd.ts";
import { type Builders, House, processesWith, until, workFolderOf } from "./e2e-rig.ts";
import { randomOf } from "./random.ts";
import { DATABASES } from "./store-rig.ts";

// Processes start slowly where many others run.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** Of processes that a step leaves behind when its bot is killed. */
const MARK = `600.${process.pid}`;
const CLEAN_UP = { name: "clean up", command: "echo cleaned", alwaysRun: true };

function buildersOf(house: House): Builders {
  const own = { bots: ["one"] };
  const second = join(house.folder, "second");
  return {
    talk: { ...own, steps: [{ name: "talk", command: `cat hello.txt; ${house.gate("seen")}; echo bye` }] },
    edited: { ...own, steps: [{ name: "old", command: `${house.gate("edited")}; echo old` }] },
    killed: {
      bots: ["victim"],
      steps: [{ name: "once", command: `test -e ${second} || { touch ${second}; sleep ${MARK}; }` }],
    },
    waits: { bots: ["absent"], steps: [{ name: "go", command: "true" }] },
    pushed: {
      ...own,
      schedulers: [{ kind: "change", quietSeconds: 0 }],
      steps: [{ name: "show", command: "cat pushed.txt" }],
    },
    fails: {
      ...own,
      steps: [{ name: "break", command: "exit 3" }, { name: "never", command: "true" }, CLEAN_UP],
    },
    silent: {
      ...own,
      steps: [{ name: "sleep", command: `sleep ${MARK} & wait`, noOutputTimeoutSeconds: 1, killAfterSeconds: 1 }],
    },
    long: {
      ...own,
      steps: [{ name: "sleep", command: `echo sleeping; sleep ${MARK} & wait`, killAfterSeconds: 1 }, CLEAN_UP],
    },
    kept: { bots: ["two"], steps: [{ name: "make", command: "cp hello.txt made.txt", artefacts: ["made.*"] }] },
    restart: { ...own, steps: [{ name: "talk", command: `echo before; ${house.gate("restart")}; echo between` }] },
    crash: { ...own, steps: [{ name: "talk", command: `echo before; ${house.gate("crash")}; echo between` }] },
    crowd: CROWD_BUILDER,
  };
}

// Both at once: mostly they wait.
describe.concurrent.each(DATABASES)("on %s", (kind) => {
  let postgres: TestServer | undefined;
  let house: House;

  beforeAll(async () => {
    // One of its own: it is stopped while the server works.
    if (kind === "postgres") postgres = await startPostgres();
    house = await House.start({ databaseUrl: postgres?.url() });
    await house.configure(buildersOf(house));
    await Promise.all([house.startBot("one", 12), house.startBot("two", 2, house.pageUrl.replace("http", "ws"))]);
  });

  afterAll(async () => {
    await house[Symbol.asyncDispose]();
    for (const pid of processesWith(MARK)) process.kill(pid, "SIGKILL");
    await postgres?.stop();
  });

  async function rowOf(id: number | undefined): Promise<CommandSummary | undefined> {
    return (await house.people.bots.commands({ limit: 500 })).find((row) => row.id === id);
  }

  describe("side by side", { concurrent: true }, () => {
    test("(a) a build that is forced shows its log while it runs", async () => {
      const { builds } = house.people;
      const request = await house.force("talk");
      const { id } = await house.running(request);
      let seenWhile: string | undefined;
      for await (const { lines } of builds.follow({ build: id, step: 1 })) {
        if (seenWhile === undefined && lines.some(({ text }) => text === "hello")) {
          seenWhile = (await builds.get({ id })).state;
          house.open("seen");
        }
      }
      expect(seenWhile).toBe("running");
      const { results, steps } = await house.ended(request);
      expect(results).toBe("success");
      expect(steps.map(({ results: each }) => each)).toEqual(["success", "success"]);
    });

    test("(b) a build goes on as it began when its steps are edited; the next one has the new ones", async () => {
      const first = await house.force("edited");
      await house.running(first);
      await house.configure({
        ...buildersOf(house),
        edited: { bots: ["one"], steps: [{ name: "new", command: "true" }] },
      });
      await house.people.bots.command({ bot: "one", method: "triggerAllReconfig" });
      const second = await house.force("edited");
      house.open("edited");
      const before = await house.ended(first);
      const after = await house.ended(second);
      expect([before.results, after.results]).toEqual(["success", "success"]);
      expect([before.steps.at(-1)?.name, after.steps.at(-1)?.name]).toEqual(["old", "new"]);
    });

    test("(c) a build of a killed bot is built again by its successor, and what the dead one would say is refused", async () => {
      const bot = await house.startBot("victim");
      const request = await house.force("killed");
      const { id: lost } = await house.running(request);
      await until(() => existsSync(join(house.folder, "second")));
      const { incarnation = "" } = (await house.people.bots.list()).find(({ name }) => name === "victim") ?? {};
      await bot.end("SIGKILL");
      const left = (): number[] =>
        processesWith(MARK).filter((pid) => workFolderOf(pid)?.startsWith(join(house.folder, "bots", "victim")));
      expect(left()).not.toEqual([]);
      await house.startBot("victim");
      expect(left()).toEqual([]);
      const again = await house.ended(request);
      expect(again).toMatchObject({ results: "success" });
      expect(again.id).not.toBe(lost);
      expect(await house.people.builds.get({ id: lost })).toMatchObject({ results: "retry", state: "finished" });
      // The dead one, with its own proof.
      const [identity = "", secret = ""] = house.tokenOf("victim").split(":");
      const transport = createTcpTransport(house.tcpUrl, { identity, secret });
      const desk = createClient(Desk, transport);
      const stale = { build: lost, incarnation, at: 1, results: "success" as const, summary: "" };
      await expect(desk.finished(stale)).rejects.toMatchObject({ reason: "BuildLost" });
      const piece = {
        build: lost,
        incarnation,
        seq: 1,
        offset: 0,
        pieces: [{ stream: "out" as const, text: "ghost\n" }],
      };
      await expect(desk.appendLog(piece)).rejects.toMatchObject({ reason: "BuildLost" });
      await transport.close();
      expect(await house.people.builds.get({ id: lost })).toMatchObject({ results: "retry" });
    });

    test("(d) a button that nobody hears ends as expired after ten seconds; builds wait until their bot is back", async () => {
      const { bots, builds } = house.people;
      await house.addBot("absent");
      const [pressed] = await bots.command({ bot: "absent", method: "ping" });
      const request = await house.force("waits");
      expect((await rowOf(pressed?.id))?.state).toBe("queued");
      expect((pressed?.expiresAt ?? 0) - (pressed?.createdAt ?? 0)).toBe(10_000);
      await until(async () => (await rowOf(pressed?.id))?.state === "expired");
      expect((await builds.request({ id: request.id })).state).toBe("pending");
      await house.startBot("absent");
      expect((await house.ended(request)).results).toBe("success");
      expect((await rowOf(pressed?.id))?.state).toBe("expired");
    });

    test("(e) a push to a repository is found by a poll, and built", async () => {
      const { bots, builds } = house.people;
      const poll = async (): Promise<void> => {
        const [row] = await bots.command({ bot: "one", method: "pollAllSources" });
        await until(async () => (await rowOf(row?.id))?.state === "done");
      };
      await poll();
      const hash = house.repository.commit("Push something", { "pushed.txt": "it came\n" });
      await poll();
      const found = async () => (await builds.list({ builder: "pushed" })).find(({ revision }) => revision === hash);
      await until(async () => (await found())?.state === "finished");
      const build = await found();
      expect(build).toMatchObject({ results: "success", subject: "Push something" });
      expect(build?.author).toContain("Ada");
      expect(await house.log(build?.id ?? 0, 1)).toContain("it came");
    });

    test("(f) a build halts at a step that fails and cleans up, is stopped when it says nothing, is cancelled", async () => {
      const wishes = ["fails", "silent", "long"].map((builder) => house.force(builder));
      const [fails, silent, long] = await Promise.all(wishes);
      if (fails === undefined || silent === undefined || long === undefined) throw new Error("three were wished");
      const { id } = await house.running(long);
      await until(async () => (await house.log(id, 1)).includes("sleeping"));
      await house.people.builds.cancel({ id, reason: "nobody needs it" });
      const failed = await house.ended(fails);
      expect(failed.results).toBe("failure");
      expect(failed.steps.map(({ results }) => results)).toEqual(["success", "failure", "skipped", "success"]);
      expect(failed.steps[1]).toMatchObject({ exitCode: 3 });
      const stopped = await house.ended(silent);
      expect(stopped.results).toBe("failure");
      expect(stopped.steps[1]?.summary).toContain("no output for 1 s");
      const cancelled = await house.ended(long);
      expect(cancelled.results).toBe("cancelled");
      expect(cancelled.steps.at(-1)).toMatchObject({ name: "clean up", results: "success" });
      const tree = (bot: string): string => join(house.folder, "bots", bot);
      expect(processesWith(MARK).filter((pid) => workFolderOf(pid)?.startsWith(tree("one")))).toEqual([]);
    });

    test("(h) all bots hear that the configuration has changed, each once", async () => {
      const { bots } = house.people;
      const rows = await bots.command({ bot: "*", method: "triggerAllReconfig" });
      expect(new Set(rows.map(({ bot }) => bot)).size).toBe(rows.length);
      const listening = rows.filter(({ bot }) => bot === "one" || bot === "two");
      expect(listening).toHaveLength(2);
      for (const { id } of listening) await until(async () => (await rowOf(id))?.state === "done");
    });

    test("a bot that only HTTP lets out builds, and keeps what it has made", async () => {
      const { id, results, artefacts } = await house.ended(await house.force("kept"));
      expect({ results, names: artefacts.map(({ name }) => name) }).toEqual({
        results: "success",
        names: ["made.txt"],
      });
      const kept = await fetch(`${house.pageUrl}/artefacts/${id}/made.txt`);
      expect(await kept.text()).toBe("hello\n");
    });

    test("(k) a rescan of an unknown repository fails with title and text", async () => {
      // Another program with the same database: a row in the table is all that a bot needs.
      const store =
        postgres === undefined
          ? createSqliteStore({ file: join(house.data, "buildbot.db") })
          : createPostgresStore({ connection: postgres.url() });
      const queue = createDbQueue(store);
      const bot = (await house.people.bots.list()).find(({ name }) => name === "two");
      const proxy = queue.proxy(Bot, `software_dev.buildbot:${bot?.id}`, { expires: "10s" });
      const rescan = proxy.rescanCommits({ repository: "nowhere", commits: [], branch: "main" });
      await expect(rescan).rejects.toMatchObject({ message: expect.stringContaining("nowhere") as string });
      await queue.close();
      await store.close();
      const row = (await house.people.bots.commands({ bot: "two" })).find(({ method }) => method === "rescanCommits");
      expect(row).toMatchObject({ state: "failed", outcome: expect.stringContaining("nowhere") as string });
    });
  });

  test("(g) bots that are killed at random build each request once, and lose none", { concurrent: false }, async () => {
    const random = randomOf(7);
    const report = await runCrowd(house, { requests: 16, bots: 3, botKills: 2, serverKills: 0, random });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ requests: 16, botKills: 2 });
  });

  test(
    "(i) a server that is started anew finds its bots again, and hears of what they built meanwhile",
    { concurrent: false },
    async () => {
      const request = await house.force("restart");
      const { id } = await house.running(request);
      await until(async () => (await house.log(id, 1)).includes("before"));
      // The bots wait at it for commands.
      expect(await house.stopServer("SIGTERM")).toBe(0);
      house.open("restart");
      await house.startServer();
      const [row] = await house.people.bots.command({ bot: "two", method: "ping" });
      const build = await house.ended(request);
      expect(build).toMatchObject({ id, results: "success" });
      expect(await house.log(id, 1)).toContain("before\nbetween\n");
      await until(async () => !["queued", "claimed"].includes((await rowOf(row?.id))?.state ?? "queued"));
      expect(await rowOf(row?.id)).toMatchObject({ state: "done", outcome: expect.stringContaining("pong") as string });
    },
  );

  test(
    "(j) a database that ends at once and is back gives what was built meanwhile",
    { concurrent: false },
    async () => {
      const request = await house.force("crash");
      const { id } = await house.running(request);
      await until(async () => (await house.log(id, 1)).includes("before"));
      if (postgres === undefined) {
        // SQLite lives in the server's process.
        await house.stopServer("SIGKILL");
        house.open("crash");
        await house.startServer();
      } else {
        await postgres.kill();
        const health = (): Promise<number> => fetch(`${house.pageUrl}/health`).then(({ status }) => status);
        // The first may find a connection of the server before the last.
        await until(async () => (await health().catch(() => 200)) !== 200);
        house.open("crash");
        await postgres.up();
      }
      const build = await house.ended(request);
      expect(build).toMatchObject({ id, results: "success" });
      expect(await house.log(id, 1)).toContain("before\nbetween\n");
      const [row] = await house.people.bots.command({ bot: "two", method: "ping" });
      await until(async () => (await rowOf(row?.id))?.state === "done");
    },
  );
});
