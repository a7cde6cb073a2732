import { RpcError, type TopicEvent, type TopicGap } from "@rpc/core";
import { expect, it } from "vitest";
import { failure, pythonClient, pythonServer, until } from "../rig.ts";

const NAME = "interop.Demo.printed";

async function take(events: AsyncIterable<TopicEvent<unknown> | TopicGap>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  for await (const event of events) {
    taken.push(event.kind === "event" ? { topic: event.topic, lost: event.lost, value: event.value } : event);
    if (taken.length === count) break;
  }
  return taken;
}

it("publishes to a Python subscriber, by pattern and with the last value", async () => {
  const { python, router } = await pythonClient();
  await router.printed.publish({ page: 1 }, { topic: "floor1.hall" });
  await python.ask("subscribe", { name: "all" });
  await python.ask("subscribe", { name: "first", pattern: "floor1.*", lastValue: true });
  expect(router.printed.subscriberCount).toBe(2);
  await router.printed.publish({ page: 2 });
  await router.printed.publish({ page: 3 }, { topic: "floor2.hall" });
  expect(await router.printed.publish({ page: 4 }, { topic: "floor1.attic" })).toEqual({ delivered: 2 });
  const [hall, root, second, attic] = [
    { topic: `${NAME}.floor1.hall`, lost: 0, value: { page: 1 } },
    { topic: NAME, lost: 0, value: { page: 2 } },
    { topic: `${NAME}.floor2.hall`, lost: 0, value: { page: 3 } },
    { topic: `${NAME}.floor1.attic`, lost: 0, value: { page: 4 } },
  ];
  expect(await python.ask("events", { name: "all", count: 3 })).toEqual([root, second, attic]);
  expect(await python.ask("events", { name: "first", count: 2 })).toEqual([hall, attic]);
  await python.ask("cancel", { name: "all", reason: "seen enough" });
  await until(() => router.printed.subscriberCount === 1);
});

it("tells a slow Python subscriber how many events it has lost", async () => {
  const { python, router } = await pythonClient();
  await python.ask("subscribe", { name: "slow", window: 2, buffer: 3, overflow: "drop-oldest" });
  for (let page = 1; page <= 20; page++) await router.printed.publish(page);
  const taken = await python.ask("events", { name: "slow", count: 5 });
  expect(taken).toMatchObject([
    { value: 1, lost: 0 },
    { value: 2, lost: 0 },
    { value: 18, lost: 15 },
    { value: 19, lost: 0 },
    { value: 20, lost: 0 },
  ]);
});

it("keeps the subscription of a Python client that is cut", async () => {
  const { python, router } = await pythonClient();
  await python.ask("subscribe", { name: "all", window: 100 });
  await router.printed.publish(1);
  await python.ask("cut", { stay_away: true });
  for (const page of [2, 3]) await router.printed.publish(page);
  await python.ask("come_back");
  expect(await python.ask("events", { name: "all", count: 3 })).toMatchObject([
    { value: 1 },
    { value: 2 },
    { value: 3 },
  ]);
});

it("agrees on what the patterns mean", async () => {
  const patterns = [undefined, "", "**", "*", "a", "a.*", "*.b", "a.**", "a.*.c", "*.*.**"];
  const topics = ["", "a", "a.b", "a.b.c", "x.b"];
  const { python, router, demo } = await pythonClient();
  const delivered = { typescript: [] as number[], python: [] as number[] };
  for (const pattern of patterns) {
    await python.ask("subscribe", { name: "one", ...(pattern === undefined ? {} : { pattern }) });
    const subscription = demo.printed.subscribe({ pattern });
    await subscription.ready;
    for (const topic of topics) {
      delivered.typescript.push((await router.printed.publish(1, { topic: topic || undefined })).delivered);
      delivered.python.push(await python.ask<number>("publish", { value: 1, topic }));
    }
    await python.ask("cancel", { name: "one", reason: "next" });
    await subscription.close();
    await until(() => router.printed.subscriberCount === 0);
    await until(async () => (await python.ask("publish", { value: 1 })) === 0);
  }
  expect(delivered.python).toEqual(delivered.typescript);
  expect(delivered.python.reduce((sum, count) => sum + count, 0)).toBe(23);
});

