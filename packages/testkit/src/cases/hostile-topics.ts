import { createRouter, type RouterOf } from "@rpc/core";
import { Body, type Channel, type Envelope } from "@rpc/core/transport";
import { check, equal } from "../assert.ts";
import { turns, until } from "../gate.ts";
import { callEnvelope, payload, type RawPeer } from "../raw-peer.ts";
import {
  connectWire,
  rawClient,
  rawServer,
  transportOver,
  type WireBench,
  type WireListener,
} from "../session-bench.ts";
import { clientOf, provesOnWire, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { ALL, News } from "./news.ts";

const TOLD = "testkit.News.told";
const [INVALID_ARGUMENT, RESOURCE_EXHAUSTED] = [3, 8];

/** H60–H62: subscribers and publishers that no honest peer is. */
export const hostileTopicCases: readonly TransportCase[] = [
  provesOnWire("H60", "refuses 20,000 subscriptions of one peer beyond maxSubscriptions", async (bench) => {
    const { raw, router } = await subscriber(bench, { maxSubscriptions: 100 });
    const before = raw.received.length;
    for (const batch of range(20)) {
      for (const n of range(1_000)) raw.send(subscribe(2 * (batch * 1_000 + n) + 1));
      await until(() => raw.received.length === before + (batch + 1) * 1_000, "all are answered");
    }
    equal([raw.count(Body.Progress), raw.count(Body.Fail)], [100, 19_900], "subscriptions taken and refused");
    const refused = raw.received.find((each) => each.body === Body.Fail);
    equal(refused?.error.code, RESOURCE_EXHAUSTED, "code of a refusal");
    equal(router.told.subscriberCount, 100, "subscribers");
    raw.leave();
    await until(() => router.told.subscriberCount === 0, "nothing is left of the peer");
  }),

  provesOnWire("H60", "refuses names of 64 KB and patterns of a thousand levels", async (bench) => {
    const { raw, router } = await subscriber(bench);
    const long = ["x".repeat(65_536), "*.".repeat(1_000) + "x", "é".repeat(200), "**.".repeat(1_000)];
    for (const [n, pattern] of long.entries()) {
      raw.send(subscribe(2 * n + 1, { pattern }));
      const { error } = await raw.next(Body.Fail);
      check([INVALID_ARGUMENT, RESOURCE_EXHAUSTED].includes(error.code), `pattern ${n}: code ${error.code}`);
      check(error.message.length < 1_000, `the message repeats ${error.message.length} characters of the name`);
    }
    equal([router.told.subscriberCount, raw.isClosed], [0, false], "subscribers, session ended");
  }),

  provesOnWire("H60", "matches patterns that are built to backtrack in a straight line", async (bench) => {
    const { raw, router } = await subscriber(bench);
    // A regular expression made of one of these takes longer than anybody lives.
    const evil = [
      ...range(16).map((n) => [...range(15).map((level) => (level === n ? "a" : "*")), "b"].join(".")),
      [...range(15).map(() => "*"), "**"].join("."),
      "*a*a*a*a*a*a*a*a*a*a*a*a*b",
      "(a+)+b",
    ];
    for (const [n, pattern] of range(500)
      .flatMap(() => evil)
      .slice(0, 900)
      .entries())
      raw.send(subscribe(2 * n + 1, { pattern }));
    await until(() => router.told.subscriberCount === 900, "all are subscribed");
    const topic = range(16)
      .map(() => "a")
      .join(".");
    for (const n of range(200)) await router.told.publish(n, { topic: n === 0 ? topic : `${topic.slice(2)}.${n}` });
    check(!raw.isClosed, "the session has ended");
  }),

  provesOnWire("H61", "ignores events that nobody subscribed to, and hears the others", async (bench) => {
    const { raw, transport } = await rawServer(bench);
    const client = clientOf(bench, News, transport);
    const heard: unknown[] = [];
    const sub = client.told.subscribe(ALL, (value) => void heard.push(value));
    const { id } = await raw.next(Body.Call);
    const item = (seq: number, topic: string, to = id): Envelope => ({
      body: Body.Item,
      id: to,
      seq,
      payload: payload(seq),
      extra: { topic, lost: 0, delivery: 0, attempt: 0, metadata: undefined },
    });
    raw.send({ body: Body.Progress, id, payload: undefined, log: undefined });
    await sub.ready;
    for (const [n, topic] of ["testkit.News.toldtales", "testkit.News.other", "testkit.News", "__proto__"].entries()) {
      raw.send(item(n + 1, topic));
    }
    raw.send(item(5, `${TOLD}.mine`));
    await until(() => heard.length > 0, "the event that was subscribed to is heard");
    equal(heard, [5], "events heard");
    await sub.close();
    await raw.next(Body.Cancel);
    // It was on its way when the subscriber left.
    raw.send(item(6, TOLD));
    await turns();
    equal([heard, raw.isClosed], [[5], false], "events heard after leaving, session ended");
  }),

  provesOnWire(
    "H62",
    "keeps within its buffer for a subscriber that never reads, and goes on for others",
    async (bench) => {
      const { raw, router, server } = await subscriber(bench);
      const others = await honest(bench, server);
      raw.send(subscribe(1, { buffer: 100 }, 5));
      raw.send(subscribe(3, { buffer: 100, overflow: "disconnect" }, 5));
      raw.send(subscribe(5, { buffer: 100, overflow: "drop-newest" }, 5));
      await until(() => router.told.subscriberCount === 4, "all are subscribed");
      for (const n of range(20_000)) await router.told.publish(n);
      await until(() => others.length === 20_000, "the other subscriber gets every event");
      const { id, error } = await raw.next(Body.Fail);
      equal([id, error.code], [3, RESOURCE_EXHAUSTED], "the one that asked to be disconnected");
      equal(raw.count(Body.Item), 15, "events, of which none is beyond the credit");
      for (const of of [1, 5]) raw.send({ body: Body.Credit, id: of, credits: 200 });
      await until(() => raw.count(Body.Item) >= 215, "what was kept arrives");
      await router.told.publish(20_000);
      await until(() => raw.count(Body.Item) === 217, "the next event arrives");
      equal([lostOf(raw, 1), lostOf(raw, 5)], [19_895, 19_895], "events said to be left out");
    },
  ),

  provesOnWire("H62", "goes on for others when a subscriber takes nothing off the wire", async (bench) => {
    const { raw, router, server } = await subscriber(bench, { maxSendBufferBytes: 256 * 1024 });
    raw.send(subscribe(1, { buffer: 10 }, 1_000_000));
    const others = await honest(bench, server);
    await until(() => router.told.subscriberCount === 2, "both are subscribed");
    raw.pauseReading();
    const text = "x".repeat(10_000);
    for (const _ of range(1_000)) await router.told.publish(text);
    await until(() => others.length === 1_000, "the other subscriber gets every event");
  }),
];

function subscribe(id: number, options?: Readonly<Record<string, unknown>>, credits = 10): Envelope {
  const said = options === undefined ? undefined : payload(options);
  return callEnvelope(id, TOLD, { kind: "subscribe", payload: said, credits });
}

/** What an honest client of the same listener hears. */
async function honest(bench: WireBench, server: WireListener): Promise<readonly unknown[]> {
  const heard: unknown[] = [];
  const dial = async (): Promise<Channel> => {
    const pair = await connectWire(bench);
    server.accept(pair.accepted);
    return pair.dialed;
  };
  const transport = transportOver(bench, dial);
  const sub = clientOf(bench, News, transport).told.subscribe(ALL, (value) => void heard.push(value));
  bench.defer(() => sub.close());
  await sub.ready;
  return heard;
}

function lostOf(raw: RawPeer, id: number): number {
  let lost = 0;
  for (const each of raw.received) if (each.body === Body.Item && each.id === id) lost += each.extra?.lost ?? 0;
  return lost;
}

/** A raw client of a publisher. It acknowledges nothing, so the session is one that is not kept. */
async function subscriber(
  bench: WireBench,
  limits: Parameters<typeof rawClient>[2] = {},
): Promise<Awaited<ReturnType<typeof rawClient>> & { readonly router: RouterOf<typeof News> }> {
  const router = createRouter(News, {}, { clock: bench.clock });
  return { ...(await rawClient(bench, router, { resumeWindowMs: 0, ...limits })), router };
}
