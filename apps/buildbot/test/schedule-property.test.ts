// Random pushes, builds, crashes and restarts; then time enough, and it must all have come to what a server that never failed would have made.
import { describe, expect, it } from "vitest";
import type { BuildOrder } from "../src/contracts/bot.ts";
import { runDue } from "../src/server/schedule/due.ts";
import {
  addCommits,
  claimRequests,
  finishBuild,
  greetBot,
  listBuilds,
  listRequests,
  loseBuilds,
  type Store,
} from "../src/server/store/index.ts";
import { addBot, configure, DATABASES, openRig, type Rig } from "./store-rig.ts";

const RUNS = { sqlite: 25, postgres: 3 };
const STEPS = 60;
const BRANCHES = ["main", "topic/a", "topic/b"];
const EVERY_MS = 60_000;

class Crash extends Error {}

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

class World {
  readonly #rig: Rig;
  readonly #random: () => number;
  readonly #bot: number;
  store: Store;
  incarnation = 1;
  readonly pushed = new Map<string, string[]>();
  readonly running: BuildOrder[] = [];

  constructor(rig: Rig, random: () => number, bot: number) {
    this.#rig = rig;
    this.#random = random;
    this.#bot = bot;
    this.store = rig.store;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)] as T;
  }

  /** One transaction; now and then the server dies in it, or just after it, and comes back. */
  async #write<T>(run: Parameters<typeof this.store.transaction<T>>[0], canCrash: boolean): Promise<T | undefined> {
    const dies = canCrash ? this.#random() : 1;
    try {
      const result = await this.store.transaction(async (tx) => {
        const inner = await run(tx);
        if (dies < 0.1) throw new Crash("before the commit");
        return inner;
      });
      if (dies < 0.2) await this.#restart();
      return result;
    } catch (thrown) {
      if (!(thrown instanceof Crash)) throw thrown;
      await this.#restart();
      return undefined;
    }
  }

  async #restart(): Promise<void> {
    await this.store.close();
    this.store = await this.#rig.reopen();
  }

  async push(): Promise<void> {
    const branch = this.pick(BRANCHES);
    const known = this.pushed.get(branch) ?? [];
    const commits = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, (_, index) => ({
      hash: `${branch}-${known.length + index}`,
      branch,
      author: "",
      at: 1,
      subject: "s",
    }));
    // A poll that was not kept finds them again.
    while (
      (await this.#write((tx) => addCommits(tx, { repository: "house", commits, at: this.#rig.clock.wall }), true)) ===
      undefined
    );
    this.pushed.set(branch, [...known, ...commits.map(({ hash }) => hash)]);
  }

  wait(): void {
    this.#rig.clock.advance(this.pick([500, 3000, 10_000, 70_000]));
  }

  async schedule(canCrash = true): Promise<void> {
    await this.#write((tx) => runDue(tx, this.#rig.clock.wall), canCrash);
  }

  async claim(canCrash = true): Promise<void> {
    const ask = { bot: this.#bot, incarnation: `i${this.incarnation}`, max: 2, at: this.#rig.clock.wall };
    const claim = await this.#write((tx) => claimRequests(this.store.kind, tx, ask), canCrash);
    for (const order of claim?.orders ?? []) {
      if (!this.running.some(({ build }) => build === order.build)) this.running.push(order);
    }
  }

  async finish(canCrash = true): Promise<void> {
    const [order] = this.running;
    if (order === undefined) return;
    const results = this.pick(["success", "failure", "warnings"] as const);
    const end = { build: order.build, at: this.#rig.clock.wall, results, summary: "" };
    if ((await this.#write((tx) => finishBuild(tx, end), canCrash)) !== undefined) this.running.shift();
  }

  async loseBot(): Promise<void> {
    this.incarnation += 1;
    const incarnation = `i${this.incarnation}`;
    this.running.length = 0;
    await this.store.transaction(async (tx) => {
      await greetBot(tx.db, this.#bot, { incarnation, about: {}, at: 1 });
      await loseBuilds(this.store.kind, tx, { bot: "one", incarnation, why: "lost", at: this.#rig.clock.wall });
    });
  }

  /** Time enough, and no more harm. Ends when nothing is pending but what time makes anew. */
  async settle(): Promise<void> {
    this.#rig.clock.advance(20_000);
    await this.schedule(false);
    for (;;) {
      await this.claim(false);
      if (this.running.length === 0) return;
      await this.finish(false);
    }
  }
}

const STEP_KINDS = ["push", "push", "wait", "schedule", "schedule", "claim", "finish", "finish", "loseBot"] as const;

describe.each(DATABASES)("wherever the server dies, on %s", (kind) => {
  it.each(Array.from({ length: RUNS[kind] }, (_, index) => index + 1))(
    "no change is lost and no build is doubled: seed %i",
    { timeout: 60_000 },
    async (seed) => {
      await using rig = await openRig(kind);
      const start = rig.clock.wall;
      const change = { kind: "change", branches: ["main", "topic/*"], quietSeconds: 5 };
      const builders = {
        core: { schedulers: [change, { kind: "periodic", everySeconds: EVERY_MS / 1000 }] },
        docs: { schedulers: [{ kind: "dependent", upstream: "core" }] },
      };
      await configure(rig.store, builders, start);
      const { id } = await addBot(rig.store, "one", 3, "i1");
      const world = new World(rig, randomOf(seed), id);
      for (let step = 0; step < STEPS; step += 1) await world[world.pick(STEP_KINDS)]();
      await world.settle();
      const slots = Math.floor((rig.clock.wall - start) / EVERY_MS);
      await expect(check(world.store, world.pushed, slots)).resolves.toBeUndefined();
    },
  );
});

async function check(store: Store, pushed: ReadonlyMap<string, readonly string[]>, slots: number): Promise<void> {
  const requests = (await listRequests(store.db, { pendingOnly: false, limit: 10_000 })).toReversed();
  const builds = await listBuilds(store.db, { limit: 10_000 });
  expect(requests.filter(({ state }) => state !== "complete")).toEqual([]);

  // Each request has one build that counts; all others were taken away.
  for (const request of requests) {
    const counting = builds.filter(({ requestId, results }) => requestId === request.id && results !== "retry");
    expect(counting.map(({ id }) => id)).toEqual([request.buildId]);
  }
  // Of each branch the newest commit was built, none twice, and none after a newer one.
  for (const [branch, hashes] of pushed) {
    const built = requests
      .filter((one) => one.builder === "core" && one.branch === branch && one.revision !== undefined)
      .map(({ revision }) => hashes.indexOf(revision ?? ""));
    expect(built.at(-1)).toBe(hashes.length - 1);
    expect(built).toEqual([...new Set(built)].toSorted((one, other) => one - other));
  }
  // What depends on a build was wished for once for each that was good.
  const good = builds.filter((one) => one.builder === "core" && ["success", "warnings"].includes(one.results ?? ""));
  const dependents = requests.filter(({ builder }) => builder === "docs");
  expect(dependents.map(({ reason }) => reason).toSorted()).toEqual(
    good.map(({ number, results }) => `core #${number} ended with ${results ?? ""}`).toSorted(),
  );
  // Never more of the periodic ones than there were periods.
  const periodic = requests.filter(({ reason }) => reason === "periodic");
  expect(periodic.length).toBeLessThanOrEqual(slots);
  expect(periodic.length).toBeGreaterThanOrEqual(Math.min(slots, 1));
}
