import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createClient, createRouter, defineContract, event, job, workQueue } from "../src/index.ts";
import { Body, type Envelope, type ItemExtra } from "../src/transport.ts";
import { settled } from "./fake-clock.ts";
import { call, dialTo, failure, json, listen, rawClient } from "./rig.ts";

const Bot = defineContract("test.Bot", {
  states: event({ payload: z.number() }),
  work: job({ input: z.number(), output: z.number() }),
});

function served(options = {}) {
  const router = createRouter(Bot, { work: workQueue({ retryDelayMs: 0, maxAttempts: 2 }) });
  return { router, listener: listen(router, options) };
}

const subscribe = (id: number, input?: unknown, credits = 10): Envelope =>
  call(id, "test.Bot.states", { kind: "subscribe", payload: input === undefined ? undefined : json(input), credits });
const consume = (id: number, credits: number | undefined): Envelope =>
  call(id, "test.Bot.work", { kind: "consume", payload: undefined, credits });
const submit = (id: number, input: unknown, metadata?: [string, string][]): Envelope =>
  call(id, "test.Bot.work", { kind: "submit", payload: json(input), metadata });
const settle = (id: number, delivery: number, fields = {}): Envelope => ({
  body: Body.Settle,
  id,
  delivery,
  outcome: "ack",
  payload: json(1),
  error: undefined,
  ...fields,
});
const credit = (id: number, credits: number): Envelope => ({ body: Body.Credit, id, credits });
const extra = (fields: Partial<ItemExtra>): ItemExtra => ({
  topic: "",
  lost: 0,
  delivery: 0,
  attempt: 0,
  metadata: undefined,
  ...fields,
});

describe("a peer that subscribes, consumes and submits by hand", () => {
  it("is told by an empty Progress that it is subscribed, before any event", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(subscribe(1));
    void router.states.publish(5, { topic: "a.b" });
    await settled();
    expect(peer.of(Body.Progress)).toEqual([{ body: Body.Progress, id: 1, payload: undefined, log: undefined }]);
    expect(peer.of(Body.Item).map(({ seq, extra: said }) => [seq, said?.topic, said?.lost])).toEqual([
      [1, "test.Bot.states.a.b", 0],
    ]);
  });

  it.each([
    ["options that are a list", []],
    ["a pattern that is a number", { pattern: 5 }],
    ["a pattern that is none", { pattern: "a.**.b" }],
    ["a policy that nobody knows", { overflow: "explode" }],
    ["a policy that every object has", { overflow: "constructor" }],
    ["a buffer of nothing", { buffer: 0 }],
    ["a buffer that is text", { buffer: "9" }],
    ["a wish that is text", { lastValue: "yes" }],
  ])("H60 is refused %s", async (_what, input) => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(subscribe(1, input), subscribe(3));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([[1, 3]]);
    expect(router.states.subscriberCount).toBe(1);
  });

  it("H62 gets no event beyond its credit, and ends the session with too much of it", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(subscribe(1, undefined, 2));
    for (let i = 0; i < 5; i++) void router.states.publish(i);
    await settled();
    expect(peer.of(Body.Item)).toHaveLength(2);
    await peer.send(credit(1, 1));
    expect(peer.of(Body.Item)).toHaveLength(3);
    await peer.send(credit(1, 0x7fff_ffff), credit(1, 0x7fff_ffff));
    expect(peer.goodbye).toMatchObject({ reason: "PROTOCOL" });
    await settled();
    expect(router.states.subscriberCount).toBe(0);
  });

  it("fails the one subscription that it says nonsense about", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(subscribe(1), subscribe(3), subscribe(5), subscribe(7));
    await peer.send(
      { body: Body.End, id: 1, error: undefined, metadata: undefined },
      { body: Body.Item, id: 3, seq: 1, payload: json(1), extra: undefined },
      settle(5, 1),
    );
    expect(peer.failures.map(([id]) => id)).toEqual([1, 3, 5]);
    expect([peer.goodbye, router.states.subscriberCount]).toEqual([undefined, 1]);
  });

  it("is not subscribed by a call of another kind, nor to what is no event", async () => {
    const { listener } = served();
    const peer = await rawClient(listener);
    await peer.send(
      call(1, "test.Bot.work", { kind: "subscribe", credits: 1 }),
      call(3, "test.Bot.states", { kind: "consume", credits: 1 }),
      call(5, "test.Bot.states", { kind: "serverStream", credits: 1 }),
      call(7, "test.Bot.__proto__", { kind: "subscribe", credits: 1 }),
    );
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([
      [1, 12],
      [3, 12],
      [5, 12],
      [7, 12],
    ]);
  });

  it("is refused as a consumer that takes nothing", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(consume(1, 0), consume(3, undefined));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([
      [1, 3],
      [3, 3],
    ]);
    expect(router.work.consumerCount).toBe(0);
  });

  it("C113 settles nothing that it was not given, and nothing twice", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(consume(1, 1), settle(1, 1), settle(1, 999));
    const tickets = [await router.work.submit(1), await router.work.submit(2)];
    await settled();
    const [item] = peer.of(Body.Item);
    expect([item?.extra?.delivery, item?.extra?.attempt]).toEqual([1, 1]);
    await peer.send(settle(1, 1, { payload: json(7) }), settle(1, 1, { payload: json(8) }));
    expect(await tickets[0]?.result()).toBe(7);
    expect(peer.of(Body.Item).map((next) => next.extra?.delivery)).toEqual([1, 2]);
    expect(router.work.runningCount).toBe(1);
  });

  it("may give a job back without a reason, up to its attempts", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(consume(1, 1));
    const ticket = await router.work.submit(1);
    await settled();
    await peer.send(settle(1, 1, { outcome: "retry" }), settle(1, 2, { outcome: "retry" }));
    expect(await failure(ticket.result())).toMatchObject({ code: "UNKNOWN" });
  });

  it("fails the one job whose output is not what the contract says", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(consume(1, 1));
    const ticket = await router.work.submit(1);
    await settled();
    await peer.send(settle(1, 1, { payload: json({ $nonsense: 1 }) }));
    expect(await failure(ticket.result())).toMatchObject({ code: "INTERNAL" });
    expect(router.work.runningCount).toBe(0);
  });

  it("ends the session with a settlement for what is no consumer", async () => {
    const { listener } = served();
    const peer = await rawClient(listener);
    await peer.send(settle(9, 1));
    expect(peer.goodbye).toMatchObject({ reason: "PROTOCOL" });
  });

  it.each([
    ["rpc-job-delay-ms", "soon"],
    ["rpc-job-delay-ms", "-1"],
    ["rpc-job-delay-ms", "Infinity"],
    ["rpc-job-priority", "1.5"],
    ["rpc-job-priority", "1e99"],
    ["rpc-job-key", "k".repeat(257)],
    ["rpc-job-max-attempts", "0"],
    ["rpc-job-max-attempts", ""],
  ])("is refused a job with %s of %s", async (key, value) => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(submit(1, 1, [[key, value]]));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([[1, 3]]);
    expect(router.work.waitingCount).toBe(0);
  });

  it("gets its ticket, then its output; a job without input is a job", async () => {
    const { router, listener } = served();
    const peer = await rawClient(listener);
    await peer.send(submit(1, 4), call(3, "test.Bot.work", { kind: "submit", payload: undefined }), consume(5, 4));
    expect(peer.of(Body.Progress).map(({ id, payload }) => [id, payload === undefined])).toEqual([
      [1, false],
      [3, false],
      [5, true],
    ]);
    await peer.send(settle(5, 1, { payload: json(16) }));
    expect(peer.results).toEqual([16]);
    expect(router.work.runningCount).toBe(1);
  });
});

