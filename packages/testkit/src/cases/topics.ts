import { type ClientOf, createRouter, type RouterOf, type Subscription } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, turns, until } from "../gate.ts";
import { clientOf, proves, type TransportCase, WITHOUT_RESUME } from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";
import { ALL, END, News, take, takeEvents, valuesUntilEnd } from "./news.ts";
import { anotherClient, bothWays, firstPeer, quiet } from "./pattern-ends.ts";

/** Pattern → sub-topics that it covers, of those below. */
const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  "": [""],
  "**": ["", "device", "device-stats", "device.stats", "device.stats.cpu", "other.stats", "Device", "DEVICE.stats"],
  device: ["device"],
  "device-stats": ["device-stats"],
  "device.stats": ["device.stats"],
  "device.**": ["device", "device.stats", "device.stats.cpu"],
  "device.*": ["device.stats"],
  "*": ["device", "device-stats", "Device"],
  "*.stats": ["device.stats", "other.stats", "DEVICE.stats"],
  "*.*": ["device.stats", "other.stats", "DEVICE.stats"],
  "*.*.**": ["device.stats", "device.stats.cpu", "other.stats", "DEVICE.stats"],
  "dev*": [],
  "device.": [],
  "[a-z]": [],
};
const TOPICS = PATTERNS["**"] ?? [];

