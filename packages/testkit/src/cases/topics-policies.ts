import { createRouter, type OverflowPolicy, type RouterOf, type Subscription, type TopicEvent } from "@rpc/core";
import { check, equal, fail, rejects } from "../assert.ts";
import { collect, passing, turns, until, watch } from "../gate.ts";
import { clientOf, proves, type TransportBench, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { ALL, News } from "./news.ts";

const BUFFER = 10;
/** More than a buffer, and everything that may be under way, on any transport. */
const MANY = 3_000;

/** C96: what a slow subscriber costs, and whom. */
export const policyCases: readonly TransportCase[] = [
  proves(
    "C96",
    "delays nobody for a slow subscriber, and tells it what it has missed, when the oldest are dropped",
    async (bench) => {
      const { router, slow, fast } = await subscribed(bench, "drop-oldest");
      await publishAll(router, fast);
      const events = await eventsUntil(slow, ({ value }) => value === MANY - 1);
      provesCounted(events);
      equal(slow.lostCount, MANY - events.length, "events that were left out");
      check(slow.lostCount > 0, `all ${MANY} events were kept for a subscriber with a buffer of ${BUFFER}`);
      await slow.close();
    },
  ),

  proves(
    "C96",
    "delays nobody for a slow subscriber, and tells it what it has missed, when the newest are dropped",
    async (bench) => {
      const { router, slow, fast } = await subscribed(bench, "drop-newest");
      await publishAll(router, fast);
      const reading = eventsUntil(slow, ({ lost }) => lost > 0);
      const watched = watch(reading);
      // There is room again only when the reader's credit has come back.
      for (let n = MANY; !watched.settled; n += 1) {
        await router.told.publish(n);
        await turns(1);
      }
      const events = await reading;
      provesCounted(events);
      equal(slow.lostCount, events.at(-1)?.lost, "events that were left out");
      check(Number(events.at(-1)?.value) >= MANY, "an event that came when the buffer was full was not dropped");
      await slow.close();
    },
  ),

  proves("C96", "ends a slow subscriber alone that asked to be disconnected", async (bench) => {
    const { router, slow, fast } = await subscribed(bench, "disconnect");
    await publishAll(router, fast);
    await until(() => router.told.subscriberCount === 1, "the publisher lets the slow one go");
    const read: unknown[] = [];
    const reading = (async () => {
      for await (const value of slow) read.push(value);
    })();
    await rejects(reading, { code: "RESOURCE_EXHAUSTED" }, "reader that does not keep up");
    equal(read, range(read.length), "what it had got by then");
    check(read.length < MANY, "it was ended though it had got everything");
    equal((await slow.closed)?.code, "RESOURCE_EXHAUSTED", "end of the subscription");
  }),

  proves("C96", "lets a slow subscriber hold up the publisher, and nobody else, when it blocks", async (bench) => {
    const { router, slow, fast } = await subscribed(bench, "block");
    const { published, blocked } = await publishUntilBlocked(router);
    await until(() => fast.length === published, "the fast subscriber has every event at once");
    const values = slow[Symbol.asyncIterator]();
    const read: unknown[] = [];
    for (const _ of range(published)) read.push((await values.next()).value);
    await blocked;
    equal([read, slow.lostCount], [range(published), 0], "values and losses of the slow subscriber");
    equal(fast, range(published), "values of the fast subscriber");
    await values.return?.();
  }),

  proves("C96", "lets the publisher go when a blocking subscriber leaves, or blocks for too long", async (bench) => {
    const first = await subscribed(bench, "block");
    const leaving = await publishUntilBlocked(first.router);
    await first.slow.close();
    await leaving.blocked;
    const second = await subscribed(bench, "block");
    const { blocked } = await publishUntilBlocked(second.router);
    await passing(bench.clock, blocked, "the publisher is let go", 500);
    await rejects(collect(second.slow), { code: "RESOURCE_EXHAUSTED" }, "subscriber that blocked for too long");
  }),

  proves("C96", "ends one that blocks a publisher that does not wait, and fails no publication", async (bench) => {
    const { router, slow, fast } = await subscribed(bench, "block");
    // One that was rejected would fail the case here.
    await Promise.all(range(MANY).map((n) => router.told.publish(n)));
    await rejects(collect(slow), { code: "RESOURCE_EXHAUSTED" }, "subscriber that blocked");
    await until(() => fast.length === MANY, "the fast subscriber gets every event");
    equal(router.told.subscriberCount, 1, "subscribers");
  }),

  proves("C96", "refuses policies and buffers that cannot be", async (bench) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const client = clientOf(bench, News, (await bench.connect(router)).transport);
    const wrong = [{ overflow: "explode" as OverflowPolicy }, { buffer: 0 }, { buffer: -1 }, { buffer: 1.5 }];
    for (const options of wrong) {
      const { ready } = client.told.subscribe(options);
      await rejects(ready, { code: "INVALID_ARGUMENT" }, JSON.stringify(options));
    }
    await rejects(client.told.subscribe({ buffer: 1e9 }).ready, { code: "RESOURCE_EXHAUSTED" }, "a huge buffer");
    equal(router.told.subscriberCount, 0, "subscribers");
  }),
];

/** One subscriber that does not read, and one that hears everything at once. */
async function subscribed(
  bench: TransportBench,
  overflow: OverflowPolicy,
): Promise<{
  readonly router: RouterOf<typeof News>;
  readonly slow: Subscription<unknown>;
  readonly fast: readonly unknown[];
}> {
  const router = createRouter(News, {}, { clock: bench.clock });
  const client = clientOf(bench, News, (await bench.connect(router)).transport);
  const fast: unknown[] = [];
  const slow = client.told.subscribe({ overflow, buffer: BUFFER });
  const hearing = client.told.subscribe({ ...ALL, buffer: MANY }, (value) => void fast.push(value));
  await Promise.all([slow.ready, hearing.ready]);
  bench.defer(() => hearing.close());
  return { router, slow, fast };
}

async function publishAll(router: RouterOf<typeof News>, fast: readonly unknown[]): Promise<void> {
  for (const n of range(MANY)) await router.told.publish(n);
  await until(() => fast.length === MANY, "the fast subscriber has every event at once");
  equal(fast, range(MANY), "values of the fast subscriber");
}

async function publishUntilBlocked(
  router: RouterOf<typeof News>,
): Promise<{ readonly published: number; readonly blocked: Promise<unknown> }> {
  for (const n of range(MANY)) {
    const blocked = router.told.publish(n);
    const settled = await Promise.race([blocked.then(() => true), turns(5).then(() => false)]);
    if (!settled) return { published: n + 1, blocked };
  }
  return fail(`${MANY} events were taken for a subscriber with a buffer of ${BUFFER}`);
}

async function eventsUntil(
  sub: Subscription<unknown>,
  isLast: (event: TopicEvent<unknown>) => boolean,
): Promise<TopicEvent<unknown>[]> {
  const seen: TopicEvent<unknown>[] = [];
  for await (const each of sub.events) {
    if (each.kind === "gap") fail("a gap was reported");
    seen.push(each);
    if (isLast(each)) return seen;
  }
  return fail("the subscription ended");
}

/** Every event says how many are missing before it. */
function provesCounted(events: readonly TopicEvent<unknown>[]): void {
  let due = 0;
  for (const { value, lost } of events) {
    equal(value, due + lost, `event after ${lost} that were left out`);
    due += lost + 1;
  }
}