it("is refused alike", async () => {
  const { python, demo } = await pythonClient();
  for (const [pattern, code] of [
    ["a..b", "INVALID_ARGUMENT"],
    [Array.from({ length: 17 }, () => "a").join("."), "RESOURCE_EXHAUSTED"],
  ] as const) {
    expect(await failure(python.ask("subscribe", { name: "no", pattern }))).toMatchObject({ code });
    expect(await failure(demo.printed.subscribe({ pattern }).ready)).toMatchObject({ code });
  }
  expect(await failure(python.ask("subscribe", { name: "no", overflow: "never" }))).toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

it("subscribes to what Python publishes", async () => {
  const { python, demo } = await pythonServer();
  await python.ask("publish", { value: { page: 1 }, topic: "floor1.hall" });
  const subscription = demo.printed.subscribe({ pattern: "floor1.**", lastValue: true });
  await subscription.ready;
  expect(await python.ask("publish", { value: { page: 2 }, topic: "floor2" })).toBe(0);
  expect(await python.ask("publish", { value: { page: 3 }, topic: "floor1" })).toBe(1);
  expect(await take(subscription.events, 2)).toEqual([
    { topic: `${NAME}.floor1.hall`, lost: 0, value: { page: 1 } },
    { topic: `${NAME}.floor1`, lost: 0, value: { page: 3 } },
  ]);
  await until(async () => (await python.ask("publish", { value: 4, topic: "floor1" })) === 0);
  const every = demo.printed.subscribe();
  await every.ready;
  for (let page = 1; page <= 500; page++) await python.ask("publish", { value: page });
  expect(await take(every.events, 500)).toMatchObject(
    Array.from({ length: 500 }, (_, index) => ({ value: index + 1 })),
  );
});

it("gives jobs to a Python consumer", async () => {
  const { python, router } = await pythonClient();
  await python.ask("consume", { atOnce: 2 });
  expect(router.print.consumerCount).toBe(1);
  const done = await router.print.submit({ copies: 2 }, { timeoutMs: 60_000, metadata: { trace: "7" } });
  expect(await done.result()).toEqual({ sheets: 8 });
  const again = await router.print.submit({ copies: -1 });
  expect(await again.result()).toEqual({ sheets: 4 });
  const refused = await router.print.submit({ copies: 0 });
  expect(await failure(refused.result())).toMatchObject({ code: "INVALID_ARGUMENT", reason: "NothingToPrint" });
  expect(await python.ask("jobs")).toEqual([
    { value: { copies: 2 }, attempt: 1, metadata: ["rpc-job-deadline-ms", "trace"] },
    { value: { copies: -1 }, attempt: 1, metadata: [] },
    { value: { copies: -1 }, attempt: 2, metadata: [] },
    { value: { copies: 0 }, attempt: 1, metadata: [] },
  ]);
  const slow = await router.print.submit({ copies: 1, slow: true });
  await until(async () => (await python.ask<unknown[]>("jobs")).length === 5);
  await slow.cancel("changed my mind");
  await python.ask("stop_consuming");
  expect(router.print.consumerCount).toBe(0);
});

it("waits as long as a consumer asks before a job is tried again", async () => {
  const { python, router } = await pythonClient();
  await python.ask("consume");
  const job = await router.print.submit({ copies: 1, busyMs: 150 });
  const before = performance.now();
  expect(await job.result()).toEqual({ sheets: 4 });
  expect(performance.now() - before).toBeGreaterThan(100);
  expect(await python.ask("jobs")).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
});

it("takes jobs from a Python submitter, and gives back what a lost consumer had", async () => {
  const { python, router } = await pythonClient();
  expect(await python.ask("submit", { name: "job", input: { copies: 3 } })).toBeTypeOf("string");
  expect(router.print.waitingCount).toBe(1);
  await python.ask("consume");
  expect(await python.ask("reply", { name: "job" })).toEqual({ sheets: 12 });
  await python.ask("submit", { name: "given up", input: { copies: 1, slow: true } });
  await python.ask("cancel", { name: "given up", reason: "changed my mind" });
  const job = await router.print.submit({ copies: 5, slow: true });
  await until(async () => (await python.ask<unknown[]>("jobs")).length === 3);
  await python.ask("goodbye");
  await until(() => router.print.waitingCount === 1);
  await job.cancel();
});

it("submits to and consumes from a Python queue", async () => {
  const { demo, python } = await pythonServer();
  const ticket = await demo.print.submit(
    { copies: 2 },
    { metadata: { trace: "7" }, timeoutMs: 60_000, maxAttempts: 3 },
  );
  expect(ticket.id).toBe("t-1");
  const seen: unknown[] = [];
  const consumer = demo.print.consume({
    concurrency: 2,
    handle: (input, { attempt, metadata, deadline }) => {
      seen.push({ attempt, trace: metadata.get("trace"), timed: deadline !== undefined });
      if (attempt < 3) throw new RpcError("UNAVAILABLE", "no paper");
      return { sheets: (input as { copies: number }).copies * 4 };
    },
  });
  await consumer.ready;
  expect(await ticket.result()).toEqual({ sheets: 8 });
  expect(seen).toEqual([1, 2, 3].map((attempt) => ({ attempt, trace: "7", timed: true })));
  const failed = await demo.print.submit({ copies: 2 }, { maxAttempts: 1 });
  expect(await failure(failed.result())).toMatchObject({ code: "UNAVAILABLE" });
  expect(await failure(demo.print.submit({ copies: 2 }, { key: "one" }))).toMatchObject({ code: "UNIMPLEMENTED" });
  await consumer.close({ drainMs: 1000 });
  expect(await python.ask("refused")).toEqual([]);
});
