import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { createClient, createRouter, defineContract, event, job, RpcError, workQueue } from "../src/index.ts";
import { createMemoryChannelPair, createSessionTransport, jsonEnvelopeCodec } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, listen, memory } from "./rig.ts";

const Bot = defineContract("test.Bot", {
  states: event({ payload: z.number() }),
  work: job({ input: z.number(), output: z.number() }),
});

/** A server that is not up yet. */
function rig() {
  const clock = new FakeClock();
  const router = createRouter(Bot, { work: workQueue() });
  const listener = listen(router, { clock });
  const state = { up: false, dials: 0 };
  const transport = createSessionTransport({
    endpoint: "memory:late",
    codec: jsonEnvelopeCodec,
    clock,
    dial: () => {
      state.dials++;
      if (!state.up) return Promise.reject(new RpcError("UNAVAILABLE", "nobody listens"));
      const [near, far] = createMemoryChannelPair();
      listener.accept(far);
      return Promise.resolve(near);
    },
  });
  onTestFinished(() => transport.close());
  return { clock, router, state, transport, bot: createClient(Bot, transport) };
}

describe("a subscription or a consumer that is made before its server is up", () => {
  it("is ready when the server is, and has missed nothing that it was promised", async () => {
    const { clock, router, state, bot } = rig();
    const sub = bot.states.subscribe();
    const done: string[] = [];
    const consumer = bot.work.consume({ handle: (n) => n + 1 });
    void sub.ready.then(() => done.push("sub"));
    void consumer.ready.then(() => done.push("consumer"));
    await clock.advance(60_000);
    expect(done).toEqual([]);
    expect(state.dials).toBeGreaterThan(2);
    expect(state.dials).toBeLessThan(100);
    state.up = true;
    for (let i = 0; i < 10; i++) await clock.advance(5_000);
    expect(done.toSorted()).toEqual(["consumer", "sub"]);
    void router.states.publish(5);
    // No gap: before it was ready it was promised nothing.
    expect((await sub.events[Symbol.asyncIterator]().next()).value).toMatchObject({ kind: "event", value: 5 });
    const ticket = await bot.work.submit(1);
    expect(await ticket.result()).toBe(2);
    await Promise.all([sub.close(), consumer.close()]);
  });

  it("ends when it is closed meanwhile, and fails at once when it is not to be tried again", async () => {
    const { clock, transport, bot } = rig();
    const sub = bot.states.subscribe();
    const consumer = bot.work.consume({ handle: (n) => n });
    const once = bot.states.subscribe({ resubscribe: false });
    const onceConsumer = bot.work.consume({ handle: (n) => n, reconnect: false });
    await clock.advance(10);
    expect(await failure(once.ready)).toMatchObject({ code: "UNAVAILABLE" });
    expect(await failure(onceConsumer.ready)).toMatchObject({ code: "UNAVAILABLE" });
    await Promise.all([sub.close(), consumer.close()]);
    expect([await sub.closed, await consumer.closed]).toEqual([undefined, undefined]);
    await transport.close();
    expect(clock.timerCount).toBe(0);
  });

  it("is reported when it has a listener and ends, since nobody may look at its end", async () => {
    const errors: RpcError[] = [];
    const router = createRouter(Bot, { work: workQueue() });
    const bot = createClient(Bot, memory(router, { onError: (error: RpcError) => errors.push(error) }));
    const sub = bot.states.subscribe({ pattern: "a.**.b" }, () => undefined);
    await failure(sub.ready);
    await settled();
    expect(errors.map(({ code }) => code)).toEqual(["INVALID_ARGUMENT"]);
  });
});
