import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClient } from "@rpc/core";
import { StoreService } from "../src/service/store-contract.ts";
import { commandTopic } from "../src/store/store.ts";
import { turns, until } from "./agent-rig.ts";
import { AGENT, openServiceRig, refused, type ServiceRig, type Visitor } from "./service-rig.ts";
import { ADDRESS, inserted } from "./store-rig.ts";

/** They wait, and not only on their way to it. */
async function waitingAre(count: number): Promise<void> {
  await until(() => rig.service.waiting === count);
  await turns(5);
}

let rig: ServiceRig;
let bot: Visitor;
beforeEach(async () => {
  rig = await openServiceRig();
  bot = rig.visitor();
});
afterEach(() => rig.close());

describe("wait and publish (Q21)", () => {
  it("answers a publish, and all who wait for the very topic", async () => {
    const waits = [bot.verbs.wait({ topic: "a" }), rig.visitor().verbs.wait({ topic: "a" })];
    let isOther = false;
    const other = bot.verbs.wait({ topic: "b", timeoutMs: 1000 });
    void Promise.resolve(other).then(() => (isOther = true));
    await waitingAre(3);
    await bot.verbs.publish({ topic: "a" });
    expect((await Promise.all(waits)).map(({ fired }) => fired)).toEqual([true, true]);
    expect(isOther).toBe(false);
    rig.clock.advance(1000);
    expect((await other).fired).toBe(false);
  });

  it("answers at once what was published since, and what nobody knows any more", async () => {
    const { seq } = await bot.verbs.wait({ topic: "a", timeoutMs: 0 });
    await rig.store.publish(["a"]);
    const second = await bot.verbs.wait({ topic: "a", since: seq });
    expect(second.fired).toBe(true);
    expect((await bot.verbs.wait({ topic: "a", since: second.seq, timeoutMs: 0 })).fired).toBe(false);
    for (const since of ["", "0000:1", "no position", `${seq.split(":")[0] ?? ""}:999999`, `${seq}:1`]) {
      expect((await bot.verbs.wait({ topic: "a", since })).fired).toBe(true);
    }
  });

  it("ends the wait before of one who comes again, over whatever wire, and nobody else's", async () => {
    const client = createClient(StoreService, bot.transport);
    const other = createClient(StoreService, rig.visitor().transport).wait({ topics: ["a"], watcher: "2" });
    const first = client.wait({ topics: ["a"], watcher: "1" });
    await waitingAre(2);
    const second = client.wait({ topics: ["a", "b"], watcher: "1" });
    expect((await first).topics).toEqual([]);
    await waitingAre(2);
    await rig.store.publish(["b"]);
    expect((await second).topics).toEqual(["b"]);
    // Who has been answered is replaced by nobody.
    const third = client.wait({ topics: ["a"], watcher: "1" });
    await waitingAre(2);
    await rig.store.publish(["a"]);
    expect((await Promise.all([other, third])).map(({ topics }) => topics)).toEqual([["a"], ["a"]]);
  });

  it("waits 25 s unless it is told otherwise, and never longer than 55", async () => {
    const usual = bot.verbs.wait({ topic: "a" });
    await waitingAre(1);
    rig.clock.advance(24_999);
    await turns(5);
    expect(rig.service.waiting).toBe(1);
    rig.clock.advance(1);
    expect((await usual).fired).toBe(false);
    const long = bot.verbs.wait({ topic: "a", timeoutMs: 3_600_000 });
    await waitingAre(1);
    rig.clock.advance(55_000);
    expect((await long).fired).toBe(false);
  });

  it("answers at once, without a position, where a command is ready, and wakes for one that falls due", async () => {
    const topic = commandTopic(ADDRESS);
    await bot.verbs.subscribe(AGENT);
    const [id = 0] = await inserted(rig.store, {});
    const first = await bot.verbs.wait({ topic });
    expect(first.fired).toBe(true);
    expect((await bot.verbs.pop(AGENT))[0]?.id).toBe(id);
    await inserted(rig.store, { delayMs: 10_000 });
    expect(await bot.verbs.pop(AGENT)).toEqual([]);
    const { seq } = await bot.verbs.wait({ topic, timeoutMs: 0 });
    const wait = bot.verbs.wait({ topic, since: seq });
    await waitingAre(1);
    rig.clock.advance(10_000);
    expect((await wait).fired).toBe(true);
    expect(await bot.verbs.pop(AGENT)).toHaveLength(1);
  });

  it("lets go of who has gone, and bounds who waits", async () => {
    const controller = new AbortController();
    const wait = refused(bot.verbs.wait({ topic: "a" }, { signal: controller.signal }));
    await waitingAre(1);
    controller.abort();
    expect(await wait).toBe("CANCELLED CANCELLED");
    await until(() => rig.service.waiting === 0);
    const crowd = rig.visitor("crowd");
    const waits = Array.from({ length: 101 }, () => refused(crowd.verbs.wait({ topic: "a" })));
    expect(await Promise.race(waits)).toBe("RESOURCE_EXHAUSTED maxWaits");
    // Others have room.
    expect((await rig.visitor("other").verbs.wait({ topic: "a", timeoutMs: 0 })).fired).toBe(false);
    await crowd.transport.close();
    await until(() => rig.service.waiting === 0);
    await Promise.all(waits);
  });

  it("forgets nothing that was published while nobody waited, be it long ago", async () => {
    const { seq } = await bot.verbs.wait({ topic: "a", timeoutMs: 0 });
    rig.clock.advance(100_000);
    await turns(5);
    // Nobody listens any more, so that nobody can know.
    await rig.store.publish(["a"]);
    expect((await bot.verbs.wait({ topic: "a", since: seq })).fired).toBe(true);
  });
});

