import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { BuildRequest } from "../src/contracts/values.ts";
import { startSchedulerLoop } from "../src/server/schedule/index.ts";
import {
  addCommits,
  claimRequests,
  findBuilder,
  finishBuild,
  listRequests,
  type Store,
} from "../src/server/store/index.ts";
import { addBot, configure, DATABASES, openRig, type Rig } from "./store-rig.ts";

let count = 0;

async function push(rig: Rig, branch: string, subject = "s", repository = "house"): Promise<string> {
  count += 1;
  const hash = `hash-${count}`;
  const commits = [{ hash, branch, author: "ann", at: 1, subject }];
  await rig.store.transaction((tx) => addCommits(tx, { repository, commits, at: rig.clock.wall }));
  return hash;
}

/** Until the loop sleeps: it has one timer then. */
async function rest(rig: Rig): Promise<void> {
  for (let turn = 0; rig.clock.timers === 0; turn += 1) {
    if (turn > 100_000) throw new Error("it does not come to rest");
    await setImmediate();
  }
}

async function advance(rig: Rig, ms: number): Promise<void> {
  const until = rig.clock.now() + ms;
  while (rig.clock.now() < until) {
    await rest(rig);
    rig.clock.advance(Math.min(until - rig.clock.now(), 1000));
  }
  await rest(rig);
}

const pending = (store: Store): Promise<BuildRequest[]> => listRequests(store.db, { pendingOnly: true, limit: 500 });

