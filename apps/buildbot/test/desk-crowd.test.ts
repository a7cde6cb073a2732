import { setTimeout as sleep } from "node:timers/promises";
import { type ClientOf, createRouter, defineContract, RpcError } from "@rpc/core";
import { createRemoteStore, serveDbQueue } from "@rpc/db-queue";
import { afterEach, describe, expect, test } from "vitest";
import type { BuildOrder, Desk } from "../src/contracts/bot.ts";
import { addressOf } from "../src/server/commands/index.ts";
import { BotWatch } from "../src/server/desk/index.ts";
import { followLog } from "../src/server/logs/index.ts";
import { getBuild, insertRequest, listRequests, listRunning } from "../src/server/store/index.ts";
import { type DeskRig, openDeskRig } from "./desk-rig.ts";
import { randomOf } from "./random.ts";
import { configure } from "./store-rig.ts";
import { TestClock } from "./test-clock.ts";

const rigs: DeskRig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig[Symbol.asyncDispose]();
});

async function open(options: Parameters<typeof openDeskRig>[0] = {}): Promise<DeskRig> {
  const rig = await openDeskRig(options);
  rigs.push(rig);
  await configure(rig.store, { pack: {}, other: {} });
  return rig;
}

const FOUND = { revision: "f00d", subject: "", author: "" };
const END = { at: 2, results: "success", summary: "" } as const;

/** A bot that builds without building, loses answers, and is killed at times; gives what it has finished. */
async function work(
  rig: DeskRig,
  bot: string,
  random: () => number,
  isDone: () => Promise<boolean>,
): Promise<number[]> {
  const desk = rig.desk(bot);
  const finished: number[] = [];
  let life = 0;
  const begin = async (): Promise<string> => {
    life += 1;
    await desk.hello({ incarnation: `${bot}-${life}`, about: {}, running: [] });
    return `${bot}-${life}`;
  };
  let incarnation = await begin();
  while (!(await isDone())) {
    const orders = await desk.claim({ incarnation, max: 4 });
    // An answer that is lost, and a bot that dies with builds in its hands.
    if (random() < 0.1) continue;
    if (random() < 0.05) {
      incarnation = await begin();
      continue;
    }
    await Promise.all(
      orders.map(async (order) => {
        const request = await buildOne(desk, order, incarnation);
        if (request !== undefined) finished.push(request);
      }),
    );
    if (orders.length === 0) await sleep(1);
  }
  return finished;
}

async function buildOne(
  desk: ClientOf<typeof Desk>,
  order: BuildOrder,
  incarnation: string,
): Promise<number | undefined> {
  const writer = { build: order.build, incarnation };
  try {
    await desk.began({ ...writer, ...FOUND });
    await desk.finished({ ...writer, ...END });
    return order.request.id;
  } catch (error) {
    expect(RpcError.from(error).reason).toBe("BuildLost");
    return undefined;
  }
}

describe.each([
  ["sqlite", 1000],
  ["postgres", 300],
] as const)("in %s", (kind, count) => {
  test(`${count} requests are each built once by 8 bots that die at random`, async () => {
    const rig = await open({ kind });
    const requests = await rig.store.transaction(async ({ db }) => {
      const ids: number[] = [];
      for (let at = 0; at < count; at += 1) {
        const builder = at % 3 === 0 ? "other" : "pack";
        const made = await insertRequest(db, { builder, reason: "forced", by: "ada", at: 1, priority: at % 5 });
        ids.push(made?.id ?? 0);
      }
      return ids;
    });
    const names = Array.from({ length: 8 }, (_, at) => `bot-${at}`);
    for (const name of names) await rig.addBot(name, 4);
    const isDone = async (): Promise<boolean> =>
      (await listRequests(rig.store.db, { pendingOnly: true, limit: 1 })).length === 0 &&
      (await listRunning(rig.store.db)).length === 0;
    const built = await Promise.all(names.map((name, at) => work(rig, name, randomOf(at + 1), isDone)));
    expect(built.flat().toSorted((one, other) => one - other)).toEqual(requests);
    expect(built.filter((those) => those.length > 0).length).toBeGreaterThan(4);
    const rows = await rig.store.db.selectFrom("requests").select(["state", "results"]).execute();
    expect(rows.every(({ state, results }) => state === "complete" && results === "success")).toBe(true);
    const builds = await rig.store.db.selectFrom("builds").select(["builder_id", "number", "results"]).execute();
    expect(builds.filter(({ results }) => results === "success")).toHaveLength(count);
    // No number twice.
    expect(new Set(builds.map(({ builder_id, number }) => `${builder_id} ${number}`)).size).toBe(builds.length);
  }, 120_000);
});

