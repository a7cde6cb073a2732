import { afterEach, beforeEach, expect, it } from "vitest";
import {
  ADDRESS,
  agentRef,
  claimed,
  claimedIds,
  claimedOne,
  good,
  inserted,
  rejection,
  rowOf,
  settled,
  stateOf,
  type StoreRig,
  type StoreSuiteOptions,
  subscribed,
} from "./store-rig.ts";

const DAY_MS = 86_400_000;

/** Q08, Q50, Q54, Q59, Q60, Q62. */
export function upkeepCases(open: StoreSuiteOptions["open"]): void {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await open();
    await subscribed(rig.store, "a", "b");
  });
  afterEach(() => rig.close());

  it("Q08 expires what nobody has claimed in time", async () => {
    const [id, other] = await inserted(rig.store, { expiresMs: 10_000 }, { expiresMs: 20_000 });
    expect(await rig.store.reap()).toEqual({ expired: 0, requeued: 0, failed: 0, cancelled: 0, more: false });
    await rig.advance(10_000);
    expect((await rig.store.reap()).expired).toBe(1);
    const row = await rowOf(rig.store, id ?? 0);
    expect(row.state).toBe("expired");
    expect(JSON.parse(row.error ?? "")).toEqual({ code: "EXPIRED", outcome: "no" });
    expect(await stateOf(rig.store, other ?? 0)).toBe("queued");
  });

  it("Q50 queues a command again whose lease is over while it has tries left", async () => {
    const [id] = await inserted(rig.store, { maxAttempts: 2 });
    await claimedOne(rig.store, "a", 10_000);
    await rig.advance(10_000);
    expect((await rig.store.reap()).requeued).toBe(1);
    expect(await stateOf(rig.store, id ?? 0)).toBe("queued");
    expect(await claimedIds(rig.store, "b")).toEqual([]);
    await rig.advance(1500);
    expect(await claimedOne(rig.store, "b")).toMatchObject({ id, attempt: 2 });
  });

  it("Q50 fails a command whose lease is over after its last try, and cannot say whether it ran", async () => {
    const [id] = await inserted(rig.store, {});
    await claimedOne(rig.store, "a", 10_000);
    await rig.advance(10_000);
    expect((await rig.store.reap()).failed).toBe(1);
    expect(JSON.parse((await rowOf(rig.store, id ?? 0)).error ?? "")).toEqual({
      code: "LEASE_LOST",
      outcome: "unknown",
    });
  });

  it("Q52 ends a cancelled command whose lease is over", async () => {
    const [id] = await inserted(rig.store, { maxAttempts: 5 });
    await claimedOne(rig.store, "a", 10_000);
    await rig.store.cancel([{ id: id ?? 0, reason: "why" }]);
    await rig.advance(10_000);
    expect((await rig.store.reap()).cancelled).toBe(1);
    const row = await rowOf(rig.store, id ?? 0);
    expect(row).toMatchObject({ state: "cancelled", cancelReason: "why" });
    expect(JSON.parse(row.error ?? "")).toEqual({ code: "CANCELLED", outcome: "unknown" });
  });

  it("Q08 says of a command that expired after a try that it may have run", async () => {
    const [one, two] = await inserted(rig.store, { maxAttempts: 5, expiresMs: 10_000 }, { maxAttempts: 5 });
    for (const claim of await claimed(rig.store, "a")) {
      await settled(rig.store, { ...claim, outcome: "failed", error: "{}", retryable: true, retryDelayMs: 0 });
    }
    await rig.advance(10_000);
    await rig.store.reap();
    await rig.store.cancel([{ id: two ?? 0 }]);
    expect(JSON.parse((await rowOf(rig.store, one ?? 0)).error ?? "")).toEqual({ code: "EXPIRED", outcome: "unknown" });
    expect(JSON.parse((await rowOf(rig.store, two ?? 0)).error ?? "")).toEqual({
      code: "CANCELLED",
      outcome: "unknown",
    });
  });

  it("Q50 reaps in batches, and says when there is more", async () => {
    await inserted(rig.store, ...Array.from({ length: 25 }, () => ({ expiresMs: 1000 })));
    await rig.advance(1000);
    const first = await rig.store.reap({ limit: 10 });
    expect([first.expired, first.more]).toEqual([10, true]);
    expect((await rig.store.reap({ limit: 10 })).expired).toBe(10);
    const last = await rig.store.reap({ limit: 10 });
    expect([last.expired, last.more]).toEqual([5, false]);
  });

  it("Q50 reaps each command once when many reap at once", async () => {
    await inserted(rig.store, ...Array.from({ length: 60 }, () => ({ expiresMs: 1000 })));
    await rig.advance(1000);
    const stores = [rig.store, rig.another(), rig.another(), rig.another()];
    const reaped = await Promise.all(stores.map((store) => store.reap()));
    expect(reaped.reduce((sum, { expired }) => sum + expired, 0)).toBe(60);
  });

  it("Q59 deletes what has finished long ago, in batches, and never what has not", async () => {
    const ids = await inserted(rig.store, {}, {}, {}, { delayMs: DAY_MS * 40 });
    const claims = await claimed(rig.store, "a");
    for (const [index, claim] of claims.entries()) {
      await settled(
        rig.store,
        index === 2 ? { ...claim, outcome: "failed", error: "{}" } : { ...claim, outcome: "done", result: "1" },
      );
    }
    expect(await rig.store.prune({})).toBe(0);
    await rig.advance(DAY_MS * 7);
    expect(await rig.store.prune({ limit: 1 })).toBe(1);
    expect(await rig.store.prune({})).toBe(1);
    expect((await rig.store.list()).map((row) => row.id)).toEqual([ids[3], ids[2]]);
    await rig.advance(DAY_MS * 23);
    expect(await rig.store.prune({})).toBe(1);
    expect((await rig.store.list()).map((row) => row.id)).toEqual([ids[3]]);
    expect(await rejection(rig.store.prune({ doneMs: -1 }))).toBe("INVALID_ARGUMENT");
  });

  it("Q59 deletes a broadcast with its copies and events, not before it has ended, and frees its key", async () => {
    const command = { address: ADDRESS, method: "reload", broadcast: true, idempotencyKey: "k" };
    await rig.store.insert([command]);
    const forA = await claimedOne(rig.store, "a");
    const forB = await claimedOne(rig.store, "b");
    await rig.store.appendEvents([{ ...forA, events: [{ kind: "log", data: "1" }] }]);
    await settled(rig.store, { ...forA, outcome: "done", result: "1" });
    await rig.advance(1000);
    expect(await rig.store.prune({ doneMs: 0 })).toBe(0);
    expect(await rig.store.list()).toHaveLength(3);
    await settled(rig.store, { ...forB, outcome: "done", result: "1" });
    await rig.advance(1000);
    expect(await rig.store.prune({ doneMs: 0 })).toBe(1);
    expect(await rig.store.list()).toEqual([]);
    expect(await rig.query("SELECT * FROM rpc_command_event")).toEqual([]);
    expect(good((await rig.store.insert([command]))[0]).existing).toBe(false);
  });

  it("Q60 counts what is ready, delayed, claimed and finished, and how long it took", async () => {
    await rig.store.ensureAddress("idle");
    await inserted(rig.store, {}, {}, { maxAttempts: 2 }, {}, { delayMs: 90_000 });
    await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true, delayMs: 80_000 }]);
    await rig.advance(2000);
    const [one, two, again] = await claimed(rig.store, "a", { max: 3 });
    if (one === undefined || two === undefined || again === undefined) throw new Error("three claims");
    await settled(rig.store, { ...again, outcome: "failed", error: "{}", retryable: true, retryDelayMs: 1000 });
    await rig.advance(1000);
    const retried = await claimed(rig.store, "b", { max: 1 });
    expect(retried).toHaveLength(1);
    await rig.advance(3000);
    await settled(rig.store, { ...one, outcome: "done", result: "1" });
    await settled(rig.store, { ...two, outcome: "failed", error: "{}" });
    const [busy] = await rig.store.stats({ address: ADDRESS });
    expect(busy).toMatchObject({
      paused: false,
      readyCount: 1,
      delayedCount: 3,
      claimedCount: 1,
      waitingCount: 1,
      agentCount: 2,
      finished: { done: 1, failed: 1, expired: 0, cancelled: 0 },
    });
    expect(busy?.oldestReadyMs).toBeGreaterThanOrEqual(3000);
    expect(busy?.finished.waitMs?.p50).toBeGreaterThanOrEqual(2000);
    expect(busy?.finished.runMs?.max).toBeGreaterThanOrEqual(4000);
    const all = await rig.store.stats();
    expect(all.map((stats) => stats.address)).toEqual(["idle", ADDRESS]);
    expect(all[0]).toMatchObject({ readyCount: 0, oldestReadyMs: undefined, finished: { done: 0, waitMs: undefined } });
    await rig.advance(600_000);
    expect((await rig.store.stats({ address: ADDRESS }))[0]?.finished.done).toBe(0);
    expect((await rig.store.stats({ address: ADDRESS, windowMs: 3_600_000 }))[0]?.finished.done).toBe(1);
    expect(await rig.store.stats({ address: "nobody" })).toEqual([]);
  });

  it("Q60 looks at a share of what each of many addresses has ended, and counts ready ones with and without a key", async () => {
    await Promise.all(Array.from({ length: 200 }, (_, index) => rig.store.ensureAddress(`idle ${index}`)));
    await inserted(rig.store, ...Array.from({ length: 130 }, () => ({})));
    const claims = await claimed(rig.store, "a", { max: 130 });
    await rig.store.settle(claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" })));
    await inserted(rig.store, {}, { orderingKey: "k" }, { orderingKey: "k" });
    expect(await rig.store.stats({ address: ADDRESS })).toMatchObject([{ readyCount: 3, finished: { done: 130 } }]);
    const all = await rig.store.stats();
    expect(all).toHaveLength(201);
    expect(all.find(({ address }) => address === ADDRESS)).toMatchObject({ readyCount: 3, finished: { done: 100 } });
    expect(all[0]).toMatchObject({ readyCount: 0, finished: { done: 0, runMs: undefined } });
  });

  it("Q62 finds nothing to do in a database that is up to date", async () => {
    const report = await rig.store.migrate();
    expect(report.applied).toEqual([]);
    expect(report.version).toBeGreaterThanOrEqual(1);
    expect(await rig.store.findAddress(ADDRESS)).toBeDefined();
  });

  it("Q62 makes an empty database, by one of eight that begin at once", async () => {
    const fresh = await open({ migrated: false });
    try {
      expect(await rejection(fresh.store.listAddresses())).toBe("FAILED_PRECONDITION NOT_MIGRATED");
      const stores = [fresh.store, ...Array.from({ length: 7 }, () => fresh.another())];
      const reports = await Promise.all(stores.map((store) => store.migrate()));
      expect(new Set(reports.map((report) => report.version)).size).toBe(1);
      expect(reports.filter((report) => report.applied.length > 0)).toHaveLength(1);
      await fresh.store.ensureAddress(ADDRESS);
      await fresh.store.subscribe(agentRef("a"));
      const ids = await inserted(fresh.store, {});
      expect(await claimedIds(fresh.store, "a")).toEqual(ids);
    } finally {
      await fresh.close();
    }
  });
}
