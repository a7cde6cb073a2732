import { onTestFinished, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  event,
  type Handler,
  job,
  type JobContext,
  notification,
  type PeerReply,
  RpcError,
  unary,
  workQueue,
} from "../src/index.ts";
import {
  type Channel,
  createMemoryChannelPair,
  createSessionTransport,
  jsonEnvelopeCodec,
  type SessionTransport,
} from "../src/transport.ts";
import { Drain } from "../src/tools/drain.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, Gate, listen, memory } from "./rig.ts";
import { resumable, whileTimePasses } from "./resume-rig.ts";

const News = defineContract("test.News", { told: event({ payload: z.number() }) });
const Shop = defineContract("test.Shop", { orders: job({ input: z.number(), output: z.string() }) });
const Hub = defineContract("test.Hub", { hello: unary() });
const Node = defineContract("test.Node", { wake: notification({ input: z.number() }), load: unary() });
const Ring = defineContract("test.Ring", { turn: unary({ input: z.number(), output: z.number() }) });

/** What the session specification promises of each pattern, one test for each row. */
describe("the patterns of a session", () => {
  it("T20 publish/subscribe: goes on over a cut without a gap, and marks the gap after a lost session", async () => {
    const router = createRouter(News, {});
    const rig = resumable(router);
    const subscription = createClient(News, rig.transport).told.subscribe({ overflow: "block" });
    const read: unknown[] = [];
    void (async () => {
      for await (const each of subscription.events) read.push(each.kind === "event" ? each.value : each.kind);
    })();
    await subscription.ready;
    await router.told.publish(1);
    await rig.cut();
    await router.told.publish(2);
    await rig.clock.advance(5_000);
    expect(read).toEqual([1, 2]);
    await rig.restart();
    await router.told.publish(3);
    await rig.clock.advance(5_000);
    await router.told.publish(4);
    await settled();
    expect([read, rig.events.includes("resumed")]).toEqual([[1, 2, "gap", 4], true]);
    await subscription.close();
  });

  it("T21 producer/consumer: gives a job that its consumer died over to another, and hears nothing of the dead one", async () => {
    const clock = new FakeClock();
    const router = createRouter(Shop, { orders: workQueue({ retryDelayMs: 0 }) }, { clock });
    const dying = memory(router, { clock });
    const gate = new Gate();
    const contexts: JobContext[] = [];
    createClient(Shop, dying).orders.consume({
      reconnect: false,
      handle: async (_n, context) => {
        contexts.push(context);
        await gate.promise;
        return "from the dead";
      },
    });
    await settled();
    const ticket = await router.orders.submit(7);
    await settled();
    expect([contexts.length, router.orders.runningCount]).toEqual([1, 1]);
    for (const peer of dying.listener.peers) peer.disconnect(new RpcError("UNAVAILABLE", "killed"));
    await settled();
    expect([router.orders.waitingCount, contexts[0]?.signal.aborted]).toEqual([1, true]);
    const runs: number[] = [];
    createClient(Shop, memory(router, { clock })).orders.consume({
      handle: (n, { attempt }) => {
        runs.push(n);
        return `try ${attempt}`;
      },
    });
    expect(await whileTimePasses(clock, ticket.result())).toBe("try 2");
    gate.open();
    await settled();
    expect([await ticket.result(), runs]).toEqual(["try 2", [7]]);
  });

  it("T22 broadcast: reaches all but the dead one, and counts", async () => {
    const { listener, woken, channels } = await hub(4);
    const peers = [...listener.peers];
    channels[2]?.destroy?.();
    const report = listener.peers.broadcast(Node.wake, 5, { ack: true });
    await settled();
    expect(await report.accepted).toBe(3);
    expect(report.sent + report.failed.length).toBeGreaterThanOrEqual(4);
    expect(report.failed.map(({ peer, error }) => [peers.indexOf(peer), error.code])).toEqual([[2, "UNAVAILABLE"]]);
    expect(woken.toSorted()).toEqual(["0 got 5", "1 got 5", "3 got 5"]);
    const next = listener.peers.broadcast(Node.wake, 6);
    expect([next.sent, next.failed, await next.accepted]).toEqual([3, [], 3]);
  });

  it("T23 notification: is confirmed by a peer that has it, and refused by one that is gone for good", async () => {
    const { listener, woken, transports } = await hub(2);
    const [first, second] = listener.peers;
    await first?.client(Node).wake(1, { ack: true });
    expect(woken).toEqual(["0 got 1"]);
    await transports[1]?.close();
    await settled();
    const refused = failure(Promise.resolve(second?.client(Node).wake(2, { ack: true })));
    expect(await refused).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    expect(woken).toEqual(["0 got 1"]);
  });

  it("T27 speaks to one, to all, to any and to the least busy, and takes their replies", async () => {
    const gates = [new Gate<unknown>(), undefined, undefined];
    const { listener } = await hub(3, (n) => gates[n]?.promise ?? n);
    const peers = [...listener.peers];
    expect(await peers[1]?.client(Node).load()).toBe(1);
    const busy = peers[0]?.client(Node).load();
    await settled();
    expect(listener.peers.leastBusy()).toBe(peers[1]);
    expect(
      await listener.peers
        .leastBusy((peer) => peer !== peers[1])
        ?.client(Node)
        .load(),
    ).toBe(2);
    const any = new Set(Array.from({ length: 200 }, () => listener.peers.random()));
    expect(any).toEqual(new Set(peers));
    const replies: PeerReply<unknown>[] = [];
    for await (const reply of listener.peers.callAll(Node.load)) {
      replies.push(reply);
      if (replies.length === 2) gates[0]?.open(0);
    }
    expect(replies.map(({ peer, result }) => [peers.indexOf(peer), result])).toEqual([
      [1, 1],
      [2, 2],
      [0, 0],
    ]);
    await busy;
  });

  it("K19 calls back into the caller twenty deep, ends an endless one, and refuses what would wait for itself", async () => {
    const turning = (ask: (n: number, context: object) => Promise<number> | undefined) =>
      createRouter(Ring, { turn: async (n, context) => (n === 0 ? 0 : 1 + ((await ask(n - 1, context)) ?? 0)) });
    const near: Handler = turning((n, context) => (context as JobContext).peer?.client(Ring).turn(n, context));
    const far: Handler = turning((n, context) => (context as JobContext).peer?.client(Ring).turn(n, context));
    const ring = createClient(Ring, memory(far, { serve: near, maxCallsInFlight: 17 }));
    expect(await ring.turn(20)).toBe(20);
    expect(await failure(ring.turn(1_000))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
    expect(await ring.turn(3)).toBe(3);
    // Beside its own calls either end takes three that call back: a fourth would wait for the first, which waits for it.
    const narrow = createClient(Ring, memory(far, { serve: near, maxCallsInFlight: 3 }));
    expect(await failure(narrow.turn(7))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxCallsInFlight" });
    expect(await narrow.turn(6)).toBe(6);
  });
});

describe("a drain that is over", () => {
  it("sets no timer when it is asked for again", () => {
    const clock = new FakeClock();
    const drain = new Drain(clock);
    drain.within(60_000);
    drain.finish();
    drain.within(1_000);
    expect(clock.timerCount).toBe(0);
  });
});

/** So many clients that serve Node, each on a channel that can be broken. Nobody comes back. */
async function hub(count: number, load: (n: number) => unknown = (n) => n) {
  const listener = listen(createRouter(Hub, { hello: () => "hi" }), { resumeWindowMs: 0 });
  const woken: string[] = [];
  const channels: Channel[] = [];
  const transports: SessionTransport[] = [];
  for (let n = 0; n < count; n++) {
    const transport = createSessionTransport({
      endpoint: `memory:${n}`,
      codec: jsonEnvelopeCodec,
      clock: new FakeClock(),
      resumeWindowMs: 0,
      serve: createRouter(Node, { wake: (input) => void woken.push(`${n} got ${input}`), load: () => load(n) }),
      dial: () => {
        const [near, far] = createMemoryChannelPair();
        listener.accept(far);
        channels.push(near);
        return Promise.resolve(near);
      },
    });
    onTestFinished(() => transport.close());
    await createClient(Hub, transport).hello();
    transports.push(transport);
  }
  return { listener, woken, channels, transports };
}
