import { setTimeout as sleep } from "node:timers/promises";
import { defineContract, dynamicRouter, unary } from "@rpc/core";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { PostgresStoreOptions } from "../src/postgres/options.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import { turns } from "./agent-rig.ts";
import { Ambush, stoppedAtPoints } from "./hunt-points.ts";
import { openPostgresRig } from "./postgres-rig.ts";
import { openSqliteRig } from "./sqlite-rig.ts";
import { ADDRESS, claimedOne, inserted, subscribed } from "./store-rig.ts";

// A wake-up is lost when what it tells comes between a look and the wait. It is put at each point where that is possible; time stands still, so
// that no poll finds what was missed.

interface Ground {
  readonly name: string;
  /** How long the clock may go on until the wake-up has to be there. */
  readonly withinMs: number;
  /** What is committed arrives over a socket. */
  readonly isFar: boolean;
  readonly open: () => Promise<{
    /** The hunted one's. */
    readonly store: QueueStore;
    /** Of whoever inserts and answers. */
    readonly other: QueueStore;
    readonly clock: FakeClock;
    close(): Promise<void>;
  }>;
}

const Hunted = defineContract("test.Hunted", { run: unary() });
const STEP_MS = 5;
/** Beyond it nothing will come any more. */
const LOOKS = 3000;

const onSqlite = (name: string, withinMs: number, isShared: boolean): Ground => ({
  name,
  withinMs,
  isFar: false,
  open: async () => {
    const rig = await openSqliteRig();
    return {
      store: rig.store,
      other: isShared ? rig.store : rig.another(),
      clock: rig.clock,
      close: () => rig.close(),
    };
  },
});

const onPostgres = (name: string, withinMs: number, options: Partial<PostgresStoreOptions>): Ground => ({
  name,
  withinMs,
  isFar: true,
  open: async () => {
    const clock = createFakeClock();
    const rig = await openPostgresRig({}, options);
    const store = createPostgresStore({ connection: rig.url, clock, ...options });
    return {
      store,
      other: rig.store,
      clock,
      close: async () => {
        await store.close();
        await rig.close();
      },
    };
  },
});

const GROUNDS: readonly Ground[] = [
  onSqlite("SQLite, in one process", 0, true),
  onSqlite("SQLite, of another process", 50, false),
  onPostgres("PostgreSQL, by NOTIFY", 0, {}),
  onPostgres("PostgreSQL, by triggers", 0, { notify: "trigger" }),
  onPostgres("PostgreSQL, without NOTIFY: within the interval of polls", 1000, { notify: "off" }),
];

