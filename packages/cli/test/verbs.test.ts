import { createRouter, defineContract, unary } from "@rpc/core";
import { CommandFailure, serveDbQueue } from "@rpc/db-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Engine, openRig, type Rig } from "./rig.ts";

const ADDRESS = "software_dev.buildbot:7";
const Bot = defineContract("demo.Bot", { build: unary(), refuse: unary(), shout: unary() });
const ESCAPE = "\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\r\nroot#";

describe.each<Engine>(["sqlite", "postgres"])("on %s", (engine) => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await openRig(engine);
    const { queue } = rig;
    await queue.ensureAddress(ADDRESS);
    await queue.ensureAddress("empty");
    const router = createRouter(Bot, {
      build: (branch, context) => {
        context.log(`building ${String(branch)}`);
        context.progress(0.5);
        return { number: 42n, branch };
      },
      refuse: () => {
        throw new CommandFailure("Closed", "Come back tomorrow", { code: 7 });
      },
      shout: (_, context) => {
        context.log(ESCAPE);
        throw new Error(ESCAPE);
      },
    });
    const agent = await serveDbQueue(router, { queue, address: ADDRESS, name: "seven" });
    await queue.send(ADDRESS, "build", ["main"]); // 1
    await queue.send(ADDRESS, "refuse").catch(() => undefined); // 2
    await queue.send(ADDRESS, "shout").catch(() => undefined); // 3
    await agent.close();
    await queue.send(ADDRESS, ESCAPE, [], { depth: 1 }, { delay: "1h", expires: "2h", priority: 3 }).accepted; // 4
  }, 60_000);

  afterAll(() => rig.close());

  const json = async (...args: string[]): Promise<unknown> => {
    const { code, out, error } = await rig.run(...args, "--json");
    expect({ code, error }).toEqual({ code: 0, error: "" });
    return JSON.parse(out);
  };

  test("ls gives a line for each command, newest first, with tabs and without colour", async () => {
    const { code, out, error } = await rig.run("ls");
    expect({ code, error }).toEqual({ code: 0, error: "" });
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(lines.map(([id, state, address]) => [id, state, address])).toEqual([
      ["4", "queued", ADDRESS],
      ["3", "failed", ADDRESS],
      ["2", "failed", ADDRESS],
      ["1", "done", ADDRESS],
    ]);
    expect(lines[2]?.at(-1)).toBe("COMMAND_FAILURE: Closed: Come back tomorrow");
    expect(lines[3]?.[4]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test("nothing that a row says reaches the terminal as more than text", async () => {
    for (const args of [
      ["ls"],
      ["ls", "--json"],
      ["show", "3"],
      ["show", "4"],
      ["show", "3", "--json"],
      ["tail", "3"],
    ]) {
      const { out } = await rig.run(...args);
      expect(out.replaceAll("\n", "").replaceAll("\t", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(out).toMatch(/root#/);
    }
    expect(await json("ls", "--state", "queued")).toMatchObject([{ method: ESCAPE }]);
  });

  test("ls filters by address, state, method, agent, age and number", async () => {
    const ids = async (...args: string[]): Promise<unknown[]> =>
      ((await json("ls", ...args)) as { id: unknown }[]).map(({ id }) => id);
    expect(await ids("--address", "empty")).toEqual([]);
    expect(await ids("--address", ADDRESS, "--limit", "2")).toEqual([4, 3]);
    expect(await ids("--state", "failed,queued")).toEqual([4, 3, 2]);
    expect(await ids("--state", "done", "--state", "queued")).toEqual([4, 1]);
    expect(await ids("--method", "build")).toEqual([1]);
    expect(await ids("--agent", "seven", "--state", "failed")).toEqual([3, 2]);
    expect(await ids("--newer-than", "1h", "--limit", "1")).toEqual([4]);
    expect(await ids("--older-than", "1h")).toEqual([]);
    expect(await ids("--older-than", "0ms")).toEqual([4, 3, 2, 1]);
    for (const args of [
      ["ls", "--address", "nobody"],
      ["agents", "nobody"],
    ]) {
      expect(await rig.run(...args)).toMatchObject({ code: 1, error: expect.stringContaining('no address "nobody"') });
    }
  });

  test("show has the call, its times, its outcome and its log", async () => {
    const { out } = await rig.run("show", "1");
    for (const line of [
      /^command 1 {2}done$/m,
      /^arguments +\["main"\]$/m,
      /^claimed +.* by seven \(seven-.*\), waited \d/m,
      /^tries +1 of 1$/m,
      /^result +.*42/m,
      /^[\d:.]+ {2}info +building main$/m,
      /^[\d:.]+ {2}progress +0.5$/m,
    ]) {
      expect(out).toMatch(line);
    }
    const refused = (await rig.run("show", "2")).out;
    expect(refused).toMatch(/^error +COMMAND_FAILURE: Closed: Come back tomorrow$/m);
    expect(refused).toMatch(/^to callers +UNKNOWN, reason COMMAND_FAILURE/m);
    expect((await rig.run("show", "4")).out).toMatch(/^note +due in 59m, expires in 1h$/m);
    expect(await json("show", "1")).toMatchObject({
      id: 1,
      args: ["main"],
      state: "done",
      progress: 0.5,
      events: [
        { seq: 1, kind: "log", data: { message: "building main" } },
        { seq: 2, kind: "progress", data: 0.5 },
      ],
    });
    expect(await json("show", "1", "--events", "1")).toMatchObject({ events: [{ seq: 2 }] });
  });

  test("stats counts what waits, what has ended and how long that took", async () => {
    expect(await json("stats")).toMatchObject([
      { address: "empty", readyCount: 0 },
      { address: ADDRESS, delayedCount: 1, finished: { done: 1, failed: 2, runMs: { p50: expect.any(Number) } } },
    ]);
    expect((await rig.run("stats", ADDRESS)).out.split("\t").slice(0, 8)).toEqual([
      ADDRESS,
      "0",
      "1",
      "0",
      "",
      "0",
      "1",
      "2",
    ]);
    expect(await rig.run("stats", "nobody")).toMatchObject({
      code: 1,
      error: 'rpc-queue: no address "nobody": `rpc-queue stats` lists those there are\n',
    });
  });

  test("pause and resume stop and start an address", async () => {
    expect(await rig.run("pause", "empty")).toEqual({ code: 0, out: "empty is paused\n", error: "" });
    expect((await rig.run("stats", "empty")).out).toMatch(/\tpaused\n$/);
    expect(await rig.run("resume", "empty")).toEqual({ code: 0, out: "empty goes on\n", error: "" });
    expect(await rig.store.findAddress("empty")).toMatchObject({ paused: false });
    expect(await rig.run("pause", "nobody")).toMatchObject({
      code: 1,
      error: expect.stringContaining("rpc-queue stats"),
    });
  });

  test("cancel and retry tell of each command, and fail when one of them could not be done", async () => {
    const id = await rig.queue.send("empty", "wait").accepted;
    const cancelled = await rig.run("cancel", String(id), "1", "999", "--reason", "not needed");
    expect(cancelled).toEqual({
      code: 1,
      out: `${id} cancelled\n`,
      error:
        "rpc-queue: command 1 is done: too late to cancel it\n" +
        "rpc-queue: no command 999: it never was, or it has been deleted\n",
    });
    expect(await rig.queue.handle(id).row()).toMatchObject({ state: "cancelled", cancelReason: "not needed" });

    const retried = await rig.run("retry", String(id), "--expires", "1h", "--max-attempts", "3");
    const [old, fresh] = retried.out.trimEnd().split("\t").map(Number);
    expect([retried.code, old]).toEqual([0, id]);
    expect(await rig.queue.handle(fresh ?? 0).row()).toMatchObject({ state: "queued", method: "wait", maxAttempts: 3 });
    expect(await rig.run("retry", String(fresh))).toMatchObject({
      code: 1,
      error: expect.stringContaining("is queued"),
    });
    await rig.queue.cancel(fresh ?? 0);
  });

  test("agents says who is there, and send --wait gives what the agent answers", async () => {
    expect(await rig.run("send", "new:1", "build", "--ensure-address", "--fail-fast")).toMatchObject({
      code: 1,
      error: expect.stringContaining("no live agent"),
    });
    const router = createRouter(Bot, {
      build: (input) => input,
      refuse: () => {
        throw new CommandFailure("Closed", "Come back tomorrow");
      },
      shout: () => undefined,
    });
    const agent = await serveDbQueue(router, { queue: rig.queue, address: "new:1", name: "one", concurrency: 3 });
    expect(await rig.run("send", "new:1", "build", '"main"', "--wait")).toEqual({
      code: 0,
      out: '"main"\n',
      error: "",
    });
    expect(await rig.run("send", "new:1", "shout", "--wait")).toEqual({ code: 0, out: "null\n", error: "" });
    expect(await rig.run("send", "new:1", "build", '{"$date":"2026-11-21T10:00:00.000Z"}', "--wait")).toMatchObject({
      out: '{"$date":"2026-11-21T10:00:00.000Z"}\n',
    });
    expect(await rig.run("send", "new:1", "refuse", "--wait")).toMatchObject({
      code: 1,
      out: "",
      error: "rpc-queue: Closed: Come back tomorrow\n",
    });
    expect(await json("agents", "new:1")).toMatchObject([
      { address: "new:1", agent: "one", concurrency: 3, life: "alive", methods: ["build", "refuse", "shout"] },
    ]);
    await agent.close();
    expect(await json("agents")).toEqual([]);
  });

  test("show reads a result that was too large for its row from where it stands, and shows no parts of it", async () => {
    const { queue } = rig;
    const router = createRouter(Bot, {
      build: () => "x".repeat(1_100_000),
      refuse: () => undefined,
      shout: () => undefined,
    });
    await queue.ensureAddress("large");
    const agent = await serveDbQueue(router, { queue, address: "large", maxResultBytes: 2_000_000 });
    const id = await queue.send("large", "build").accepted;
    await queue.handle(id);
    await agent.close();
    const shown = (await rig.run("show", String(id))).out;
    expect(shown).toMatch(/^result +"x{19999}…$/m);
    expect(shown).not.toContain("events");
    expect((await rig.run("tail", String(id))).out.split("\n").map((line) => line.split("\t")[2])).toEqual([
      "queued",
      "claimed",
      "done",
      undefined,
    ]);
  });

  test("send --wait of a command that nobody takes ends with its expiry", async () => {
    const { code, out, error } = await rig.run("send", "empty", "wait", "--expires", "1ms", "--wait");
    expect([code, out]).toEqual([1, ""]);
    expect(error).toMatch(/expired before an agent took it/);
  });

  test("send takes arguments by position and by name, and says no to what is no JSON", async () => {
    const sent = await rig.run("send", "empty", "go", "-5", "[1,2]", "--kwargs", '{"a":null}', "--priority", "-2");
    const id = Number(sent.out);
    expect(await json("show", String(id))).toMatchObject({ args: [-5, [1, 2]], kwargs: { a: null }, priority: -2 });
    await rig.queue.cancel(id);
    expect(await rig.run("send", "empty", "go", "main")).toMatchObject({
      code: 2,
      error: expect.stringContaining("a text needs quotes of its own"),
    });
    expect(await rig.run("send", "nobody", "go")).toMatchObject({
      code: 1,
      error: expect.stringContaining("send --ensure-address"),
    });
  });

  test("migrate can be called again", async () => {
    expect(await rig.run("migrate")).toMatchObject({ code: 0, out: expect.stringContaining("nothing to do") });
  });
});
