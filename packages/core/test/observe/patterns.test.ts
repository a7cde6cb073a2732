import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createMetrics,
  createRouter,
  defineContract,
  event,
  job,
  measureCalls,
  prometheusText,
  routerMember,
  unary,
  workQueue,
} from "../../src/index.ts";
import { settled } from "../fake-clock.ts";
import { Gate, memory } from "../rig.ts";

const Shop = defineContract("demo.Shop", {
  ask: unary(),
  news: event({ payload: z.string() }),
  pack: job({ input: z.number(), output: z.number() }),
  read: event({ payload: z.string() }),
});

it("a job that is handled in its queue's own process is seen at the server", async () => {
  const metrics = createMetrics();
  const implementation = { ask: () => 1, pack: workQueue({ local: { handle: (n: number) => n + 1 } }) };
  const router = createRouter(Shop, implementation, { interceptors: [measureCalls(metrics)] });
  expect(await (await router.pack.submit(1)).result()).toBe(2);
  expect(metrics.read().calls.map(({ method, kind, side }) => [method, kind, side])).toEqual([
    ["demo.Shop.pack", "job", "server"],
  ]);
});

describe("a router as a source of metrics", () => {
  it("says how many jobs wait and run, who consumes, and who has subscribed", async () => {
    const router = createRouter(Shop, { ask: () => 1, pack: workQueue() });
    const metrics = createMetrics();
    const remove = metrics.add(router);
    const values = (): unknown =>
      metrics.read().gauges.map(({ name, value, labels }) => [name, labels?.["method"], value]);
    const expected = (waiting: number, running: number, consumers: number, subscribers: number): unknown => [
      ["rpc_topic_subscribers", "demo.Shop.news", subscribers],
      ["rpc_jobs_waiting", "demo.Shop.pack", waiting],
      ["rpc_jobs_running", "demo.Shop.pack", running],
      ["rpc_job_consumers", "demo.Shop.pack", consumers],
      ["rpc_topic_subscribers", "demo.Shop.read", 0],
    ];
    expect(values()).toEqual(expected(0, 0, 0, 0));
    const client = createClient(Shop, memory(router));
    const tickets = [await client.pack.submit(1), await client.pack.submit(2)];
    expect(values()).toEqual(expected(2, 0, 0, 0));
    const gate = new Gate();
    const consumer = client.pack.consume({ handle: (n) => gate.promise.then(() => n) });
    const subscription = client.news.subscribe();
    await Promise.all([consumer.ready, subscription.ready]);
    await settled();
    expect(values()).toEqual(expected(1, 1, 1, 1));
    expect(prometheusText(metrics)).toContain('rpc_jobs_waiting{method="demo.Shop.pack"} 1');
    gate.open();
    expect(await Promise.all(tickets.map((ticket) => ticket.result()))).toEqual([1, 2]);
    await consumer.close();
    await subscription.close();
    await settled();
    expect(values()).toEqual(expected(0, 0, 0, 0));
    remove();
    expect(values()).toEqual([]);
  });

  it("keeps its own `read` beside an event of that name", async () => {
    const router = createRouter(Shop, { ask: () => 1, pack: workQueue() });
    expect(router.read().map(({ name }) => name)).toContain("rpc_jobs_waiting");
    expect(await routerMember(router, Shop.read).publish("x")).toEqual({ delivered: 0 });
  });
});