describe.for(GROUNDS.map((ground) => [ground.name, ground] as const))("Q16 Q21 H187 %s", ([, ground]) => {
  let open: Awaited<ReturnType<Ground["open"]>>;
  beforeEach(async () => {
    open = await ground.open();
    await subscribed(open.other, "other");
  });
  afterEach(() => open.close());

  /** Whether it comes about, the clock going on no further than it may. */
  async function comes(holds: () => boolean, looks: number = LOOKS): Promise<boolean> {
    let leftMs = ground.withinMs;
    const mostMs = Math.max(STEP_MS, leftMs / 20);
    for (let look = 0; look < looks && !holds(); look += 1) {
      if (ground.isFar) await sleep(1);
      else await turns(2);
      if (leftMs <= 0) continue;
      const stepMs = Math.min(mostMs, leftMs);
      leftMs -= stepMs;
      open.clock.advance(stepMs);
    }
    return holds();
  }

  /** The wake-up is there while its reader is still held up; it would be found later all the same. */
  const arrives = (): Promise<void> => (ground.isFar ? sleep(3) : turns(2));

  /** An agent that has one command, and gets another one at this point of its life; gives all points. */
  async function huntedAgent(place: number): Promise<readonly string[]> {
    const ran: unknown[] = [];
    const ambush = new Ambush(place, async () => {
      await inserted(open.other, { method: "run", args: "[2]" });
      await arrives();
    });
    const router = dynamicRouter();
    router.register((number: unknown) => void ran.push(number), { name: "run" });
    const agent = await serveDbQueue(router, {
      store: stoppedAtPoints(open.store, ambush.at),
      address: ADDRESS,
      name: "hunted",
      clock: open.clock,
      random: () => 0.5,
      pollMs: 3_600_000,
      leaseMs: 3_600_000,
      reaper: false,
    });
    // What it does at its start, and when it has nothing to do, is done.
    await turns(20);
    await inserted(open.other, { method: "run", args: "[1]" });
    expect(await comes(() => ran.includes(1)), `${place}: the first one`).toBe(true);
    const isStruck = (): boolean => ambush.count > place;
    await comes(isStruck, 100);
    const mayMiss = !isStruck();
    expect(mayMiss || (await comes(() => ran.includes(2))), `point ${place}: ${ambush.passed[place]}`).toBe(true);
    // Its answers are told.
    await turns(20);
    const { passed } = ambush;
    const life = [...passed];
    await agent.close();
    expect(ran).toHaveLength(isStruck() ? 2 : 1);
    return life;
  }

  it(
    "an agent misses no command, wherever between listening, looking and waiting it comes",
    { timeout: 60_000 },
    async () => {
      const points = await huntedAgent(Number.POSITIVE_INFINITY);
      expect(points).toEqual(
        expect.arrayContaining(["after watch", "before subscribe", "before claim", "after claim"]),
      );
      for (const place of points.keys()) await huntedAgent(place);
    },
  );

  it("an agent misses no command, whichever turn of the loop it comes in", { timeout: 60_000 }, async () => {
    const ran = new Set<unknown>();
    const router = dynamicRouter();
    router.register((number: unknown) => void ran.add(number), { name: "run" });
    const agent = await serveDbQueue(router, {
      store: open.store,
      address: ADDRESS,
      name: "hunted",
      clock: open.clock,
      pollMs: 3_600_000,
      leaseMs: 3_600_000,
      reaper: false,
    });
    let number = 0;
    for (let count = 0; count < 30; count += 1) {
      // The second one so many turns after the first.
      const [first, second] = [++number, ++number];
      const both = [inserted(open.other, { method: "run", args: `[${first}]` })];
      await turns(count);
      both.push(inserted(open.other, { method: "run", args: `[${second}]` }));
      await Promise.all(both);
      expect(await comes(() => ran.has(first) && ran.has(second)), `${count} turns`).toBe(true);
    }
    await agent.close();
  });

  /** An issuer whose command is answered at this point, `warm`: not its first one, it listens already. */
  async function huntedIssuer(place: number, isWarm: boolean): Promise<readonly string[]> {
    let isInserted = false;
    let isHunted = !isWarm;
    let answering: Promise<void> | undefined = undefined;
    const answer = async (): Promise<void> => {
      const { id, token } = await claimedOne(open.other, "other");
      await open.other.settle([{ id, token, outcome: "done", result: "7" }]);
      await arrives();
    };
    const answered = (): Promise<void> => (answering ??= answer());
    const ambush = new Ambush(place, () => (isInserted ? answered() : Promise.resolve()));
    const store = stoppedAtPoints(open.store, async (point) => {
      isInserted ||= point === "after insert";
      if (isHunted) await ambush.at(point);
    });
    const queue = createDbQueue(store, { clock: open.clock, pollMs: 3_600_000, reaper: false });
    const results: unknown[] = [];
    // A call of a client: it begins to wait when it hears its command's id.
    const call = async (): Promise<void> => {
      isInserted = false;
      void queue
        .proxy(Hunted, ADDRESS)
        .run({})
        .then((value) => results.push(value));
      expect(await comes(() => isInserted)).toBe(true);
    };
    if (isWarm) {
      await call();
      await answer();
      await comes(() => results.length === 1);
      isHunted = true;
      results.pop();
    }
    await call();
    await comes(() => ambush.count > place, 100);
    await turns(20);
    const life = [...ambush.passed];
    await answered();
    expect(await comes(() => results[0] === 7), `point ${place}: ${life[place]}`).toBe(true);
    await queue.close();
    return life;
  }

  it.for([false, true])(
    "Q51 an issuer misses no outcome, wherever between inserting, listening, looking and waiting it comes; warm: %s",
    { timeout: 60_000 },
    async (isWarm) => {
      const points = await huntedIssuer(Number.POSITIVE_INFINITY, isWarm);
      expect(points).toContain("after insert");
      for (const place of points.keys()) await huntedIssuer(place, isWarm);
    },
  );
});
