import { createClient, createRouter, RpcError } from "@rpc/core";
import { CommandFailure, CommandService, createRemoteStore, type DbQueueAgent, serveDbQueue } from "@rpc/db-queue";
import { afterEach, describe, expect, test } from "vitest";
import { Bot } from "../src/contracts/bot.ts";
import type { CommandSummary } from "../src/contracts/values.ts";
import { addressOf, Commands } from "../src/server/commands/index.ts";
import { insertRequest, requestCancel } from "../src/server/store/index.ts";
import { type DeskRig, openDeskRig } from "./desk-rig.ts";
import { configure } from "./store-rig.ts";
import { TestClock } from "./test-clock.ts";

const rigs: DeskRig[] = [];
const agents: DbQueueAgent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
  for (const rig of rigs.splice(0)) await rig[Symbol.asyncDispose]();
});

async function open(options: Parameters<typeof openDeskRig>[0] = {}): Promise<DeskRig> {
  const rig = await openDeskRig(options);
  rigs.push(rig);
  await configure(rig.store, { pack: {}, only: { bots: ["anna"] } });
  return rig;
}

/** Settles when a command of that id is in that state, with what was told of it. */
function toldOf(rig: DeskRig, id: number, state: CommandSummary["state"]): Promise<CommandSummary> {
  const isIt = (value: unknown): value is CommandSummary =>
    (value as CommandSummary).id === id && (value as CommandSummary).state === state;
  return new Promise((resolve) => {
    const before = rig.told.find(({ name, value }) => name === "commandChanged" && isIt(value));
    if (before !== undefined) resolve(before.value as CommandSummary);
    rig.bus.on("commandChanged", (command) => {
      if (isIt(command)) resolve(command);
    });
  });
}

async function serve(rig: DeskRig, bot: { id: number; name: string }, slow = Promise.resolve()): Promise<DbQueueAgent> {
  const router = createRouter(Bot, {
    ping: async () => {
      await slow;
      return "pong" as const;
    },
    triggerMasterRequests: () => ({}),
    triggerAllReconfig: () => ({}),
    pollAllSources: () => ({ commits: 3 }),
    pollSources: () => ({ commits: 0 }),
    rescanCommits: ({ repository }) => {
      throw new CommandFailure("Unknown repository", `nobody knows ${repository}`);
    },
    stopBuild: () => ({ stopped: true }),
    rebuild: () => ({ request: 1 }),
    pause: () => ({}),
    resume: () => ({}),
    shutdown: () => ({}),
    status: () => ({ paused: false, running: [], about: {} }),
  });
  const store = createRemoteStore(rig.transport(bot.name));
  const agent = await serveDbQueue(router, { store, address: addressOf(bot.id), name: bot.name, reaper: false });
  agents.push(agent);
  return agent;
}