describe.each(DATABASES)("schedulers on %s", (kind) => {
  it("build what is new on a branch once it has been quiet, and merge what still waits", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    const change = (branches: string[], quietSeconds: number) => ({
      schedulers: [{ kind: "change", branches, quietSeconds }],
    });
    await configure(store, {
      core: change(["main", "topic/*"], 5),
      docs: change(["main"], 0),
      other: change(["x"], 5),
    });
    const made: string[] = [];
    const loop = startSchedulerLoop({ store, made: (all) => made.push(...all.map(({ builder }) => builder)) });
    await rest(rig);
    await push(rig, "main", "first");
    loop.wake();
    await advance(rig, 3000);
    expect(made).toEqual(["docs"]);
    const second = await push(rig, "main", "second");
    const topic = await push(rig, "topic/a", "third");
    await push(rig, "elsewhere");
    loop.wake();
    await advance(rig, 4000);
    expect(await pending(store)).toMatchObject([{ builder: "docs", revision: second, branch: "main" }]);
    await advance(rig, 1000);
    expect((await pending(store)).slice(1)).toMatchObject([
      { builder: "core", branch: "main", revision: second, reason: "2 commits, the newest on main: second" },
      { builder: "core", branch: "topic/a", revision: topic, reason: "a commit on topic/a: third" },
    ]);
    // A bot has taken the one on main: what comes then is another build.
    const bot = await addBot(store, "one");
    await store.transaction((tx) => claimRequests(kind, tx, { bot: bot.id, incarnation: "first", max: 2, at: 1 }));
    const last = await push(rig, "main", "fourth");
    loop.wake();
    await advance(rig, 6000);
    expect((await pending(store)).map(({ builder, revision }) => [builder, revision])).toEqual([
      ["core", topic],
      ["docs", last],
      ["core", last],
    ]);
    await loop.close();
  });

  it("see a commit once on each branch, however often it is told", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: { schedulers: [{ kind: "change", quietSeconds: 0 }] } });
    const loop = startSchedulerLoop({ store });
    const tell = async (): Promise<number> => {
      const commits = ["a", "b"].map((hash) => ({ hash, branch: "main", author: "", at: 1, subject: hash }));
      const added = await store.transaction((tx) =>
        addCommits(tx, { repository: "house", commits, at: rig.clock.wall }),
      );
      loop.wake();
      await advance(rig, 1000);
      return added?.length ?? -1;
    };
    expect([await tell(), await tell()]).toEqual([2, 0]);
    expect(await pending(store)).toMatchObject([{ revision: "b" }]);
    expect(
      await store.transaction((tx) => addCommits(tx, { repository: "nobody", commits: [], at: 1 })),
    ).toBeUndefined();
    await loop.close();
  });

  it("fire periodically and at night, once for all that was missed, and not while the last one waits", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(
      store,
      {
        often: { schedulers: [{ kind: "periodic", everySeconds: 60 }] },
        moved: { schedulers: [{ kind: "periodic", everySeconds: 60, onlyWhenChanged: true }] },
        night: { schedulers: [{ kind: "nightly", cron: "30 * * * *" }] },
      },
      rig.clock.wall,
    );
    const bot = await addBot(store, "one", 64);
    const build = async (): Promise<string[]> => {
      const claim = await store.transaction((tx) =>
        claimRequests(kind, tx, { bot: bot.id, incarnation: "first", max: 64, at: 1 }),
      );
      for (const order of claim.orders) {
        await store.transaction((tx) =>
          finishBuild(tx, { build: order.build, at: 2, results: "success", summary: "" }),
        );
      }
      return claim.orders.map(({ request }) => request.builder).toSorted();
    };
    const { wall } = rig.clock;
    expect((await findBuilder(store.db, "often"))?.schedulers).toEqual([
      { scheduler: { kind: "periodic", everySeconds: 60, onlyWhenChanged: false }, nextAt: wall + 60_000 },
    ]);
    expect((await findBuilder(store.db, "night"))?.schedulers[0]?.nextAt).toBeGreaterThan(wall);
    expect(await findBuilder(store.db, "never")).toBeUndefined();
    const loop = startSchedulerLoop({ store });
    await advance(rig, 59_000);
    expect(await build()).toEqual([]);
    await advance(rig, 1000);
    expect(await build()).toEqual(["often"]);
    await push(rig, "main");
    await advance(rig, 60_000);
    expect(await build()).toEqual(["moved", "often"]);
    await advance(rig, 180_000);
    expect(await build()).toEqual(["often"]);
    await loop.close();

    rig.clock.advance(3_600_000);
    const after = startSchedulerLoop({ store });
    await advance(rig, 1000);
    expect(await build()).toEqual(["night", "often"]);
    // Still on the grid of full minutes.
    await advance(rig, 58_000);
    expect(await build()).toEqual([]);
    await advance(rig, 1000);
    expect(await build()).toEqual(["often"]);
    await after.close();
  });

  it("undo a request when the bots could not be told, and make it later", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    await configure(store, { core: { schedulers: [{ kind: "change", quietSeconds: 0 }] } });
    await push(rig, "main");
    let tries = 0;
    const failures: unknown[] = [];
    const loop = startSchedulerLoop({
      store,
      issue: async () => {
        tries += 1;
        if (tries < 3) throw new Error("queue is away");
      },
      failed: (error) => failures.push(error),
    });
    await rest(rig);
    expect(await pending(store)).toEqual([]);
    await advance(rig, 10_000);
    expect([tries, failures.length]).toEqual([3, 2]);
    expect(await pending(store)).toHaveLength(1);
    await loop.close();
  });

  it("keep what they have seen when the configuration is saved", async () => {
    await using rig = await openRig(kind);
    const { store } = rig;
    const house = (quietSeconds: number, everySeconds: number) => ({
      core: {
        schedulers: [
          { kind: "change", quietSeconds },
          { kind: "periodic", everySeconds },
        ],
      },
    });
    await configure(store, house(5, 60), rig.clock.wall);
    const hash = await push(rig, "main");
    rig.clock.advance(3000);
    await configure(store, house(50, 60), rig.clock.wall);
    const loop = startSchedulerLoop({ store });
    await advance(rig, 2000);
    expect(await pending(store)).toMatchObject([{ revision: hash }]);
    // The period has begun when it was first saved.
    await advance(rig, 55_000);
    expect(await pending(store)).toHaveLength(2);
    await configure(store, { core: {} }, rig.clock.wall);
    await advance(rig, 120_000);
    expect(await pending(store)).toHaveLength(2);
    await loop.close();
  });
});
