import { afterEach, beforeEach, expect, it } from "vitest";
import type { NewCommand } from "../src/store/store-words.ts";
import {
  ADDRESS,
  agentRef,
  claimed,
  claimedIds,
  claimedOne,
  good,
  inserted,
  LEASE_MS,
  refusal,
  rowOf,
  settled,
  stateOf,
  type StoreRig,
  type StoreSuiteOptions,
  subscribed,
} from "./store-rig.ts";

/** Q08, Q10, Q37, Q50, Q57, Q58, Q61. */
export function claimCases(open: StoreSuiteOptions["open"]): void {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await open();
    await subscribed(rig.store, "a", "b");
  });
  afterEach(() => rig.close());

  it("Q10 gives the oldest first, each to one agent", async () => {
    const ids = await inserted(rig.store, {}, {}, {}, {});
    expect(await claimedIds(rig.store, "a", { max: 2 })).toEqual(ids.slice(0, 2));
    expect(await claimedIds(rig.store, "b")).toEqual(ids.slice(2));
    expect(await claimedIds(rig.store, "a")).toEqual([]);
  });

  it("Q10 gives 400 commands to eight agents at once without giving one twice", async () => {
    const agents = Array.from({ length: 8 }, (_, i) => `agent${i}`);
    await subscribed(rig.store, ...agents);
    const ids = await inserted(rig.store, ...Array.from({ length: 400 }, () => ({})));
    const stores = agents.map((_, i) => (i % 2 === 0 ? rig.store : rig.another()));
    const given: number[] = [];
    await Promise.all(
      agents.map(async (agent, i) => {
        const store = stores[i] ?? rig.store;
        for (;;) {
          const claims = await claimedIds(store, agent, { max: 7 });
          if (claims.length === 0) return;
          given.push(...claims);
        }
      }),
    );
    expect(given.toSorted((a, b) => a - b)).toEqual(ids);
  });

  it("Q10 tells a claim all that its agent needs to run it", async () => {
    const [id] = await inserted(rig.store, {
      method: "build",
      args: "[1]",
      kwargs: '{"x":2}',
      meta: '{"m":3}',
      priority: 4,
      maxAttempts: 5,
      orderingKey: "o",
      idempotencyKey: "i",
      createdBy: "me",
      expiresMs: 60_000,
    });
    const claim = await claimedOne(rig.store, "a");
    expect(claim).toMatchObject({
      id,
      method: "build",
      attempt: 1,
      maxAttempts: 5,
      priority: 4,
      orderingKey: "o",
      idempotencyKey: "i",
      createdBy: "me",
      notification: false,
    });
    expect([claim.args, claim.kwargs, claim.meta].map((text) => JSON.parse(text))).toEqual([[1], { x: 2 }, { m: 3 }]);
    expect(claim.remainingMs).toBeGreaterThan(50_000);
    expect(claim.remainingMs).toBeLessThanOrEqual(60_000);
    const row = await rowOf(rig.store, claim.id);
    expect(row).toMatchObject({ state: "claimed", agent: "a", incarnation: "a-1", attempts: 1 });
    expect((row.leaseUntilAt ?? 0) - (row.claimedAt ?? 0)).toBe(LEASE_MS);
  });

  it("Q37 gives the highest priority first, then the oldest", async () => {
    const ids = await inserted(rig.store, { priority: 0 }, { priority: 5 }, { priority: -5 }, { priority: 5 }, {});
    const order = [1, 3, 0, 4, 2].map((index) => ids[index]);
    expect(await claimedIds(rig.store, "a")).toEqual(order);
  });

  it("Q10 answers several agents in one call, each with its own", async () => {
    const ids = await inserted(rig.store, {}, {}, {});
    const answers = await rig.store.claim([
      { ...agentRef("a"), max: 2, leaseMs: 1000 },
      { ...agentRef("nobody"), max: 2, leaseMs: 1000 },
      { ...agentRef("b"), max: 2, leaseMs: 1000 },
    ]);
    expect(refusal(answers[1])).toBe("ABORTED FENCED");
    const given = [answers[0], answers[2]].flatMap((answer) => good(answer).claims.map((claim) => claim.id));
    expect(given).toEqual(ids);
  });

  it("Q10 gives a command that has a target to nobody else", async () => {
    const [forB] = await inserted(rig.store, { targetAgent: "b" });
    expect(await claimedIds(rig.store, "a")).toEqual([]);
    expect(await claimedIds(rig.store, "b")).toEqual([forB]);
  });

  it("Q10 gives what is for an agent alone in its turn among the rest, whatever else waits for another", async () => {
    await inserted(rig.store, ...Array.from({ length: 150 }, () => ({ targetAgent: "b" })));
    const ids = await inserted(
      rig.store,
      {},
      { targetAgent: "a" },
      { targetAgent: "a", priority: 5 },
      { orderingKey: "k" },
      { targetAgent: "a", orderingKey: "k" },
      { targetAgent: "a", orderingKey: "k" },
      { targetAgent: "a", expiresMs: 1000 },
      { targetAgent: "a", delayMs: 60_000 },
      { priority: 5 },
    );
    await rig.advance(1000);
    const of = (...indexes: number[]): (number | undefined)[] => indexes.map((index) => ids[index]);
    expect(await claimedIds(rig.store, "a", { max: 3 })).toEqual(of(2, 8, 0));
    expect(await claimedIds(rig.store, "a")).toEqual(of(1, 3, 4));
    expect(await claimedIds(rig.store, "a")).toEqual([]);
    await rig.advance(60_000);
    expect(await claimedIds(rig.store, "a")).toEqual(of(7));
    const [stats] = await rig.store.stats();
    expect(stats).toMatchObject({ readyCount: 151, delayedCount: 0, claimedCount: 7 });
  });

  it("Q57 gives nothing before its delay is over, and says how long that is", async () => {
    const [late, later] = await inserted(rig.store, { delayMs: 60_000 }, { delayMs: 120_000, priority: 9 });
    const [none] = await rig.store.claim([{ ...agentRef("a"), max: 5, leaseMs: LEASE_MS }]);
    expect(good(none).claims).toEqual([]);
    expect(good(none).nextDueMs).toBeGreaterThan(50_000);
    expect(good(none).nextDueMs).toBeLessThanOrEqual(60_000);
    await rig.advance(60_000);
    const [due] = await rig.store.claim([{ ...agentRef("a"), max: 5, leaseMs: LEASE_MS }]);
    expect(good(due).claims.map((claim) => claim.id)).toEqual([late]);
    expect(good(due).nextDueMs).toBeLessThanOrEqual(60_000);
    await rig.advance(60_000);
    expect(await claimedIds(rig.store, "a")).toEqual([later]);
    const [empty] = await rig.store.claim([{ ...agentRef("a"), max: 5, leaseMs: LEASE_MS }]);
    expect(good(empty).nextDueMs).toBeUndefined();
  });

  it("Q37 ranks what was delayed by its priority once it is due", async () => {
    const [delayed, plain] = await inserted(rig.store, { delayMs: 10_000, priority: 1 }, {});
    await rig.advance(10_000);
    expect(await claimedIds(rig.store, "a")).toEqual([delayed, plain]);
  });

  it("Q08 never gives an expired command, though nobody has reaped it", async () => {
    const [, alive] = await inserted(rig.store, { expiresMs: 10_000 }, { expiresMs: 60_000 });
    await rig.advance(10_000);
    expect(await claimedIds(rig.store, "a")).toEqual([alive]);
  });

  it("Q08 lets a command that has started finish after its expiry", async () => {
    await inserted(rig.store, { expiresMs: 10_000 });
    const claim = await claimedOne(rig.store, "a");
    await rig.advance(20_000);
    expect(await settled(rig.store, { ...claim, outcome: "done", result: "1" })).toBe("done");
  });

  it("Q61 gives nothing while the address is paused, and everything afterwards", async () => {
    const ids = await inserted(rig.store, {}, {});
    const claim = await claimedOne(rig.store, "a");
    await rig.store.pauseAddress(ADDRESS, true);
    expect((await rig.store.findAddress(ADDRESS))?.paused).toBe(true);
    expect(await claimedIds(rig.store, "a")).toEqual([]);
    expect(await settled(rig.store, { ...claim, outcome: "done", result: "1" })).toBe("done");
    await rig.store.pauseAddress(ADDRESS, false);
    expect(await claimedIds(rig.store, "a")).toEqual([ids[1]]);
  });

  it("Q58 runs one command of a key at a time, in the order of the ids", async () => {
    const ids = await inserted(
      rig.store,
      { orderingKey: "k" },
      { orderingKey: "k", priority: 9 },
      { orderingKey: "l" },
      {},
      { orderingKey: "k" },
    );
    const first = await claimed(rig.store, "a");
    expect(first.map((claim) => claim.id)).toEqual([ids[0], ids[2], ids[3]]);
    expect(await claimedIds(rig.store, "b")).toEqual([]);
    const claim = first[0];
    if (claim !== undefined) await settled(rig.store, { ...claim, outcome: "done", result: "1" });
    expect(await claimedIds(rig.store, "b")).toEqual([ids[1]]);
  });

  it("Q58 keeps the order while the first of the key waits for its next try", async () => {
    const ids = await inserted(rig.store, { orderingKey: "k", maxAttempts: 2 }, { orderingKey: "k" });
    const claim = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...claim, outcome: "failed", error: "{}", retryable: true, retryDelayMs: 10_000 });
    expect(await claimedIds(rig.store, "a")).toEqual([]);
    await rig.advance(10_000);
    expect(await claimedIds(rig.store, "a")).toEqual([ids[0]]);
  });

  it("Q58 does not wait for one of the key that has expired, or has been cancelled", async () => {
    const ids = await inserted(
      rig.store,
      { orderingKey: "k", expiresMs: 5000 },
      { orderingKey: "k" },
      { orderingKey: "k" },
    );
    await rig.advance(5000);
    await rig.store.cancel([{ id: ids[1] ?? 0 }]);
    expect(await claimedIds(rig.store, "a")).toEqual([ids[2]]);
  });

  it("Q58 finds what can start behind a long backlog of other keys, highest priority first", async () => {
    const backlog = (key: string, count: number): Partial<NewCommand>[] =>
      Array.from({ length: count }, () => ({ orderingKey: key }));
    const first = await inserted(rig.store, ...backlog("k", 200), ...backlog("l", 200));
    const last = await inserted(
      rig.store,
      { orderingKey: "m" },
      { orderingKey: "n", targetAgent: "b" },
      { orderingKey: "n", targetAgent: "a", priority: 5 },
      {},
      { orderingKey: "o", expiresMs: 1000 },
      { orderingKey: "o" },
      { orderingKey: "p", delayMs: 60_000 },
      { orderingKey: "p" },
    );
    await rig.advance(1000);
    const claims = await claimed(rig.store, "a");
    expect(claims.map((claim) => claim.id)).toEqual([last[2], first[0], first[200], last[0], last[3], last[5]]);
    expect(await claimedIds(rig.store, "b")).toEqual([last[1]]);
    const [, head] = claims;
    if (head !== undefined) await settled(rig.store, { ...head, outcome: "done", result: "1" });
    expect(await claimedIds(rig.store, "b", { max: 1 })).toEqual([first[1]]);
    expect(await claimedIds(rig.store, "a")).toEqual([]);
  });

  it("Q58 keeps the keys of different targets apart", async () => {
    const ids = await inserted(
      rig.store,
      { orderingKey: "k", targetAgent: "a" },
      { orderingKey: "k", targetAgent: "b" },
      { orderingKey: "k" },
    );
    expect(await claimedIds(rig.store, "a", { max: 1 })).toEqual([ids[0]]);
    expect(await claimedIds(rig.store, "b")).toEqual([ids[1], ids[2]]);
  });

  it("Q50 fences an agent when another incarnation comes, and ends its leases", async () => {
    const [id] = await inserted(rig.store, { maxAttempts: 2 });
    const claim = await claimedOne(rig.store, "a");
    const answer = await rig.store.subscribe({ ...agentRef("a"), incarnation: "a-2" });
    expect(answer.replaced).toBe("a-1");
    expect(refusal((await rig.store.keepAlive([agentRef("a")]))[0])).toBe("ABORTED FENCED");
    expect(refusal((await rig.store.claim([{ ...agentRef("a"), max: 1, leaseMs: 1000 }]))[0])).toBe("ABORTED FENCED");
    // Before anybody has taken the claim back as well.
    expect(refusal((await rig.store.extend([{ ...claim, leaseMs: LEASE_MS }]))[0])).toBe("UNAVAILABLE LEASE_LOST");
    expect(refusal((await rig.store.settle([{ ...claim, outcome: "done", result: "1" }]))[0])).toBe(
      "UNAVAILABLE LEASE_LOST",
    );
    expect((await rig.store.reap()).requeued).toBe(1);
    expect(refusal((await rig.store.settle([{ ...claim, outcome: "done", result: "1" }]))[0])).toBe(
      "UNAVAILABLE LEASE_LOST",
    );
    expect(await stateOf(rig.store, id ?? 0)).toBe("queued");
  });

  it("Q50 leaves the claims of an agent alone that subscribes again as who it is", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    expect((await rig.store.subscribe(agentRef("a"))).replaced).toBeUndefined();
    expect((await rig.store.reap()).failed).toBe(0);
    expect(await settled(rig.store, { ...claim, outcome: "done", result: "1" })).toBe("done");
  });

  it("Q50 refuses whoever is not subscribed", async () => {
    expect(refusal((await rig.store.claim([{ ...agentRef("c"), max: 1, leaseMs: 1000 }]))[0])).toBe("ABORTED FENCED");
    await rig.store.unsubscribe(agentRef("a"));
    expect(refusal((await rig.store.keepAlive([agentRef("a")]))[0])).toBe("ABORTED FENCED");
  });

  it("Q50 prolongs a lease from now on, and not one that is lost", async () => {
    await inserted(rig.store, { maxAttempts: 2 });
    const claim = await claimedOne(rig.store, "a", 10_000);
    await rig.advance(8000);
    const [extended] = await rig.store.extend([{ ...claim, leaseMs: 10_000 }]);
    expect(good(extended).cancel).toBeUndefined();
    await rig.advance(8000);
    expect((await rig.store.reap()).requeued).toBe(0);
    await rig.advance(2000);
    expect((await rig.store.reap()).requeued).toBe(1);
    expect(refusal((await rig.store.extend([{ ...claim, leaseMs: 10_000 }]))[0])).toBe("UNAVAILABLE LEASE_LOST");
  });

  it("Q50 takes a late answer as long as nobody else has the command", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a", 1000);
    await rig.advance(60_000);
    expect(await settled(rig.store, { ...claim, outcome: "done", result: "1" })).toBe("done");
  });

  it("Q50 gives each claim of a command another token", async () => {
    await inserted(rig.store, { maxAttempts: 2 });
    const first = await claimedOne(rig.store, "a", 1000);
    await rig.advance(1000);
    await rig.store.reap();
    await rig.advance(5000);
    const second = await claimedOne(rig.store, "a");
    expect(second).toMatchObject({ id: first.id, attempt: 2 });
    expect(second.token).not.toBe(first.token);
    const [late, right] = await rig.store.settle([
      { ...first, outcome: "done", result: '"late"' },
      { ...second, outcome: "done", result: '"right"' },
    ]);
    expect(refusal(late)).toBe("UNAVAILABLE LEASE_LOST");
    expect(good(right).state).toBe("done");
    expect((await rowOf(rig.store, first.id)).result).toBe('"right"');
  });
}