describe("a server that publishes and queues by hand", () => {
  function dialed() {
    const { transport, peers, errors } = dialTo();
    return { bot: createClient(Bot, transport), transport, peers, errors };
  }

  it("H61 is not heard on a topic that nobody here subscribed to, and that is counted", async () => {
    const { bot, peers, errors } = dialed();
    const heard: number[] = [];
    const sub = bot.states.subscribe({}, (value) => void heard.push(value));
    await settled();
    const [server] = peers;
    const item = (seq: number, topic: string): Envelope => ({
      body: Body.Item,
      id: 1,
      seq,
      payload: json(seq),
      extra: extra({ topic }),
    });
    await server?.send(item(1, "test.Bot.statesmen"), item(2, "other"), item(3, "test.Bot.states.x"), item(4, ""));
    await sub.ready;
    expect([heard, errors]).toEqual([[3, 4], []]);
    await sub.close();
  });

  it("fails the one subscription that it sends out of order, or something else to", async () => {
    const { bot, peers } = dialed();
    const subs = [1, 2, 3].map(() => bot.states.subscribe());
    await settled();
    await peers[0]?.send(
      { body: Body.Item, id: 1, seq: 2, payload: json(1), extra: extra({}) },
      { body: Body.Item, id: 3, seq: 1, payload: json({ $nonsense: 1 }), extra: extra({}) },
      { body: Body.Credit, id: 5, credits: 1 },
    );
    const codes = await Promise.all(subs.map(async (sub) => (await sub.closed)?.code));
    expect(codes).toEqual(["DATA_LOSS", "INVALID_ARGUMENT", "INTERNAL"]);
  });

  it("ends the session by sending without credit", async () => {
    const { bot, peers, errors } = dialed();
    const sub = bot.states.subscribe();
    await settled();
    for (let seq = 1; seq <= 257; seq++)
      void peers[0]?.send({ body: Body.Item, id: 1, seq, payload: json(seq), extra: extra({}) });
    await settled();
    expect(errors.map(({ reason }) => reason)).toEqual(["PROTOCOL"]);
    await sub.close();
  });

  it("gives a consumer no more than it takes, and no job that has no number", async () => {
    const { bot, peers, errors } = dialed();
    const consumers = [1, 2].map(() => bot.work.consume({ handle: () => new Promise(() => undefined) }));
    await settled();
    const item = (id: number, seq: number, delivery: number): Envelope => ({
      body: Body.Item,
      id,
      seq,
      payload: json(1),
      extra: extra({ delivery, attempt: 1 }),
    });
    await peers[0]?.send(item(1, 1, 0));
    expect((await consumers[0]?.closed)?.code).toBe("INTERNAL");
    await peers[0]?.send(item(3, 1, 1), item(3, 2, 2));
    expect(errors.map(({ reason }) => reason)).toEqual(["PROTOCOL"]);
  });

  it("fails the one submission whose ticket is none", async () => {
    const { bot, peers } = dialed();
    const bad = failure(bot.work.submit(1));
    const good = bot.work.submit(2);
    await settled();
    await peers[0]?.send(
      { body: Body.Progress, id: 1, payload: json({ ticket: 5 }), log: undefined },
      { body: Body.Progress, id: 3, payload: json({ ticket: "t" }), log: undefined },
      { body: Body.Result, id: 3, payload: json(9), metadata: undefined },
    );
    expect(await bad).toMatchObject({ code: "INTERNAL" });
    const ticket = await good;
    expect([ticket.id, await ticket.result()]).toEqual(["t", 9]);
  });
});