type Step =
  | { readonly do: "publish"; readonly topic: string }
  | { readonly do: "wait"; readonly who: number }
  | { readonly do: "hang up"; readonly who: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "turns"; readonly count: number };

const topic = fc.constantFrom("a", "b");
const who = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("publish" as const), topic }),
  fc.record({ do: fc.constant("wait" as const), who }),
  fc.record({ do: fc.constant("hang up" as const), who }),
  fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 1000, 30_000, 100_000) }),
  fc.record({ do: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 4 }) }),
);

/** Waits for one topic again and again, with the position of the last answer that has arrived. */
class Waiter {
  readonly topic: string;
  /** Publishes that had been made when the last wake-up arrived. */
  heard = 0;
  #seq: string | undefined = undefined;
  #controller: AbortController | undefined = undefined;

  constructor(name: string) {
    this.topic = name;
  }

  wait(verbs: Visitor["verbs"], published: ReadonlyMap<string, number>): void {
    if (this.#controller !== undefined) return;
    const controller = new AbortController();
    this.#controller = controller;
    // What is published before the answer was made is in its position; afterwards, in the next.
    const input = { topic: this.topic, since: this.#seq ?? "from the beginning", timeoutMs: 1000 };
    Promise.resolve(verbs.wait(input, { signal: controller.signal })).then(
      ({ seq, fired }) => {
        this.#seq = seq;
        if (fired) this.heard = published.get(this.topic) ?? 0;
        this.#controller = undefined;
      },
      () => (this.#controller = undefined),
    );
  }

  hangUp(): void {
    this.#controller?.abort();
  }
}

describe("no wake-up is lost", () => {
  it("whoever waits on hears of every publish, however the two fall together", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const own = await openServiceRig();
        try {
          const { verbs } = own.visitor();
          const published = new Map<string, number>();
          const waiters = [new Waiter("a"), new Waiter("a"), new Waiter("b")];
          for (const each of steps) {
            if (each.do === "publish") {
              published.set(each.topic, (published.get(each.topic) ?? 0) + 1);
              void own.store.publish([each.topic]);
            } else if (each.do === "wait") waiters[each.who]?.wait(verbs, published);
            else if (each.do === "hang up") waiters[each.who]?.hangUp();
            else if (each.do === "advance") own.clock.advance(each.ms);
            else await turns(each.count);
          }
          // From now on nothing is published. Whoever waits again must be woken for what it has not heard.
          await turns(10);
          for (const waiter of waiters) {
            waiter.hangUp();
            await turns(10);
            for (let round = 0; waiter.heard < (published.get(waiter.topic) ?? 0); round += 1) {
              expect(round).toBeLessThan(3);
              waiter.wait(verbs, published);
              await turns(15);
            }
          }
        } finally {
          await own.close();
        }
      }),
      { numRuns: 100 },
    );
  });
});
