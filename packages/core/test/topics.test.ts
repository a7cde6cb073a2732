import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  event,
  forward,
  mergeRouters,
  RpcError,
  routerMember,
  type TopicEvent,
  type TopicGap,
  unary,
} from "../src/index.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, memory, thrownBy } from "./rig.ts";

const Bot = defineContract("test.Bot", {
  states: event({ payload: z.object({ state: z.string() }) }),
  kept: event({ payload: z.number(), lastValue: true }),
  ping: unary({ output: z.string() }),
});

function rig(options = {}) {
  const router = createRouter(Bot, { ping: () => "pong" });
  const transport = memory(router, options);
  return { router, transport, bot: createClient(Bot, transport) };
}

async function read<T>(values: AsyncIterable<T>, count: number): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) {
    list.push(value);
    if (list.length === count) break;
  }
  return list;
}

describe("events over a session", () => {
  it("C91 C92 reach whoever is subscribed, once, with their metadata", async () => {
    const { router, bot } = rig();
    const sub = bot.states.subscribe();
    await sub.ready;
    expect(await router.states.publish({ state: "a" }, { topic: "floor1.kitchen", metadata: { k: "v" } })).toEqual({
      delivered: 1,
    });
    void router.states.publish({ state: "b" });
    const events = await read(sub.events, 2);
    expect(events).toEqual([
      expect.objectContaining({
        kind: "event",
        topic: "test.Bot.states.floor1.kitchen",
        value: { state: "a" },
        lost: 0,
      }),
      expect.objectContaining({ kind: "event", topic: "test.Bot.states", value: { state: "b" }, lost: 0 }),
    ]);
    const first = events[0] as TopicEvent<unknown>;
    expect([first.subTopic, first.metadata.get("k")]).toEqual(["floor1.kitchen", "v"]);
  });

  it("C93 leaving the loop ends the subscription, and the publisher learns of it", async () => {
    const { router, bot } = rig();
    const sub = bot.states.subscribe();
    await sub.ready;
    void router.states.publish({ state: "a" });
    expect(await read(sub, 1)).toEqual([{ state: "a" }]);
    await settled();
    expect(router.states.subscriberCount).toBe(0);
    expect(await sub.closed).toBeUndefined();
  });

  it("C93 a signal ends the subscription with CANCELLED", async () => {
    const { router, bot } = rig();
    const controller = new AbortController();
    const sub = bot.states.subscribe({ signal: controller.signal });
    await sub.ready;
    const reading = failure(read(sub, 1));
    controller.abort();
    expect(await reading).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect([router.states.subscriberCount, (await sub.closed)?.code]).toEqual([0, "CANCELLED"]);
    const late = bot.states.subscribe({ signal: controller.signal });
    expect(await failure(late.ready)).toMatchObject({ code: "CANCELLED" });
  });

  it("C95 patterns choose sub-topics", async () => {
    const { router, bot } = rig();
    const sub = bot.states.subscribe({ pattern: "*.kitchen" });
    await sub.ready;
    for (const topic of ["floor1.kitchen", "floor1.hall", "kitchen", "floor2.kitchen"])
      void router.states.publish({ state: topic }, { topic });
    expect(await read(sub, 2)).toEqual([{ state: "floor1.kitchen" }, { state: "floor2.kitchen" }]);
  });

  it("gives the last value of each topic first, when asked", async () => {
    const { router, bot } = rig();
    void router.kept.publish(1, { topic: "a" });
    void router.kept.publish(2, { topic: "b" });
    const sub = bot.kept.subscribe({ lastValue: true });
    await sub.ready;
    void router.kept.publish(3, { topic: "a" });
    expect(await read(sub, 3)).toEqual([1, 2, 3]);
    expect(await failure(bot.states.subscribe({ lastValue: true }).ready)).toMatchObject({
      code: "FAILED_PRECONDITION",
    });
  });

  it("calls a listener in order, waiting for what it returns, and goes on when it throws", async () => {
    const errors: RpcError[] = [];
    const { router, bot } = rig({ onError: (error: RpcError) => errors.push(error) });
    const seen: string[] = [];
    let busy = 0;
    const sub = bot.states.subscribe({}, async ({ state }) => {
      expect(++busy).toBe(1);
      seen.push(state);
      await settled();
      busy--;
      if (state === "b") throw new Error("on purpose");
    });
    await sub.ready;
    for (const state of ["a", "b", "c"]) void router.states.publish({ state });
    for (let i = 0; i < 10; i++) await settled();
    expect([seen, errors.map(({ message }) => message)]).toEqual([["a", "b", "c"], ["on purpose"]]);
    const plain = bot.states.subscribe({}, ({ state }) => {
      throw new Error(`H67 ${state}`);
    });
    await plain.ready;
    void router.states.publish({ state: "d" });
    void router.states.publish({ state: "e" });
    await settled();
    expect(errors.map(({ message }) => message).slice(1)).toEqual(["H67 d", "H67 e"]);
    expect(thrownBy(() => plain[Symbol.asyncIterator]())).toMatchObject({ code: "FAILED_PRECONDITION" });
    await Promise.all([sub.close(), plain.close()]);
  });

  it("C96 bounds what a subscriber that does not read costs, and tells it what it has missed", async () => {
    const { router, bot } = rig();
    const sub = bot.kept.subscribe({ buffer: 10 });
    await sub.ready;
    for (let i = 0; i < 1_000; i++) void router.kept.publish(i);
    await settled();
    const got: number[] = [];
    let lost = 0;
    for await (const next of sub.events) {
      if (next.kind !== "event") continue;
      expect(next.value).toBe(got.length + lost + next.lost);
      lost += next.lost;
      got.push(next.value);
      if (next.value === 999) break;
    }
    expect(got).toHaveLength(256 + 10);
    expect([lost, sub.lostCount]).toEqual([1_000 - 266, 1_000 - 266]);
  });

  it("ends one that asked for it when it does not keep up", async () => {
    const { router, bot } = rig();
    const sub = bot.kept.subscribe({ buffer: 1, overflow: "disconnect" });
    await sub.ready;
    for (let i = 0; i < 300; i++) void router.kept.publish(i);
    expect(await failure(read(sub, 300))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "overflow" });
  });

  it("has the policies that its router allows", async () => {
    const implementation = { ping: () => "pong" };
    const router = createRouter(Bot, implementation, { topics: { policies: ["drop-newest"] } });
    const bot = createClient(Bot, memory(router));
    const refused = await failure(bot.kept.subscribe({ overflow: "block" }).ready);
    expect(refused).toMatchObject({ code: "FAILED_PRECONDITION", reason: "policies" });
    await bot.kept.subscribe().ready;
    for (const policies of [[], ["explode"]] as never[])
      expect(thrownBy(() => createRouter(Bot, implementation, { topics: { policies } }))).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
  });

  it("holds the publisher up for one that blocks", async () => {
    const { router, bot } = rig();
    const sub = bot.kept.subscribe({ buffer: 1, overflow: "block" });
    await sub.ready;
    const reading = read(sub, 1_000);
    for (let i = 0; i < 1_000; i++) await router.kept.publish(i);
    expect(await reading).toHaveLength(1_000);
    expect(sub.lostCount).toBe(0);
  });

  it("refuses a value that is not what the contract says", async () => {
    const { router } = rig();
    expect(await failure(router.kept.publish("one" as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure(router.kept.publish(1, { topic: "a..b" }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("keeps the order when a validator takes its time", async () => {
    const Slow = defineContract("test.Slow", {
      numbers: event({ payload: z.number().refine(async (n) => (n === 1 ? settled().then(() => true) : n !== 2)) }),
    });
    const router = createRouter(Slow, {});
    const sub = createClient(Slow, memory(router)).numbers.subscribe();
    await sub.ready;
    const published = [1, 2, 3].map((n) => router.numbers.publish(n).catch((error: RpcError) => error.code));
    expect(await Promise.all(published)).toEqual([{ delivered: 1 }, "INVALID_ARGUMENT", { delivered: 1 }]);
    expect(await read(sub, 2)).toEqual([1, 3]);
  });

  it("has one reader", async () => {
    const { bot } = rig();
    const sub = bot.states.subscribe();
    sub[Symbol.asyncIterator]();
    expect(thrownBy(() => sub.events[Symbol.asyncIterator]())).toMatchObject({ code: "FAILED_PRECONDITION" });
    await sub.close();
    await sub.close();
  });

  it("H60 refuses subscriptions beyond maxSubscriptions, and takes others when one has ended", async () => {
    const { bot } = rig({ maxSubscriptions: 2 });
    const subs = [bot.states.subscribe(), bot.states.subscribe()];
    await Promise.all(subs.map(({ ready }) => ready));
    expect(await failure(bot.states.subscribe().ready)).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxSubscriptions",
    });
    await subs[0]?.close();
    await bot.states.subscribe().ready;
  });

  it("does not count subscriptions as calls, nor wait for them when it drains", async () => {
    const { bot, transport } = rig({ maxCallsInFlight: 1 });
    await Promise.all([1, 2, 3].map(() => bot.states.subscribe().ready));
    expect(await bot.ping()).toBe("pong");
    const closed = bot.states.subscribe();
    await closed.ready;
    await transport.close({ drainMs: 1e9 });
    expect((await closed.closed)?.code).toBe("UNAVAILABLE");
  });

  it("C97 goes on after a lost connection, with a gap", async () => {
    const clock = new FakeClock();
    const { router, bot, transport } = rig({ clock });
    const gaps: TopicGap[] = [];
    const heard: number[] = [];
    const sub = bot.kept.subscribe({ lastValue: true });
    const listened = bot.kept.subscribe({ onGap: (gap) => gaps.push(gap) }, (value) => void heard.push(value));
    await Promise.all([sub.ready, listened.ready]);
    void router.kept.publish(1);
    await settled();
    for (const peer of transport.listener.peers) peer.disconnect(new RpcError("UNAVAILABLE", "cut"));
    await settled();
    expect(router.kept.subscriberCount).toBe(0);
    void router.kept.publish(2);
    await clock.advance(500);
    expect(router.kept.subscriberCount).toBe(2);
    void router.kept.publish(3);
    const events = await read(sub.events, 4);
    expect(events.map((next) => (next.kind === "gap" ? next.reason.code : next.value))).toEqual([
      1,
      "UNAVAILABLE",
      2,
      3,
    ]);
    await settled();
    expect([heard, gaps.length]).toEqual([[1, 3], 1]);
    await listened.close();
    expect(clock.timerCount).toBe(0);
  });

  it("ends with the connection where it is not to go on, or cannot", async () => {
    const { bot, transport, router } = rig();
    const once = bot.states.subscribe({ resubscribe: false });
    await once.ready;
    for (const peer of transport.listener.peers) peer.disconnect(new RpcError("UNAVAILABLE", "cut"));
    expect((await once.closed)?.code).toBe("UNAVAILABLE");
    const other = bot.states.subscribe();
    await other.ready;
    await transport.close();
    expect((await other.closed)?.code).toBe("UNAVAILABLE");
    expect(await failure(bot.states.subscribe().ready)).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(router.states.subscriberCount).toBe(0);
  });

  it("go the other way: what a client serves, the server subscribes to", async () => {
    const near = createRouter(Bot, { ping: () => "near" });
    const { transport, bot } = rig({ serve: near });
    await bot.ping();
    const [peer] = transport.listener.peers;
    const sub = peer?.client(Bot).kept.subscribe();
    await sub?.ready;
    expect(await near.kept.publish(7)).toEqual({ delivered: 1 });
    expect(sub === undefined ? [] : await read(sub, 1)).toEqual([7]);
  });

  it("reach the subscribers of every listener that a router is served by, and pass mergers and gateways", async () => {
    const { router, transport, bot } = rig();
    const merged = createClient(Bot, memory(mergeRouters(router)));
    const gateway = createClient(Bot, memory(forward(transport)));
    const subs = [bot, merged, gateway].map((client) => client.states.subscribe({ pattern: "x" }));
    await Promise.all(subs.map(({ ready }) => ready));
    expect(await router.states.publish({ state: "on" }, { topic: "x", metadata: { a: "b" } })).toEqual({
      delivered: 3,
    });
    for (const sub of subs) {
      const [only] = await read(sub.events, 1);
      expect(only).toMatchObject({ topic: "test.Bot.states.x", value: { state: "on" } });
      expect(only?.kind === "event" ? only.metadata.get("a") : "").toBe("b");
    }
    await settled();
    await settled();
    expect(router.states.subscriberCount).toBe(0);
  });

  it("are refused where nobody publishes them", async () => {
    const Other = defineContract("test.Other", { a: event() });
    const { transport, bot } = rig();
    expect(await failure(createClient(Other, transport).a.subscribe().ready)).toMatchObject({ code: "UNIMPLEMENTED" });
    expect(await failure(bot.states.subscribe({ pattern: "a.**.b" }).ready)).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await failure(bot.states.subscribe({ buffer: 1e9 }).ready)).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("are had by their method where a handler has a member of the same name", async () => {
    const Odd = defineContract("test.Odd", { call: event({ payload: z.number() }), other: event() });
    const router = createRouter(Odd, {});
    expect(typeof router.call).toBe("function");
    const sub = createClient(Odd, memory(router)).call.subscribe();
    await sub.ready;
    expect(await routerMember(router, Odd.call).publish(5)).toEqual({ delivered: 1 });
    expect(await read(sub, 1)).toEqual([5]);
    expect(thrownBy(() => routerMember(router, Bot.states))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