/** C91–C95, C99, H67: events reach whoever has subscribed. */
export const topicCases: readonly TransportCase[] = [
  ...bothWays("C91", "gives each event once to each subscriber and to nobody else", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    const all = [client.told.subscribe(ALL), client.told.subscribe(ALL)];
    const even = client.told.subscribe({ ...ALL, pattern: "even.**" });
    const none = client.other.subscribe(ALL);
    const heard: unknown[] = [];
    const listening = client.told.subscribe(ALL, (value) => void heard.push(value));
    await Promise.all([...all, even, none, listening].map(({ ready }) => ready));
    const readers = [...all, even, none].map(valuesUntilEnd);
    for (const n of range(250)) await router.told.publish(n, { topic: n % 2 === 0 ? "even" : "odd" });
    await router.told.publish(END, { topic: "even.end" });
    await router.other.publish(END);
    const evens = range(250).filter((n) => n % 2 === 0);
    equal(await Promise.all(readers), [range(250), range(250), evens, []], "values of each subscriber");
    await until(() => heard.includes(END), "the listener hears the last event");
    equal(heard, [...range(250), END], "values of the listener");
    await listening.close();
  }),

  ...bothWays("C91", "keeps topic, payload and metadata of an event intact", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    const sub = client.told.subscribe(ALL);
    await sub.ready;
    const withMetadata = typeof bench.capabilities.metadata === "string";
    const payloads = [null, 0, "ü 🚀", [1, [2]], { a: { b: true } }, patterned(70_000, 1), 2n ** 70n, new Date(5)];
    for (const [n, value] of payloads.entries()) {
      const metadata = withMetadata ? { "x-n": String(n), "raw-bin": patterned(9, 2) } : undefined;
      await router.told.publish(value, { topic: `t.${n}`, metadata });
    }
    const events = await takeEvents(sub, payloads.length);
    equal(
      events.map(({ value }) => value),
      payloads,
      "payloads",
    );
    equal(
      events.map(({ topic, subTopic, lost }) => [topic, subTopic, lost]),
      payloads.map((_, n) => [`testkit.News.told.t.${n}`, `t.${n}`, 0]),
      "topics",
    );
    for (const [n, { metadata }] of events.entries()) {
      if (!withMetadata) break;
      equal(
        [metadata.get("x-n"), metadata.getBytes("raw-bin")],
        [String(n), patterned(9, 2)],
        `metadata of event ${n}`,
      );
    }
  }),

  proves("C91", "reaches subscribers on connections of their own", async (bench) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router);
    const clients = range(5).map(() => anotherClient(bench, pair, News));
    const subs = clients.map((client) => client.told.subscribe(ALL));
    await Promise.all(subs.map(({ ready }) => ready));
    const readers = subs.map(valuesUntilEnd);
    for (const n of range(50)) await router.told.publish(n);
    await router.told.publish(END);
    for (const [i, values] of (await Promise.all(readers)).entries()) equal(values, range(50), `values of client ${i}`);
  }),

  proves(
    "C91",
    "lets an event be changed once it was published, and refuses one that is not of the contract",
    async (bench) => {
      const router = createRouter(News, {}, { clock: bench.clock });
      const pair = await bench.connect(router);
      const client = clientOf(bench, News, pair.transport);
      const [sub, counted] = [client.told.subscribe(ALL), client.counted.subscribe(ALL)];
      await Promise.all([sub.ready, counted.ready]);
      const list = [1];
      const published = router.told.publish(list);
      list.push(2);
      await published;
      await rejects(
        router.counted.publish("five" as unknown as number),
        { code: "INVALID_ARGUMENT", message: "whole number" },
        "event of the wrong type",
      );
      await router.counted.publish(5);
      equal([await take(sub, 1), await take(counted, 1)], [[[1]], [5]], "values");
    },
  ),

  ...bothWays("C92", "misses nothing that is published once the subscription is ready", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    for (const n of range(40)) {
      const sub = client.told.subscribe(ALL);
      await sub.ready;
      await router.told.publish(n);
      equal(await take(sub, 1), [n], `first value of subscription ${n}`);
    }
  }),

  ...bothWays("C93", "tells the publisher of everybody who leaves, however they do it", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    const controller = new AbortController();
    const subs = [
      client.told.subscribe(),
      client.told.subscribe(),
      client.told.subscribe({ signal: controller.signal }),
    ];
    await Promise.all(subs.map(({ ready }) => ready));
    equal(router.told.subscriberCount, 3, "subscribers");
    const [looping, closed, aborted] = subs;
    check(looping !== undefined && closed !== undefined && aborted !== undefined, "a subscription is missing");
    const cancelled = rejects(collect(aborted), { code: "CANCELLED" }, "reader of an aborted subscription");
    await router.told.publish(1);
    equal(await take(looping, 1), [1], "value before leaving");
    await closed.close();
    equal(await collect(closed), [], "values after close");
    controller.abort();
    await cancelled;
    await until(() => router.told.subscriberCount === 0, "the publisher learns that they have left");
    equal(await router.told.publish(2), { delivered: 0 }, "report with nobody left");
    equal([await looping.closed, await closed.closed], [undefined, undefined], "ends of those who left by themselves");
    equal((await aborted.closed)?.code, "CANCELLED", "end of the aborted one");
  }),

  proves("C93", "leaves nothing of a client that has gone", async (bench) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router, WITHOUT_RESUME);
    const subs = range(20).map(() => clientOf(bench, News, pair.transport).told.subscribe());
    await Promise.all(subs.map(({ ready }) => ready));
    await pair.transport.close();
    for (const sub of subs) equal((await sub.closed)?.code, "UNAVAILABLE", "end of a subscription");
    await until(() => router.told.subscriberCount === 0, "the publisher learns that the client has gone");
  }),

  ...bothWays("C94", "keeps the order of a publisher, over all of its topics", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    const sub = client.told.subscribe(ALL);
    const heard: unknown[] = [];
    const slow = client.told.subscribe(ALL, async (value) => {
      await turns(0);
      heard.push(value);
    });
    await Promise.all([sub.ready, slow.ready]);
    const reader = valuesUntilEnd(sub);
    const sent = range(1_000).map((n) => router.told.publish(n, { topic: `t${n % 7}` }));
    await Promise.all(sent);
    await router.told.publish(END);
    equal(await reader, range(1_000), "order");
    await until(() => heard.length === 1_001, "the listener hears the last event");
    equal(heard.slice(0, -1), range(1_000), "order at a listener that takes its time");
    await slow.close();
  }),

  ...bothWays("C95", "covers by a pattern exactly what it says, level by level", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    const heard = new Map<string, string[]>();
    const subs: Subscription<unknown>[] = [];
    for (const pattern of Object.keys(PATTERNS)) {
      const found: string[] = [];
      const sub = client.told.subscribe({ ...ALL, pattern }, (_, { subTopic }) => void found.push(subTopic));
      if (pattern === "device.") {
        await rejects(sub.ready, { code: "INVALID_ARGUMENT" }, "pattern with an empty level");
        continue;
      }
      await sub.ready;
      heard.set(pattern, found);
      subs.push(sub);
    }
    for (const topic of TOPICS) await router.told.publish(topic, { topic });
    await router.told.publish(END, { topic: "zzz.zzz" });
    await until(() => heard.get("**")?.includes("zzz.zzz") === true, "the last event is heard");
    await turns();
    for (const [pattern, found] of heard) {
      equal(
        found.filter((topic) => topic !== "zzz.zzz"),
        PATTERNS[pattern],
        `topics heard by "${pattern}"`,
      );
    }
    await Promise.all(subs.map((sub) => sub.close()));
  }),

  proves("C95", "refuses topics with wildcards and patterns that cannot be", async (bench) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router);
    const client = clientOf(bench, News, pair.transport);
    for (const pattern of ["a.**.b", "**.a", ".", "a..b", "\ud800"]) {
      await rejects(client.told.subscribe({ pattern }).ready, { code: "INVALID_ARGUMENT" }, `pattern "${pattern}"`);
    }
    const sub = client.told.subscribe(ALL);
    await sub.ready;
    for (const topic of ["*", "a.*", "a.**", ".a", "a..b"]) {
      await rejects(router.told.publish(1, { topic }), { code: "INVALID_ARGUMENT" }, `topic "${topic}"`);
    }
    await router.told.publish(END);
    equal(await take(sub, 1), [END], "what was published of all this");
  }),

  ...bothWays("C99", "publishes to nobody with success, and keeps nothing of it", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    for (const n of range(50)) equal(await router.told.publish(n, { topic: "a" }), { delivered: 0 }, "report");
    const sub = client.told.subscribe(ALL);
    await sub.ready;
    await router.told.publish("now");
    equal(await take(sub, 1), ["now"], "what a later subscriber sees");
    await rejects(
      client.told.subscribe({ lastValue: true }).ready,
      { code: "FAILED_PRECONDITION" },
      "last value of an event that keeps none",
    );
  }),

  ...bothWays("C99", "keeps the last value of each topic where the contract says so", async (bench, open) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const { client } = await open(News, router);
    for (const n of range(6)) await router.kept.publish(n, { topic: `t${n % 3}` });
    const sub = client.kept.subscribe({ ...ALL, lastValue: true });
    const one = client.kept.subscribe({ ...ALL, lastValue: true, pattern: "t1" });
    const without = client.kept.subscribe(ALL);
    await Promise.all([sub.ready, one.ready, without.ready]);
    await router.kept.publish(END, { topic: "t1" });
    equal(
      [await take(sub, 4), await take(one, 2), await take(without, 1)],
      [[3, 4, 5, END], [4, END], [END]],
      "values",
    );
  }),

  proves("H67", "goes on when a listener of events throws or rejects", async (bench) => {
    if (typeof bench.capabilities.topics !== "string") setAside("topics is declared a gap");
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router);
    await hearsThrough(clientOf(bench, News, pair.transport), router);
  }),

  proves("H67", "tells the listener what its own listeners of a client's events throw", async (bench) => {
    if (typeof bench.capabilities.topics !== "string") setAside("topics is declared a gap");
    if (typeof bench.capabilities.duplex !== "string") setAside("duplex is declared a gap");
    const errors: unknown[] = [];
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(quiet, { serve: router, onError: (error) => errors.push(error) });
    await hearsThrough((await firstPeer(pair)).client(News), router);
    await until(() => errors.length === 2, "both errors are reported");
    check(String(errors[0]).includes("thrown by a listener"), `another error was told: ${String(errors[0])}`);
  }),
];

async function hearsThrough(client: ClientOf<typeof News>, router: RouterOf<typeof News>): Promise<void> {
  const heard: unknown[] = [];
  const listening = client.told.subscribe(ALL, (value) => {
    heard.push(value);
    if (value === 1) throw new Error("thrown by a listener");
    if (value === 2) return Promise.reject(new Error("rejected by a listener"));
    return undefined;
  });
  await listening.ready;
  for (const n of range(5)) await router.told.publish(n);
  await until(() => heard.length === 5, "the listener hears the last event");
  equal(heard, range(5), "values");
  await listening.close();
}
