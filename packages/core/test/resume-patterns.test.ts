import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createClient, createRouter, defineContract, event, job, workQueue } from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { resumable } from "./resume-rig.ts";
import { failure } from "./rig.ts";

const Bot = defineContract("test.Bot", {
  numbers: event({ payload: z.number() }),
  work: job({ input: z.number(), output: z.number() }),
  safe: job({ input: z.number(), output: z.number(), idempotent: true }),
});

function rig() {
  const router = createRouter(Bot, { work: workQueue({ retryDelayMs: 0 }), safe: workQueue() });
  const link = resumable(router);
  return { router, link, bot: createClient(Bot, link.transport) };
}

describe("events and jobs over a connection that is cut", () => {
  it("go on where they were when the session is resumed: nothing lost, nothing twice, no gap", async () => {
    const { router, link, bot } = rig();
    const seen: unknown[] = [];
    const sub = bot.numbers.subscribe({ onGap: () => seen.push("gap") }, (value) => void seen.push(value));
    const runs: [number, number][] = [];
    bot.work.consume({
      concurrency: 2,
      handle: async (n, ctx) => {
        runs.push([n, ctx.attempt]);
        await settled();
        return n * n;
      },
    });
    await sub.ready;
    const outputs: Promise<number>[] = [];
    for (let i = 0; i < 20; i++) {
      void router.numbers.publish(i);
      outputs.push((await router.work.submit(i)).result());
      if (i % 5 === 4) await link.cut();
      else await settled();
      void router.numbers.publish(100 + i);
      await link.clock.advance(1_000);
    }
    await link.clock.advance(60_000);
    expect(await Promise.all(outputs)).toEqual(Array.from({ length: 20 }, (_, i) => i * i));
    expect(runs.map(([n]) => n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(runs.every(([, attempt]) => attempt === 1)).toBe(true);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => [i, 100 + i]).flat());
    expect([sub.lostCount, router.numbers.subscriberCount]).toEqual([0, 1]);
  });

  it("begin again on a new session, with a gap, when the server does not know the old one any more", async () => {
    const { router, link, bot } = rig();
    const seen: unknown[] = [];
    const sub = bot.numbers.subscribe(
      { onGap: ({ reason }) => seen.push(reason.code) },
      (value) => void seen.push(value),
    );
    const consumer = bot.work.consume({ handle: (n) => n });
    await Promise.all([sub.ready, consumer.ready]);
    void router.numbers.publish(1);
    await settled();
    await link.restart();
    await link.clock.advance(60_000);
    void router.numbers.publish(2);
    expect(await (await router.work.submit(3)).result()).toBe(3);
    expect(seen).toEqual([1, "UNAVAILABLE", 2]);
    expect([router.numbers.subscriberCount, router.work.consumerCount]).toEqual([1, 1]);
    await Promise.all([sub.close(), consumer.close(), link.transport.close()]);
  });

  it("tell a submitter when nobody knows what became of its job, and submit an idempotent one again", async () => {
    const { link, bot } = rig();
    const [once, again] = [await bot.work.submit(1), await bot.safe.submit(2)];
    const lost = failure(once.result());
    const result = again.result();
    await link.restart();
    await link.clock.advance(60_000);
    expect(await lost).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    bot.safe.consume({ handle: (n) => n + 1 });
    expect(await result).toBe(3);
  });
});
