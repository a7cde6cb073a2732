import { createRouter, defineContract, unary } from "@rpc/core";
import { type DbQueueAgent, serveDbQueue } from "@rpc/db-queue";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../db-queue/test/embedded-postgres.ts";
import { type Engine, openRig, type Rig } from "./rig.ts";

const ADDRESS = "bot:7";
const Bot = defineContract("demo.Bot", { build: unary(), flaky: unary() });

describe.each<Engine>(["sqlite", "postgres"])("tail on %s", (engine) => {
  let rig: Rig;
  let agent: DbQueueAgent;
  let gate = Promise.withResolvers<void>();

  beforeAll(async () => {
    rig = await openRig(engine);
    const { queue } = rig;
    await queue.ensureAddress(ADDRESS);
    await queue.ensureAddress("other");
    const router = createRouter(Bot, {
      build: async (_, context) => {
        context.log("cloning");
        await gate.promise;
        context.progress(1);
        return "built";
      },
      flaky: (_, context) => {
        if (context.attempt === 1) throw new Error("not yet");
        return "at last";
      },
    });
    agent = await serveDbQueue(router, { queue, address: ADDRESS, name: "seven", random: () => 0 });
  }, 60_000);

  afterAll(async () => {
    await agent.close();
    await rig.close();
  });

  const columns = (line: string): string[] => line.split("\t").slice(1);

  test("tells what happens as it happens, and ends cleanly", async () => {
    gate = Promise.withResolvers();
    await rig.queue.send("other", "before").accepted;
    const tail = rig.start("tail");
    expect(columns(await tail.line("before"))).toEqual(["1", "queued", "other", "before", ""]);
    const id = await rig.queue.send(ADDRESS, "build", ["main"]).accepted;
    expect(columns(await tail.line("queued"))).toEqual([String(id), "queued", ADDRESS, "build", '"main"']);
    expect(columns(await tail.line("claimed"))).toEqual([String(id), "claimed", ADDRESS, "build", "by seven"]);
    expect(columns(await tail.line("cloning"))).toEqual([String(id), "info", ADDRESS, "build", "cloning"]);
    gate.resolve();
    expect(columns(await tail.line("progress"))).toEqual([String(id), "progress", ADDRESS, "build", "1"]);
    expect(columns(await tail.line("done")).join(" ")).toMatch(/^\d+ done bot:7 build ran \d+(ms|\.\ds) {2}"built"$/);
    await rig.queue.cancel(1, "not needed");
    expect(columns(await tail.line("cancelled")).slice(0, 3)).toEqual(["1", "cancelled", "other"]);
    tail.signal("SIGINT");
    expect(await tail.ended).toMatchObject({ code: 0, error: "" });
  });

  test("tells of another try", async () => {
    const tail = rig.start("tail", ADDRESS, "--last", "1", "--json");
    await tail.line("{");
    const id = await rig.queue.send(ADDRESS, "flaky", [], {}, { maxAttempts: 2 }).accepted;
    const next = async (what: string): Promise<unknown> => JSON.parse(await tail.line(`"what":"${what}"`));
    expect(await next("queued")).toMatchObject({ id, address: ADDRESS, method: "flaky", args: [] });
    expect(await next("claimed")).toMatchObject({ id, attempts: 1, agent: "seven" });
    expect(await next("requeued")).toMatchObject({ id, state: "queued" });
    expect(await next("claimed")).toMatchObject({ id, attempts: 2 });
    expect(await next("done")).toMatchObject({ id, result: "at last", at: expect.stringMatching(/Z$/) });
    tail.signal("SIGTERM");
    expect(await tail.ended).toMatchObject({ code: 0, error: "" });
  });

  test("of one command tells all from its beginning, and ends with it", async () => {
    gate = Promise.withResolvers();
    const id = await rig.queue.send(ADDRESS, "build").accepted;
    const tail = rig.start("tail", String(id));
    await tail.line("cloning");
    expect((await rig.run("cancel", String(id), "--reason", "enough")).out).toMatch(/asked to end/);
    expect(columns(await tail.line("cancelling"))).toEqual([String(id), "cancelling", ADDRESS, "build", "enough"]);
    gate.resolve();
    await tail.line("done");
    expect(await tail.ended).toMatchObject({ code: 0, error: "" });

    const late = await rig.run("tail", String(id), "--json");
    const words = late.out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { what: string }).what);
    expect(words).toEqual(["queued", "claimed", "log", "cancelling", "progress", "done"]);
  });

  test("says of what is not there that it is not", async () => {
    expect(await rig.run("tail", "999")).toMatchObject({ code: 1, error: expect.stringContaining("no command 999") });
    expect(await rig.run("tail", "nobody")).toMatchObject({ code: 1, error: expect.stringContaining("no address") });
  });

  test("passes over other addresses", async () => {
    const tail = rig.start("tail", "other", "--last", "1");
    await tail.line("before");
    await rig.queue.send(ADDRESS, "flaky", [], {}, { maxAttempts: 2 });
    await rig.queue.send("other", "mine").accepted;
    expect(columns(await tail.line("\t")).slice(1, 4)).toEqual(["queued", "other", "mine"]);
    tail.signal("SIGINT");
    await tail.ended;
  });
});

test("a database that goes away and comes back ends no tail", { timeout: 60_000 }, async () => {
  const server = await startPostgres();
  const rig = await openRig("postgres", server.url());
  try {
    await rig.queue.ensureAddress(ADDRESS);
    await rig.queue.send(ADDRESS, "before").accepted;
    const tail = rig.start("tail");
    await tail.line("before");
    await server.crash();
    await rig.queue.send(ADDRESS, "after").accepted;
    await tail.line("after");
    tail.signal("SIGINT");
    expect((await tail.ended).code).toBe(0);
  } finally {
    await rig.close();
    await server.stop();
  }
});

test("of very many new commands at once it tells the newest, and says so", { timeout: 60_000 }, async () => {
  const rig = await openRig("sqlite");
  try {
    await rig.queue.ensureAddress(ADDRESS);
    await rig.queue.send(ADDRESS, "before").accepted;
    const tail = rig.start("tail");
    await tail.line("before");
    const commands = Array.from({ length: 25_000 }, () => ({ address: ADDRESS, method: "many" }));
    await rig.store.insert(commands);
    expect(await tail.line("\t25001\t")).toContain("\tmany\t");
    tail.signal("SIGINT");
    expect(await tail.ended).toMatchObject({
      code: 0,
      error: expect.stringContaining("the oldest of them are left out"),
    });
  } finally {
    await rig.close();
  }
});
