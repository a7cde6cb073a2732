// Whole rounds with real processes, real git and SQLite files.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@rpc/core";
import { createDbQueue, createSqliteStore } from "@rpc/db-queue";
import { createTcpTransport } from "@rpc/tcp";
import { describe, expect, test, vi } from "vitest";
import { Bot, Desk } from "../src/contracts/bot.ts";
import { House, processesWith, until } from "./e2e-rig.ts";

// Processes start slowly where many others run.
vi.setConfig({ testTimeout: 120_000 });

describe("a build", () => {
  test("that is forced shows its log while it runs", async () => {
    await using house = await House.start();
    await house.configure({ tests: { steps: [{ name: "talk", command: "cat hello.txt; sleep 2; echo bye" }] } });
    await house.startBot("one");
    const { builds } = house.people;
    const request = await house.force("tests");
    const { id } = await house.running(request);
    let seenWhile: string | undefined;
    for await (const { lines } of builds.follow({ build: id, step: 1 })) {
      if (seenWhile === undefined && lines.some(({ text }) => text === "hello")) {
        seenWhile = (await builds.get({ id })).state;
      }
    }
    expect(seenWhile).toBe("running");
    const { results, subject, steps } = await house.ended(request);
    expect({ results, subject }).toEqual({ results: "success", subject: "Begin" });
    expect(steps.map(({ results: each }) => each)).toEqual(["success", "success"]);
  });

  test("goes on as it began when its steps are edited; the next one has the new ones", async () => {
    await using house = await House.start();
    await house.configure({ tests: { steps: [{ name: "old", command: "sleep 2; echo old" }] } });
    await house.startBot("one", 1);
    const first = await house.force("tests");
    await house.running(first);
    await house.configure({ tests: { steps: [{ name: "new", command: "echo new" }] } });
    const second = await house.force("tests");
    const before = await house.ended(first);
    const after = await house.ended(second);
    expect([before.results, after.results]).toEqual(["success", "success"]);
    expect([before.steps.at(-1)?.name, after.steps.at(-1)?.name]).toEqual(["old", "new"]);
  });

  test("of a killed bot is built again by its successor, and what the dead one would say is refused", async () => {
    await using house = await House.start();
    await house.configure({
      tests: {
        steps: [
          { name: "once", command: `test -e ${house.folder}/second || { touch ${house.folder}/second; sleep 60; }` },
        ],
      },
    });
    const bot = await house.startBot("one");
    const request = await house.force("tests");
    const { id: lost } = await house.running(request);
    await until(() => existsSync(join(house.folder, "second")));
    const [before] = await house.people.bots.list();
    await bot.end("SIGKILL");
    await house.startBot("one");
    const again = await house.ended(request);
    expect(again).toMatchObject({ results: "success" });
    expect(again.id).not.toBe(lost);
    expect(await house.people.builds.get({ id: lost })).toMatchObject({ results: "retry", state: "finished" });
    const { token } = await house.people.bots.create({ name: "ghost" });
    const [identity = "", secret = ""] = token.split(":");
    const transport = createTcpTransport(house.tcpUrl, { identity, secret });
    const stale = {
      build: lost,
      incarnation: before?.incarnation ?? "",
      at: 1,
      results: "success" as const,
      summary: "",
    };
    await expect(createClient(Desk, transport).finished(stale)).rejects.toMatchObject({ reason: "BuildLost" });
    await transport.close();
    expect(await house.people.builds.get({ id: lost })).toMatchObject({ results: "retry" });
  });

  test("waits while no bot is there, and a button's command ends as expired after ten seconds", async () => {
    await using house = await House.start();
    await house.configure({ tests: { steps: [{ name: "go", command: "true" }] } });
    const bot = await house.startBot("one");
    expect(await bot.end("SIGTERM")).toBe(0);
    await house.present("one", false);
    const { bots } = house.people;
    const [pressed] = await bots.command({ bot: "one", method: "ping" });
    const request = await house.force("tests");
    const stateOf = async (): Promise<string | undefined> =>
      (await bots.commands({})).find(({ id }) => id === pressed?.id)?.state;
    expect(await stateOf()).toBe("queued");
    await until(async () => (await stateOf()) === "expired");
    expect((await house.people.builds.request({ id: request.id })).state).toBe("pending");
    await house.startBot("one");
    expect((await house.ended(request)).results).toBe("success");
    expect(await stateOf()).toBe("expired");
  });

  test("follows from a push", async () => {
    await using house = await House.start();
    await house.configure({
      tests: {
        schedulers: [{ kind: "change", quietSeconds: 0 }],
        steps: [{ name: "show", command: "cat pushed.txt" }],
      },
    });
    await house.startBot("one");
    const { bots, builds } = house.people;
    const poll = async (): Promise<void> => {
      const [row] = await bots.command({ bot: "one", method: "pollAllSources" });
      await until(async () => (await bots.commands({})).some(({ id, state }) => id === row?.id && state === "done"));
    };
    await poll();
    const hash = house.repository.commit("Push something", { "pushed.txt": "it came\n" });
    await poll();
    await until(async () =>
      (await builds.list({ builder: "tests" })).some(
        ({ revision, state }) => revision === hash && state === "finished",
      ),
    );
    const build = (await builds.list({ builder: "tests" })).find(({ revision }) => revision === hash);
    expect(build).toMatchObject({
      results: "success",
      subject: "Push something",
      author: expect.stringContaining("Ada") as string,
    });
    expect(await house.log(build?.id ?? 0, 1)).toContain("it came");
  });

  test("halts at a step that fails, and cleans up all the same; is stopped when it says nothing; is cancelled", async () => {
    await using house = await House.start();
    const mark = `600.${process.pid}`;
    const cleanUp = { name: "clean up", command: "echo cleaned", alwaysRun: true };
    await house.configure({
      fails: { steps: [{ name: "break", command: "exit 3" }, { name: "never", command: "true" }, cleanUp] },
      silent: {
        steps: [{ name: "sleep", command: `sleep ${mark} & wait`, noOutputTimeoutSeconds: 1, killAfterSeconds: 1 }],
      },
      long: {
        steps: [{ name: "sleep", command: `echo sleeping; sleep ${mark} & wait`, killAfterSeconds: 1 }, cleanUp],
      },
    });
    await house.startBot("one", 3);
    const [fails, silent, long] = await Promise.all([house.force("fails"), house.force("silent"), house.force("long")]);
    const { id } = await house.running(long);
    await until(async () => (await house.log(id, 1)).includes("sleeping"));
    await house.people.builds.cancel({ id, reason: "nobody needs it" });
    const failed = await house.ended(fails);
    expect(failed.results).toBe("failure");
    expect(failed.steps.map(({ results }) => results)).toEqual(["success", "failure", "skipped", "success"]);
    expect(failed.steps[1]).toMatchObject({ exitCode: 3 });
    const stopped = await house.ended(silent);
    expect(stopped.results).not.toBe("success");
    expect(stopped.steps[1]?.summary).toContain("no output for 1 s");
    const cancelled = await house.ended(long);
    expect(cancelled.results).toBe("cancelled");
    expect(cancelled.steps.at(-1)).toMatchObject({ name: "clean up", results: "success" });
    expect(processesWith(mark)).toEqual([]);
  });
});

