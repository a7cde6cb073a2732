import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createClient, createRouter, defineContract, event } from "../src/index.ts";
import { DEFAULT_LIMITS } from "../src/words/limits.ts";
import type { EventSource } from "../src/words/topics.ts";
import { IncomingPatterns } from "../src/machines/incoming-patterns.ts";
import type { SessionLink } from "../src/machines/session-link.ts";
import { settled } from "./fake-clock.ts";
import { STATES } from "./queue-rig.ts";
import { call, failure, memory } from "./rig.ts";

const Bot = defineContract("test.Bot", { texts: event({ payload: z.string() }) });

function rig(options = {}, topics = {}) {
  const router = createRouter(Bot, {}, { topics });
  const transport = memory(router, options);
  return { router, transport, bot: createClient(Bot, transport) };
}

describe("many subscriptions of one session", () => {
  it("have no more under way than their session takes unread, and all go on", async () => {
    // What the publisher keeps is not what this is about.
    const { router, bot } = rig({}, { maxPeerBufferBytes: 1024 ** 3 });
    const subs = Array.from({ length: 100 }, () => bot.texts.subscribe());
    await Promise.all(subs.map(({ ready }) => ready));
    const big = "x".repeat(200 * 1024);
    for (let i = 0; i < 8; i++) await router.texts.publish(big + i);
    for (let i = 0; i < 100; i++) await settled();
    for (const sub of subs) {
      let count = 0;
      for await (const next of sub) {
        expect(next.at(-1)).toBe(String(count));
        if (++count === 8) break;
      }
      expect(sub.lostCount).toBe(0);
    }
  });

  it("lose events rather than end when the readers of their session hold too much, and are told how many", async () => {
    const { router, bot } = rig({ maxUnreadBytes: 10_000 });
    const stalled = bot.texts.subscribe();
    const read = bot.texts.subscribe({ pattern: "read" });
    await Promise.all([stalled.ready, read.ready]);
    for (let i = 0; i < 300; i++) void router.texts.publish("x".repeat(1_000));
    await settled();
    const reading = read.events[Symbol.asyncIterator]();
    void router.texts.publish("y".repeat(5_000), { topic: "read" });
    await settled();
    await stalled.close();
    for (let i = 0; i < 3; i++) await settled();
    void router.texts.publish("z", { topic: "read" });
    expect(await reading.next()).toMatchObject({ value: { value: "z", lost: 1 } });
    await read.close();
  });

  it("end when they have chosen so, drop what waits, and say what to do", async () => {
    const { router, bot } = rig({ maxUnreadBytes: 10_000 });
    const strict = bot.texts.subscribe({ overflow: "disconnect" });
    const loose = bot.texts.subscribe({ pattern: "loose" });
    await Promise.all([strict.ready, loose.ready]);
    for (let i = 0; i < 20; i++) void router.texts.publish("x".repeat(1_000));
    await settled();
    const error = await failure(strict[Symbol.asyncIterator]().next());
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxUnreadBytes" });
    expect(error.message).toContain("close what is not read, or raise maxUnreadBytes");
    void router.texts.publish("y".repeat(8_000), { topic: "loose" });
    expect((await loose[Symbol.asyncIterator]().next()).value).toHaveLength(8_000);
  });

  it("give back what they hold when they end, although it may still be read", async () => {
    const { router, bot } = rig({ maxUnreadBytes: 40_000 });
    const ended = bot.texts.subscribe({ overflow: "disconnect", buffer: 1, resubscribe: false });
    await ended.ready;
    const other = bot.texts.subscribe({ pattern: "other" });
    await other.ready;
    for (let i = 0; i < 300; i++) void router.texts.publish("");
    await settled();
    expect(await ended.closed).toMatchObject({ reason: "overflow" });
    void router.texts.publish("y".repeat(39_500), { topic: "other" });
    expect((await other[Symbol.asyncIterator]().next()).value).toHaveLength(39_500);
    expect((await ended[Symbol.asyncIterator]().next()).value).toBe("");
  });

  it("go on where they stopped when their wire takes more again", () => {
    const resumed: number[] = [];
    let made = 0;
    let room = 0;
    const source = (id: number): EventSource => ({
      open: () => undefined,
      grant: () => undefined,
      resume: () => {
        resumed.push(id);
        room--;
      },
      release: () => undefined,
      report: () => undefined,
      close: () => undefined,
    });
    const link: Partial<SessionLink> = {
      limits: DEFAULT_LIMITS,
      finished: undefined,
      handler: { topicPort: { subscribe: () => source(made++) } } as unknown as SessionLink["handler"],
      get writable() {
        return room > 0;
      },
    };
    const patterns = new IncomingPatterns(link as SessionLink);
    for (let id = 1; id <= 9; id += 2)
      patterns.accept(call(id, STATES.name, { kind: "subscribe" }), STATES, undefined, undefined);
    for (const more of [2, 2, 2, 9]) {
      room = more;
      patterns.resume();
    }
    expect(resumed).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]);
  });
});
