import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  type DeadJob,
  defineContract,
  forward,
  job,
  type JobContext,
  mergeRouters,
  rejectJob,
  retryJob,
  RpcError,
  workQueue,
} from "../src/index.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, Gate, memory, thrownBy } from "./rig.ts";

const Shop = defineContract("test.Shop", {
  orders: job({
    input: z.object({ n: z.number() }),
    output: z.string(),
    errors: { SoldOut: z.object({ left: z.number() }) },
    maxAttempts: 3,
  }),
});

function rig(options: Parameters<typeof workQueue>[0] = {}, memoryOptions = {}) {
  const clock = new FakeClock();
  const dead: [DeadJob, RpcError][] = [];
  const router = createRouter(
    Shop,
    {
      orders: workQueue<{ n: number }, string>({
        retryDelayMs: 0,
        deadLetter: (lost: DeadJob, error: RpcError) => dead.push([lost, error]),
        ...options,
      } as never),
    },
    { clock },
  );
  const transport = memory(router, { clock, ...memoryOptions });
  return { clock, dead, router, transport, shop: createClient(Shop, transport) };
}

/** A consumer on a connection of its own. */
function worker(router: Parameters<typeof memory>[0], clock: FakeClock, options = {}) {
  const transport = memory(router, { clock, ...options });
  return { transport, shop: createClient(Shop, transport) };
}

const done = async ({ n }: { readonly n: number }): Promise<string> => `order ${n}`;