describe("bots", () => {
  test("share builders: each request is built once", async () => {
    await using house = await House.start();
    await house.configure({ tests: { steps: [{ name: "go", command: `echo x >> ${house.folder}/built` }] } });
    await Promise.all([house.startBot("one"), house.startBot("two")]);
    const requests = await Promise.all(Array.from({ length: 12 }, () => house.force("tests")));
    const builds = [];
    for (const request of requests) builds.push(await house.ended(request));
    expect(builds.map(({ results }) => results)).toEqual(requests.map(() => "success"));
    expect(new Set(builds.map(({ id }) => id)).size).toBe(requests.length);
    expect(await house.people.builds.list({})).toHaveLength(requests.length);
    expect(new Set(builds.map(({ bot }) => bot)).size).toBe(2);
  });

  test("all hear that the configuration is to be forgotten", async () => {
    await using house = await House.start();
    await Promise.all([house.startBot("one"), house.startBot("two")]);
    const { bots } = house.people;
    const rows = await bots.command({ bot: "*", method: "triggerAllReconfig" });
    expect(rows.map(({ bot }) => bot).toSorted()).toEqual(["one", "two"]);
    const ids = new Set(rows.map(({ id }) => id));
    await until(
      async () => (await bots.commands({})).filter(({ id, state }) => ids.has(id) && state === "done").length === 2,
    );
  });

  test("go on building while the server is away, and tell it when it is back", async () => {
    await using house = await House.start();
    await house.configure({
      tests: { steps: [{ name: "count", command: "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done" }] },
    });
    await house.startBot("one");
    const request = await house.force("tests");
    const { id } = await house.running(request);
    await until(async () => (await house.log(id, 1)).includes("line 1"));
    expect(await house.stopServer("SIGTERM")).toBe(0);
    await new Promise((resolve) => void setTimeout(resolve, 1500));
    await house.startServer();
    const build = await house.ended(request);
    expect(build).toMatchObject({ id, results: "success" });
    expect(await house.log(id, 1)).toMatch(/line 1\nline 2\nline 3\nline 4\nline 5\nline 6/);
  });

  test("refuse an unknown repository with title and text", async () => {
    await using house = await House.start();
    await house.startBot("one");
    // Another program with the same database: a row in the table is all that a bot needs.
    const store = createSqliteStore({ file: join(house.data, "buildbot.db") });
    const queue = createDbQueue(store);
    const [bot] = await house.people.bots.list();
    const proxy = queue.proxy(Bot, `software_dev.buildbot:${bot?.id}`, { expires: "10s" });
    const rescan = proxy.rescanCommits({ repository: "nowhere", commits: [], branch: "main" });
    await expect(rescan).rejects.toMatchObject({ message: expect.stringContaining("nowhere") as string });
    await queue.close();
    await store.close();
    const row = (await house.people.bots.commands({})).find(({ method }) => method === "rescanCommits");
    expect(row).toMatchObject({ state: "failed", outcome: expect.stringContaining("nowhere") as string });
  });
});