describe.each(["sqlite", "postgres"] as const)("commands in %s", (kind) => {
  test("are told live, from the button to the bot's answer", async () => {
    const rig = await open({ kind });
    const anna = await rig.addBot("anna");
    const berta = await rig.addBot("berta");
    const slow = Promise.withResolvers<void>();
    await serve(rig, anna, slow.promise);
    await serve(rig, berta);
    const pressed = await rig.commands.press({ bot: "*", method: "ping", by: "ada" });
    expect(pressed.map(({ bot, method, createdBy }) => [bot, method, createdBy])).toEqual([
      ["anna", "ping", "ada"],
      ["berta", "ping", "ada"],
    ]);
    const [atAnna, atBerta] = pressed.map(({ id }) => id);
    expect(await toldOf(rig, atBerta ?? 0, "done")).toMatchObject({ bot: "berta", outcome: "pong" });
    expect(await toldOf(rig, atAnna ?? 0, "claimed")).toMatchObject({ bot: "anna", outcome: "runs" });
    slow.resolve();
    expect((await toldOf(rig, atAnna ?? 0, "done")).finishedAt).toBeGreaterThan(0);
    expect((await rig.commands.list({ bot: "anna", limit: 9 })).map(({ id, state }) => [id, state])).toEqual([
      [atAnna, "done"],
    ]);
    expect(await rig.commands.list({ before: atBerta, limit: 9 })).toMatchObject([{ id: atAnna }]);
    expect(rig.failures).toEqual([]);
  });

  test("show what they failed of, in the bot's words", async () => {
    const rig = await open({ kind });
    await serve(rig, await rig.addBot("anna"));
    const commits = Array.from({ length: 1001 }, (_, at) => at.toString(16).padStart(40, "0"));
    const wanted = { repository: "gone", commits, branch: "main" };
    const ids = await rig.commands.rescanCommits("anna", wanted, "ada");
    expect(ids).toHaveLength(2);
    expect(await toldOf(rig, ids[1] ?? 0, "failed")).toMatchObject({
      outcome: "Unknown repository: nobody knows gone",
      args: expect.stringContaining("repository: gone"),
    });
    const polled = await rig.commands.pollSources("anna", ["house"], "timer");
    expect(await toldOf(rig, polled ?? 0, "done")).toMatchObject({
      outcome: "commits: 0",
      args: expect.stringContaining("house"),
    });
  });

  test("are there when the transaction commits that made them, or never were", async () => {
    const rig = await open({ kind });
    await rig.addBot("anna");
    await rig.addBot("berta");
    const wish = (builder: string, fails: boolean) =>
      rig.store.transaction(async (tx) => {
        const request = await insertRequest(tx.db, { builder, reason: "forced", by: "ada", at: 1 });
        if (request === undefined) throw new Error("no builder");
        await rig.commands.tellOfRequests(tx, [request, request], { by: "ada" });
        if (fails) throw new Error("undone");
      });
    await expect(wish("pack", true)).rejects.toThrow("undone");
    expect(await rig.commands.list({ limit: 9 })).toEqual([]);
    await wish("only", false);
    await wish("pack", false);
    const commands = await rig.commands.list({ limit: 9 });
    // Who may not build it is not told.
    expect(commands.map(({ bot, state }) => [bot, state])).toEqual([
      ["berta", "queued"],
      ["anna", "queued"],
      ["anna", "queued"],
    ]);
    const [{ createdAt, expiresAt = 0, id }] = commands as [CommandSummary];
    expect(expiresAt - createdAt).toBe(3_600_000);
    expect(await toldOf(rig, id, "queued")).toMatchObject({ method: "triggerMasterRequests", createdBy: "ada" });
    expect(await rig.commands.cancel(id, "eve")).toMatchObject({ state: "cancelled", outcome: "cancelled by eve" });
    await toldOf(rig, id, "cancelled");
    await expect(rig.commands.cancel(999, "eve")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(rig.commands.press({ bot: "carl", method: "ping", by: "ada" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  test("of a bot go with it", async () => {
    const rig = await open({ kind });
    const anna = await rig.addBot("anna");
    await rig.commands.press({ bot: "anna", method: "status", by: "ada" });
    await rig.store.transaction((tx) => rig.commands.removeBot(tx, anna));
    expect(await rig.commands.list({ limit: 9 })).toEqual([]);
    const error = await serve(rig, anna).then(
      () => undefined,
      (thrown: unknown) => RpcError.from(thrown),
    );
    expect(error).toMatchObject({ code: "PERMISSION_DENIED" });
  });
});

test("a button that no bot hears expires visibly after ten seconds, whether or not anybody asks", async () => {
  const clock = new TestClock();
  const rig = await open({ clock, wallClock: () => clock.wall });
  await rig.addBot("anna");
  const [pressed] = await rig.commands.press({ bot: "anna", method: "ping", by: "ada" });
  const id = pressed?.id ?? 0;
  let isOver = false;
  const expired = toldOf(rig, id, "expired").then((command) => {
    isOver = true;
    return command;
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await pass(9_950);
  expect(isOver).toBe(false);
  await pass(300);
  expect(await expired).toMatchObject({ outcome: "no bot took it within 10 s", method: "ping" });
  expect((await rig.commands.list({ limit: 1 }))[0]).toMatchObject({ state: "expired" });
});

test("a pause holds for claims as well as for the bot", async () => {
  const rig = await open();
  const anna = await rig.addBot("anna");
  const desk = rig.desk("anna");
  await serve(rig, anna);
  await insertRequest(rig.store.db, { builder: "pack", reason: "forced", by: "ada", at: 1 });
  await desk.hello({ incarnation: "1", about: {}, running: [] });
  await rig.commands.press({ bot: "anna", method: "pause", by: "ada" });
  expect(await desk.claim({ incarnation: "1", max: 1 })).toEqual([]);
  expect((await desk.hello({ incarnation: "1", about: {}, running: [] })).paused).toBe(true);
  await rig.commands.press({ bot: "anna", method: "resume", by: "ada" });
  const [order] = await desk.claim({ incarnation: "1", max: 1 });
  const stop = await rig.store.transaction(async (tx) => {
    const build = await requestCancel(tx.db, order?.build ?? 0, "no");
    return build && rig.commands.stopBuild(tx, build, { by: "ada", reason: "no" });
  });
  expect(await toldOf(rig, stop ?? 0, "done")).toMatchObject({ method: "stopBuild", outcome: "stopped: true" });
});

test("a bot has its own commands only, and sends none", async () => {
  const rig = await open();
  const anna = await rig.addBot("anna");
  const eve = await rig.addBot("eve");
  const [pressed] = await rig.commands.press({ bot: "anna", method: "ping", by: "ada" });
  const hostile = createRemoteStore(rig.transport("eve"));
  const service = createClient(CommandService, rig.transport("eve"));
  const address = addressOf(anna.id);
  const me = { address, agent: "anna", incarnation: "eve-1" };
  const denied = { code: "PERMISSION_DENIED" };
  await expect(hostile.subscribe(me)).rejects.toMatchObject(denied);
  expect(await hostile.claim([{ ...me, max: 1, leaseMs: 1000 }])).toMatchObject([denied]);
  expect(await hostile.insert([{ address, method: "shutdown" }])).toMatchObject([denied]);
  expect(await hostile.insert([{ address: addressOf(eve.id), method: "shutdown" }])).toMatchObject([denied]);
  expect(await hostile.read([pressed?.id ?? 0])).toEqual([undefined]);
  expect(await hostile.cancel([{ id: pressed?.id ?? 0 }])).toMatchObject([expect.any(RpcError)]);
  await expect(hostile.removeAddress(address)).rejects.toMatchObject(denied);
  await expect(hostile.pauseAddress(addressOf(eve.id), true)).rejects.toMatchObject(denied);
  await expect(service.pop({ address, agent: "anna", incarnation: "x" })).rejects.toMatchObject(denied);
  expect((await rig.commands.list({ limit: 9 })).map(({ state }) => state)).toEqual(["queued"]);
  const nobody = createRemoteStore(rig.transport("nobody"));
  await expect(nobody.subscribe({ ...me, address: addressOf(eve.id) })).rejects.toMatchObject(denied);
  await hostile.close();
  await nobody.close();
});

test("after a restart what waits is known, and expires", async () => {
  const rig = await open();
  await rig.addBot("anna");
  const [pressed] = await rig.commands.press({ bot: "anna", method: "ping", by: "ada" });
  let now = Date.now();
  const told: CommandSummary[] = [];
  rig.bus.on("commandChanged", (command) => told.push(command));
  await rig.commands.close();
  now += 60_000;
  const store = Object.assign(Object.create(rig.store), { wallClock: () => now });
  const again = await Commands.open({ store, bus: rig.bus, botOf: () => undefined });
  expect(await toldOf(rig, pressed?.id ?? 0, "expired")).toMatchObject({ bot: "anna" });
  await again.close();
});