describe("jobs over a session", () => {
  it("have their outputs sent as the wire takes them, those of a consumer that closes too", async () => {
    const clock = new FakeClock();
    const Big = defineContract("test.Big", { work: job({ input: z.number(), output: z.string(), maxAttempts: 1 }) });
    const router = createRouter(Big, { work: workQueue<number, string>() }, { clock });
    const transport = memory(router, { clock, maxSendBufferBytes: 400_000 });
    const gate = new Gate();
    let handled = 0;
    const consumer = createClient(Big, transport).work.consume({
      concurrency: 40,
      handle: async () => (await gate.promise, handled++, "x".repeat(200_000)),
    });
    await consumer.ready;
    const tickets = await Promise.all(Array.from({ length: 40 }, (_, i) => router.work.submit(i)));
    await settled();
    gate.open();
    const closed = consumer.close({ drainMs: 1_000 });
    expect((await Promise.all(tickets.map((ticket) => ticket.result()))).every((one) => one.length === 200_000)).toBe(
      true,
    );
    await closed;
    await settled();
    expect([handled, router.work.runningCount, router.work.consumerCount]).toEqual([40, 0, 0]);
  });

  it("run one after the other without end when their handler returns at once", async () => {
    const { router, shop } = rig();
    const gate = new Gate();
    let [handled, seen] = [0, -1];
    const consumer = shop.orders.consume({
      prefetch: 10_000,
      handle: ({ n }) => (handled++, n === 0 ? gate.promise.then(() => "first") : String(n)),
    });
    await consumer.ready;
    const tickets = await Promise.all(Array.from({ length: 10_000 }, (_, n) => router.orders.submit({ n })));
    while (router.orders.waitingCount > 0) await settled();
    await settled();
    gate.open();
    void gate.promise
      .then(() => Promise.resolve())
      .then(() => Promise.resolve())
      .then(() => (seen = handled));
    const outputs = await Promise.all(tickets.map((ticket) => ticket.result()));
    expect([outputs.length, outputs[9_999], handled]).toEqual([10_000, "9999", 10_000]);
    // Others had a turn meanwhile.
    expect(seen).toBeLessThan(2_000);
    await consumer.close();
  });

  it("leave when the wire takes them, and no more than 1 MiB of them at once", async () => {
    const clock = new FakeClock();
    const Big = defineContract("test.Big", { work: job({ input: z.string(), output: z.number(), maxAttempts: 1 }) });
    const dead: unknown[] = [];
    const queue = workQueue<string, number>({ deadLetter: (lost) => void dead.push(lost) });
    const router = createRouter(Big, { work: queue }, { clock });
    const direct = memory(router, { clock, maxSendBufferBytes: 400_000 });
    const gateway = memory(forward(direct), { clock, maxSendBufferBytes: 400_000 });
    for (const transport of [direct, gateway]) {
      let [most, running] = [0, 0];
      const gate = new Gate();
      const consumer = createClient(Big, transport).work.consume({
        concurrency: 40,
        handle: async (input, context) => {
          most = Math.max(most, ++running);
          await gate.promise;
          running--;
          return input.length + context.attempt;
        },
      });
      await consumer.ready;
      const input = "x".repeat(200_000);
      const tickets = await Promise.all(Array.from({ length: 60 }, () => router.work.submit(input)));
      await settled();
      expect(most).toBe(6);
      gate.open();
      expect(new Set(await Promise.all(tickets.map((ticket) => ticket.result())))).toEqual(new Set([200_001]));
      await consumer.close();
    }
    expect(dead).toEqual([]);
    await gateway.close();
  });

  it("are not waited for when this end drains, unless they run", async () => {
    const { router, shop, transport, clock } = rig();
    const gate = new Gate<string>();
    const running = await shop.orders.submit({ n: 1 });
    worker(router, clock).shop.orders.consume({ handle: () => gate.promise });
    await settled();
    await shop.orders.submit({ n: 2 }, { delayMs: 1e7 });
    await shop.orders.submit({ n: 3 });
    let closed = false;
    void transport.listener.close({ drainMs: 60_000 }).then(() => (closed = true));
    await settled();
    expect(closed).toBe(false);
    gate.open("done");
    expect(await running.result()).toBe("done");
    await settled();
    expect(closed).toBe(true);
  });

  it("that only wait hold up no drain at all", async () => {
    const { shop, transport } = rig();
    await shop.orders.submit({ n: 1 });
    let closed = false;
    void transport.listener.close({ drainMs: 60_000 }).then(() => (closed = true));
    await settled();
    expect(closed).toBe(true);
  });

  it("C101 give their submitter the output", async () => {
    const { router, shop, clock } = rig();
    const ticket = await shop.orders.submit({ n: 1 });
    expect(ticket.id).toMatch(/-1$/);
    expect([router.orders.waitingCount, router.orders.consumerCount]).toEqual([1, 0]);
    const consumer = worker(router, clock).shop.orders.consume({ handle: done });
    await consumer.ready;
    expect(await ticket.result()).toBe("order 1");
    expect(await ticket.result()).toBe("order 1");
    await ticket.cancel();
    expect(await ticket.result()).toBe("order 1");
    await consumer.close();
    await settled();
    expect([router.orders.consumerCount, clock.timerCount]).toEqual([0, 0]);
  });

  it("run in the router's own process when it says how, in its interceptors", async () => {
    const seen: string[] = [];
    const router = createRouter(
      Shop,
      { orders: { concurrency: 2, handle: ({ n }, ctx) => `${n} on try ${ctx.attempt}` } },
      { interceptors: [{ call: (input, ctx, next) => (seen.push(ctx.method.name), next(input, ctx)) }] },
    );
    const shop = createClient(Shop, memory(router));
    expect(await (await shop.orders.submit({ n: 1 })).result()).toBe("1 on try 1");
    expect(await (await router.orders.submit({ n: 2 })).result()).toBe("2 on try 1");
    expect(seen).toEqual(["test.Shop.orders", "test.Shop.orders"]);
    expect(await failure((await shop.orders.submit({ n: "x" } as never)).result())).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await failure(router.orders.submit({ n: "x" } as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("C101 C110 tell apart what can be tried again and what cannot", async () => {
    const { router, shop, dead, clock } = rig();
    const attempts: number[] = [];
    worker(router, clock).shop.orders.consume({
      handle: ({ n }, ctx) => {
        attempts.push(ctx.attempt);
        switch (n) {
          case 1:
            throw new Error("flaky");
          case 2:
            throw Shop.orders.error("SoldOut", { left: 0 });
          case 3:
            throw rejectJob("never");
          case 4:
            throw retryJob("soon", { delayMs: 50 });
          default:
            throw new RpcError("PERMISSION_DENIED", "no");
        }
      },
    });
    const error = async (n: number): Promise<RpcError> => failure((await shop.orders.submit({ n })).result());
    expect(await error(1)).toMatchObject({ code: "UNKNOWN", message: "flaky" });
    expect(attempts.splice(0)).toEqual([1, 2, 3]);
    const soldOut = await error(2);
    expect(Shop.orders.isError(soldOut, "SoldOut") && soldOut.details.left).toBe(0);
    expect(await error(3)).toMatchObject({ code: "FAILED_PRECONDITION", reason: "JOB_REJECTED" });
    expect(await error(5)).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(attempts.splice(0)).toEqual([1, 1, 1]);
    const later = error(4);
    await settled();
    await clock.advance(49);
    expect(attempts).toEqual([1]);
    await clock.advance(51);
    await clock.advance(50);
    expect(await later).toMatchObject({ code: "ABORTED" });
    expect(dead.map(([{ input, attempts: tries }]) => [input, tries])).toEqual([
      [{ n: 1 }, 3],
      [{ n: 2 }, 1],
      [{ n: 3 }, 1],
      [{ n: 5 }, 1],
      [{ n: 4 }, 3],
    ]);
  });

  it("C105 never run more at once than the consumer said, whatever it has fetched before", async () => {
    const { router, shop, clock } = rig();
    const gates: Gate[] = [];
    let most = 0;
    let running = 0;
    const consumer = worker(router, clock).shop.orders.consume({
      concurrency: 2,
      prefetch: 3,
      handle: async ({ n }) => {
        most = Math.max(most, ++running);
        const gate = new Gate();
        gates.push(gate);
        await gate.promise;
        running--;
        return String(n);
      },
    });
    const tickets = await Promise.all(Array.from({ length: 8 }, (_, n) => shop.orders.submit({ n })));
    await settled();
    expect([router.orders.runningCount, consumer.running]).toEqual([5, 2]);
    while (gates.length > 0) {
      gates.shift()?.open();
      await settled();
    }
    expect(await Promise.all(tickets.map((ticket) => ticket.result()))).toEqual(tickets.map((_, n) => String(n)));
    expect(most).toBe(2);
  });

  it("go to another consumer when one is lost, and the lost handler gets its signal", async () => {
    const { router, shop, clock } = rig();
    const first = worker(router, clock);
    const contexts: JobContext[] = [];
    first.shop.orders.consume({
      reconnect: false,
      handle: (_input, ctx) => {
        contexts.push(ctx);
        return new Promise<string>(() => undefined);
      },
    });
    const ticket = await shop.orders.submit({ n: 7 }, { metadata: { trace: "t" } });
    await settled();
    worker(router, clock).shop.orders.consume({
      handle: (_input, ctx) => `try ${ctx.attempt} ${ctx.metadata.get("trace")}`,
    });
    await first.transport.close();
    expect(await ticket.result()).toBe("try 2 t");
    expect(contexts.map(({ attempt, signal }) => [attempt, signal.aborted])).toEqual([[1, true]]);
  });

  it("outlive their submitter", async () => {
    const { router, clock } = rig();
    const producer = worker(router, clock);
    await producer.shop.orders.submit({ n: 1 });
    await producer.transport.close();
    const seen: number[] = [];
    worker(router, clock).shop.orders.consume({ handle: ({ n }) => (seen.push(n), "") });
    await settled();
    expect(seen).toEqual([1]);
  });

  it("C115 C116 are given up before they start and while they run", async () => {
    const { router, shop, clock } = rig();
    const waiting = await shop.orders.submit({ n: 1 });
    await waiting.cancel("changed my mind");
    expect(await failure(waiting.result())).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(router.orders.waitingCount).toBe(0);
    const reasons: unknown[] = [];
    const consumer = worker(router, clock).shop.orders.consume({
      handle: (_input, { signal }) =>
        new Promise<string>((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reasons.push((signal.reason as RpcError).code);
            reject(new Error("aborted"));
          });
        }),
    });
    const controller = new AbortController();
    const running = await shop.orders.submit({ n: 2 }, { signal: controller.signal });
    await settled();
    controller.abort();
    expect(await failure(running.result())).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect([reasons, consumer.running, router.orders.runningCount]).toEqual([["CANCELLED"], 0, 0]);
    const third = await router.orders.submit({ n: 3 });
    await settled();
    router.orders.cancel(third.id);
    expect(await failure(third.result())).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(reasons).toHaveLength(2);
    expect(thrownBy(() => router.orders.cancel("none"))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("C118 are not started after their time, and tell their handler how much is left", async () => {
    const { router, shop, clock } = rig();
    const late = await shop.orders.submit({ n: 1 }, { timeoutMs: 100 });
    await clock.advance(100);
    expect(await failure(late.result())).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const left: number[] = [];
    worker(router, clock).shop.orders.consume({
      handle: (_input, ctx) => {
        left.push((ctx.deadline ?? 0) - clock.now());
        return new Promise<string>(() => undefined);
      },
    });
    const running = await shop.orders.submit({ n: 2 }, { timeoutMs: 100 });
    await settled();
    await clock.advance(100);
    expect(await failure(running.result())).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(left).toEqual([100]);
  });

  it("C108 C109 carry their delay, priority, key and attempts", async () => {
    const { router, shop, clock } = rig();
    const tickets = await Promise.all([
      shop.orders.submit({ n: 1 }),
      shop.orders.submit({ n: 2 }, { priority: 5, key: "k" }),
      shop.orders.submit({ n: 2 }, { key: "k" }),
      shop.orders.submit({ n: 4 }, { delayMs: 1_000, metadata: { own: "1" } }),
      shop.orders.submit({ n: 5 }, { maxAttempts: 1 }),
    ]);
    expect(tickets[2]?.id).toBe(tickets[1]?.id);
    const seen: [number, number, string][] = [];
    worker(router, clock).shop.orders.consume({
      handle: ({ n }, ctx) => {
        seen.push([n, ctx.attempt, [...ctx.metadata].join()]);
        if (n === 5) throw new RpcError("UNAVAILABLE", "down");
        return "";
      },
    });
    await settled();
    await clock.advance(1_000);
    expect(seen).toEqual([
      [2, 1, ""],
      [1, 1, ""],
      [5, 1, ""],
      [4, 1, "own,1"],
    ]);
    expect(await failure(tickets[4]?.result() ?? Promise.resolve())).toMatchObject({ code: "UNAVAILABLE" });
  });

  it.each([{ delayMs: -1 }, { priority: 0.5 }, { key: "" }, { maxAttempts: 0 }, { timeoutMs: -1 }])(
    "refuse %o",
    async (options) => {
      const { shop, router } = rig();
      expect(await failure(shop.orders.submit({ n: 1 }, options))).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(await failure(router.orders.submit({ n: 1 }, options))).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("C124 a consumer that is closed finishes what runs, and gives back what it had fetched", async () => {
    const { router, shop, clock } = rig();
    const gate = new Gate();
    const consumer = worker(router, clock).shop.orders.consume({
      prefetch: 5,
      handle: async ({ n }) => {
        await gate.promise;
        return `slow ${n}`;
      },
    });
    const tickets = await Promise.all([1, 2, 3].map((n) => shop.orders.submit({ n })));
    await settled();
    const closing = consumer.close({ drainMs: 1_000 });
    worker(router, clock).shop.orders.consume({ handle: ({ n }, ctx) => `quick ${n} try ${ctx.attempt}` });
    await settled();
    gate.open();
    await closing;
    expect(await Promise.all(tickets.map((ticket) => ticket.result()))).toEqual([
      "slow 1",
      "quick 2 try 1",
      "quick 3 try 1",
    ]);
    expect(await consumer.closed).toBeUndefined();
    expect(clock.timerCount).toBe(0);
  });

  it("a consumer's transport that is closed waits for the jobs that run, and takes no others", async () => {
    const { router, shop, clock } = rig();
    const gate = new Gate();
    const { transport, shop: own } = worker(router, clock);
    own.orders.consume({
      concurrency: 2,
      handle: async ({ n }) => {
        await gate.promise;
        return `kept ${n}`;
      },
    });
    const one = await shop.orders.submit({ n: 1 });
    await settled();
    const closing = transport.close({ drainMs: 5_000 });
    const two = await shop.orders.submit({ n: 2 });
    worker(router, clock).shop.orders.consume({ handle: ({ n }) => `other ${n}` });
    gate.open();
    expect(await Promise.all([one.result(), two.result()])).toEqual(["kept 1", "other 2"]);
    await closing;
  });

  it("C126 end UNAVAILABLE when the queue stops, for submitters and consumers", async () => {
    const { router, shop, clock } = rig();
    const consumer = worker(router, clock).shop.orders.consume({ handle: () => new Promise<string>(() => undefined) });
    const tickets = await Promise.all([shop.orders.submit({ n: 1 }), shop.orders.submit({ n: 2 })]);
    await consumer.ready;
    router.orders.close();
    for (const ticket of tickets) expect(await failure(ticket.result())).toMatchObject({ code: "UNAVAILABLE" });
    expect((await consumer.closed)?.code).toBe("UNAVAILABLE");
    expect(await failure(shop.orders.submit({ n: 3 }))).toMatchObject({ code: "UNAVAILABLE" });
    expect(clock.timerCount).toBe(0);
  });

  it("a consumer goes on after a lost connection", async () => {
    const { router, shop, clock } = rig();
    const { transport, shop: own } = worker(router, clock);
    const consumer = own.orders.consume({ handle: done });
    await consumer.ready;
    for (const peer of transport.listener.peers) peer.disconnect(new RpcError("UNAVAILABLE", "cut"));
    await settled();
    expect(router.orders.consumerCount).toBe(0);
    await clock.advance(500);
    expect(router.orders.consumerCount).toBe(1);
    expect(await (await shop.orders.submit({ n: 1 })).result()).toBe("order 1");
  });

  it("pass mergers and gateways, both ways", async () => {
    const { router, transport, clock } = rig();
    const merged = createClient(Shop, memory(mergeRouters(router)));
    const gateway = createClient(Shop, memory(forward(transport), { clock }));
    gateway.orders.consume({ handle: ({ n }, ctx) => `${n} ${ctx.metadata.get("k")} ${ctx.attempt}` });
    const tickets = [
      await merged.orders.submit({ n: 1 }, { metadata: { k: "a" } }),
      await gateway.orders.submit({ n: 2 }, { metadata: { k: "b" }, priority: 3, timeoutMs: 5_000 }),
    ];
    expect(await Promise.all(tickets.map((ticket) => ticket.result()))).toEqual(["1 a 1", "2 b 1"]);
  });

  it("go the other way: the server submits to a queue of its client's", async () => {
    const near = createRouter(Shop, { orders: { handle: done } });
    const { transport, shop } = rig({}, { serve: near });
    await shop.orders.submit({ n: 0 });
    const [peer] = transport.listener.peers;
    const ticket = await peer?.client(Shop).orders.submit({ n: 9 });
    expect(await ticket?.result()).toBe("order 9");
  });

  it("end the one job whose output cannot be sent, or is not what the contract says", async () => {
    const { router, shop, clock } = rig();
    worker(router, clock).shop.orders.consume({ handle: ({ n }) => (n === 1 ? (5 as never) : "x".repeat(5_000_000)) });
    expect(await failure((await shop.orders.submit({ n: 1 }, { maxAttempts: 1 })).result())).toMatchObject({
      code: "INTERNAL",
    });
    expect(await failure((await shop.orders.submit({ n: 2 })).result())).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("need a handler or a queue", () => {
    expect(thrownBy(() => createRouter(Shop, {} as never)).message).toContain("workQueue()");
    expect(thrownBy(() => createRouter(Shop, { orders: workQueue({ maxJobs: -1 }) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("H67 a dead letter that rejects is reported, and harms nobody", async () => {
    const errors: RpcError[] = [];
    const deadLetter = (): Promise<void> => Promise.reject(new Error("database down"));
    const handle = (): never => {
      throw rejectJob("no");
    };
    const router = createRouter(
      Shop,
      { orders: workQueue({ deadLetter, local: { handle } }) },
      { onError: (error) => errors.push(error) },
    );
    expect(await failure((await router.orders.submit({ n: 1 })).result())).toMatchObject({ reason: "JOB_REJECTED" });
    await settled();
    expect(errors.map(({ message }) => message)).toEqual(["database down"]);
  });

  it.each([Number.NaN, -5, Number.POSITIVE_INFINITY, "abc" as never])("refuse a retryDelayMs of %s", (retryDelayMs) => {
    expect(thrownBy(() => createRouter(Shop, { orders: workQueue({ retryDelayMs }) }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it.each([
    [Number.NaN, 100],
    [-5, 100],
    [Number.POSITIVE_INFINITY, 86_400_000],
  ])("take a pause of %s from a function for %d ms", async (given, delayMs) => {
    const { router, shop, clock } = rig({ retryDelayMs: () => given });
    let tries = 0;
    worker(router, clock).shop.orders.consume({
      handle: () => {
        if (++tries === 1) throw new Error("flaky");
        return "done";
      },
    });
    const ticket = await shop.orders.submit({ n: 1 });
    await settled();
    await clock.advance(delayMs - 1);
    expect(tries).toBe(1);
    await clock.advance(1);
    expect(await ticket.result()).toBe("done");
  });

  it("H67 a dead letter that throws is reported, and harms nobody", async () => {
    const errors: RpcError[] = [];
    const router = createRouter(
      Shop,
      {
        orders: workQueue({
          deadLetter: () => {
            throw new Error("disk full");
          },
          local: {
            handle: () => {
              throw rejectJob("no");
            },
          },
        }),
      },
      { onError: (error) => errors.push(error) },
    );
    expect(await failure((await router.orders.submit({ n: 1 })).result())).toMatchObject({ reason: "JOB_REJECTED" });
    expect(errors.map(({ message }) => message)).toEqual(["disk full"]);
  });
});