test("a bot that stays away loses its builds; one that is heard keeps them", async () => {
  const clock = new TestClock();
  const rig = await open({ clock, wallClock: () => clock.wall });
  const failed = (error: unknown): void => void rig.failures.push(error);
  const watch = new BotWatch({ ...rig, lostAfterMs: 120_000, failed });
  await rig.addBot("anna");
  await rig.addBot("berta");
  const [anna, berta] = [rig.desk("anna"), rig.desk("berta")];
  const builds: number[] = [];
  for (const [desk, incarnation] of [
    [anna, "a"],
    [berta, "b"],
  ] as const) {
    await insertRequest(rig.store.db, { builder: "pack", reason: "forced", by: "ada", at: 1 });
    await desk.hello({ incarnation, about: {}, running: [] });
    const [order] = await desk.claim({ incarnation, max: 1 });
    await desk.began({ build: order?.build ?? 0, incarnation, ...FOUND });
    builds.push(order?.build ?? 0);
  }
  const [lost = 0, kept = 0] = builds;
  const ended = (async () => {
    for await (const { ended } of followLog(
      rig,
      { build: lost, step: 1, firstLine: 0 },
      new AbortController().signal,
    )) {
      if (ended) return true;
    }
    return false;
  })();
  for (let minute = 0; minute < 3; minute += 1) {
    for (let second = 0; second < 60; second += 5) {
      clock.advance(5000);
      await sleep(2);
    }
    await berta.repositories();
  }
  expect(await ended).toBe(true);
  expect(await getBuild(rig.store.db, lost)).toMatchObject({
    state: "finished",
    results: "retry",
    summary: "nothing was heard of anna for 2 minutes",
  });
  expect(await getBuild(rig.store.db, kept)).toMatchObject({ state: "running" });
  expect(await listRequests(rig.store.db, { pendingOnly: true, limit: 9 })).toHaveLength(1);
  expect(await rig.commands.list({ bot: "berta", limit: 1 })).toMatchObject([{ method: "triggerMasterRequests" }]);
  // It comes back: what it has is another's now.
  const late = anna.finished({ build: lost, incarnation: "a", ...END });
  expect(
    await late.then(
      () => undefined,
      (thrown: unknown) => RpcError.from(thrown),
    ),
  ).toMatchObject({ reason: "BuildLost" });
  expect((await anna.hello({ incarnation: "a", about: {}, running: [lost] })).lost).toEqual([lost]);
  await watch.close();
  expect(rig.failures).toEqual([]);
});

test("who listens is known at once, and who ceases to", async () => {
  const rig = await open();
  const watch = new BotWatch(rig);
  const anna = await rig.addBot("anna");
  const changes: boolean[] = [];
  const came = Promise.withResolvers<void>();
  const went = Promise.withResolvers<void>();
  rig.bus.on("botChanged", (bot) => {
    expect(bot).toBe("anna");
    changes.push(watch.isPresent("anna"));
    if (watch.isPresent("anna")) came.resolve();
    else went.resolve();
  });
  const Idle = defineContract("test.Idle", {});
  const router = createRouter(Idle, {});
  const store = createRemoteStore(rig.transport("anna"));
  const agent = await serveDbQueue(router, { store, address: addressOf(anna.id), name: "anna", reaper: false });
  await came.promise;
  expect([...(await rig.commands.present()).keys()]).toEqual(["anna"]);
  await agent.close();
  await went.promise;
  expect(changes).toEqual([true, false]);
  await watch.close();
});

test("a slow reader of a long log holds nobody up, and is given all of it", async () => {
  const rig = await open();
  await rig.addBot("anna");
  const desk = rig.desk("anna");
  await insertRequest(rig.store.db, { builder: "pack", reason: "forced", by: "ada", at: 1 });
  await desk.hello({ incarnation: "a", about: {}, running: [] });
  const [order] = await desk.claim({ incarnation: "a", max: 1 });
  const writer = { build: order?.build ?? 0, incarnation: "a" };
  await desk.stepBegan({ ...writer, seq: 1, name: "test", at: 1 });
  let lines = 0;
  const reader = (async () => {
    const windows = followLog(rig, { build: writer.build, step: 1, firstLine: 0 }, new AbortController().signal);
    for await (const window of windows) {
      lines = window.firstLine + window.lines.length;
      if (lines < 10_000) await sleep(2);
    }
  })();
  const text = `${"=".repeat(99)}\n`.repeat(2500);
  const before = process.memoryUsage().rss;
  let offset = 0;
  for (let at = 0; at < 100; at += 1) {
    const pieces = [{ stream: "out" as const, text }];
    ({ size: offset } = await desk.appendLog({ ...writer, seq: 1, offset, pieces }));
  }
  expect(offset).toBe(25_000_000);
  expect(lines).toBeLessThan(250_000);
  await desk.stepEnded({ ...writer, seq: 1, ...END });
  await reader;
  expect(lines).toBe(250_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  expect((await getBuild(rig.store.db, writer.build))?.steps[1]).toMatchObject({
    logBytes: 25_000_000,
    logLines: 250_000,
  });
  // The table was not written at each of them.
  expect(rig.told.filter(({ name }) => name === "logGrew")).toHaveLength(100);
}, 60_000);
