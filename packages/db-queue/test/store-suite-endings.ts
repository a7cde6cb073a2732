import { afterEach, beforeEach, expect, it } from "vitest";
import type { NewEvent } from "../src/store/store-words.ts";
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

/** Q11, Q51, Q52, Q53, Q54, Q55. */
export function endingCases(open: StoreSuiteOptions["open"]): void {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await open();
    await subscribed(rig.store, "a", "b");
  });
  afterEach(() => rig.close());

  it("Q11 keeps result and error apart, once and for all", async () => {
    await inserted(rig.store, {}, {}, {});
    const [one, two, three] = await claimed(rig.store, "a");
    if (one === undefined || two === undefined || three === undefined) throw new Error("three claims");
    const answers = await rig.store.settle([
      { ...one, outcome: "done", result: '{"ok":true}' },
      { ...two, outcome: "failed", error: '{"code":"COMMAND_FAILURE"}' },
      { ...three, outcome: "cancelled", error: '{"code":"CANCELLED"}' },
    ]);
    expect(answers.map((answer) => good(answer).state)).toEqual(["done", "failed", "cancelled"]);
    const [first, second, third] = await rig.store.outcomes([one.id, two.id, three.id]);
    expect(JSON.parse(first?.result ?? "")).toEqual({ ok: true });
    expect([first?.error, second?.result]).toEqual([undefined, undefined]);
    expect(JSON.parse(second?.error ?? "")).toEqual({ code: "COMMAND_FAILURE" });
    expect(third?.state).toBe("cancelled");
    for (const claim of [one, two, three]) {
      expect(refusal((await rig.store.settle([{ ...claim, outcome: "done", result: "0" }]))[0])).toBe(
        "UNAVAILABLE LEASE_LOST",
      );
      const row = await rowOf(rig.store, claim.id);
      expect(row.finishedAt).toBeGreaterThanOrEqual(row.claimedAt ?? Infinity);
      expect(row.leaseUntilAt).toBeUndefined();
    }
  });

  it("Q51 tells outcomes by id in the order asked for, with gaps for what is not there", async () => {
    const [one, two] = await inserted(rig.store, {}, {});
    const outcomes = await rig.store.outcomes([two ?? 0, 999_999, one ?? 0]);
    expect(outcomes.map((outcome) => outcome?.id)).toEqual([two, undefined, one]);
    expect(outcomes[0]).toMatchObject({ state: "queued", result: undefined, error: undefined });
  });

  it("refuses answers with another's token, or to what was never claimed", async () => {
    const [id] = await inserted(rig.store, {}, {});
    const claim = await claimedOne(rig.store, "a");
    const other = { id: (id ?? 0) + 1, token: claim.token };
    const wrong = { id: claim.id, token: "00000000-0000-4000-8000-000000000000" };
    for (const held of [other, wrong, { id: 999_999, token: claim.token }, { id: claim.id, token: "no uuid'" }]) {
      expect(refusal((await rig.store.settle([{ ...held, outcome: "released" }]))[0])).toBe("UNAVAILABLE LEASE_LOST");
      expect(refusal((await rig.store.settle([{ ...held, outcome: "done", result: "1" }]))[0])).toBe(
        "UNAVAILABLE LEASE_LOST",
      );
      expect(refusal((await rig.store.extend([{ ...held, leaseMs: 1000 }]))[0])).toBe("UNAVAILABLE LEASE_LOST");
      expect(refusal((await rig.store.appendEvents([{ ...held, events: [] }]))[0])).toBe("UNAVAILABLE LEASE_LOST");
    }
    expect(await stateOf(rig.store, claim.id)).toBe("claimed");
  });

  it("Q54 tries a retryable failure again after a pause that doubles, until the tries are used up", async () => {
    const [id] = await inserted(rig.store, { maxAttempts: 3 });
    for (const [attempt, leastMs] of [
      [1, 500],
      [2, 1000],
    ] as const) {
      const claim = await claimedOne(rig.store, "a");
      expect(claim.attempt).toBe(attempt);
      const [answer] = await rig.store.settle([
        { ...claim, outcome: "failed", error: '{"code":"INTERNAL"}', retryable: true },
      ]);
      expect(good(answer).state).toBe("queued");
      expect(good(answer).delayMs).toBeGreaterThanOrEqual(leastMs);
      expect(good(answer).delayMs).toBeLessThanOrEqual(leastMs * 3);
      expect(await claimedIds(rig.store, "a")).toEqual([]);
      await rig.advance(leastMs * 3);
    }
    const last = await claimedOne(rig.store, "a");
    expect(await settled(rig.store, { ...last, outcome: "failed", error: '{"code":"LAST"}', retryable: true })).toBe(
      "failed",
    );
    const row = await rowOf(rig.store, id ?? 0);
    expect(row).toMatchObject({ state: "failed", attempts: 3, maxAttempts: 3 });
    expect(JSON.parse(row.error ?? "")).toEqual({ code: "LAST" });
  });

  it("Q54 goes on after thousands of tries", async () => {
    const [id, other] = await inserted(rig.store, { maxAttempts: 32_767 }, { maxAttempts: 3 });
    await rig.query("UPDATE rpc_command SET attempts = 3000 WHERE max_attempts = 32767");
    const claim = await claimedOne(rig.store, "a");
    const [answer] = await rig.store.settle([{ ...claim, outcome: "failed", error: "{}", retryable: true }]);
    expect(good(answer).delayMs).toBeLessThanOrEqual(450_000);
    await rig.advance(450_000);
    expect(await claimedIds(rig.store, "a")).toEqual([id, other]);
    await rig.advance(LEASE_MS);
    expect(await rig.store.reap()).toMatchObject({ requeued: 2 });
  });

  it("gives a command that somebody has written as tried too often to count", async () => {
    const [id] = await inserted(rig.store, {});
    await rig.query("UPDATE rpc_command SET attempts = 32767, max_attempts = 32767");
    expect(await claimedIds(rig.store, "a")).toEqual([id]);
  });

  it("Q54 does not try a final failure again, nor one whose time is over", async () => {
    await inserted(rig.store, { maxAttempts: 3 }, { maxAttempts: 3, expiresMs: 1000 });
    const [one, two] = await claimed(rig.store, "a");
    if (one === undefined || two === undefined) throw new Error("two claims");
    await rig.advance(1000);
    const answers = await rig.store.settle([
      { ...one, outcome: "failed", error: "{}" },
      { ...two, outcome: "failed", error: "{}", retryable: true },
    ]);
    expect(answers.map((answer) => good(answer).state)).toEqual(["failed", "failed"]);
  });

  it("Q54 forgets the error of an earlier try when a later one succeeds", async () => {
    await inserted(rig.store, { maxAttempts: 2 });
    const first = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...first, outcome: "failed", error: '{"code":"X"}', retryable: true, retryDelayMs: 0 });
    const second = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...second, outcome: "done", result: "null" });
    expect(await rowOf(rig.store, first.id)).toMatchObject({ state: "done", error: undefined, attempts: 2 });
  });

  it("gives back a claim that was never started, and does not count its try", async () => {
    const [id] = await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    const [answer] = await rig.store.settle([{ ...claim, outcome: "released" }]);
    expect(answer).toMatchObject({ state: "queued" });
    expect(await claimedOne(rig.store, "b")).toMatchObject({ id, attempt: 1 });
  });

  it("Q52 cancels a queued command at once", async () => {
    const [id] = await inserted(rig.store, {});
    expect(await rig.store.cancel([{ id: id ?? 0, reason: "not needed" }])).toEqual([{ state: "cancelled" }]);
    expect(await claimedIds(rig.store, "a")).toEqual([]);
    const row = await rowOf(rig.store, id ?? 0);
    expect(row).toMatchObject({ state: "cancelled", cancelReason: "not needed" });
    expect(JSON.parse(row.error ?? "")).toMatchObject({ code: "CANCELLED", outcome: "no" });
    expect(row.finishedAt).toBeDefined();
  });

  it("Q52 asks the agent of a claimed command, whose renewal brings the reason", async () => {
    await inserted(rig.store, { maxAttempts: 5 }, {});
    const [one, two] = await claimed(rig.store, "a");
    if (one === undefined || two === undefined) throw new Error("two claims");
    expect(await rig.store.cancel([{ id: one.id, reason: "why" }, { id: two.id }])).toEqual([
      { state: "claimed" },
      { state: "claimed" },
    ]);
    await rig.store.cancel([{ id: one.id, reason: "again" }]);
    const extended = await rig.store.extend([
      { ...one, leaseMs: 1000 },
      { ...two, leaseMs: 1000 },
    ]);
    expect(extended.map((answer) => good(answer).cancel)).toEqual(["why", ""]);
    // No further try for what nobody wants any more.
    expect(await settled(rig.store, { ...one, outcome: "failed", error: "{}", retryable: true })).toBe("failed");
    expect(await settled(rig.store, { ...two, outcome: "done", result: "1" })).toBe("done");
  });

  it("Q52 ends a cancelled claim that is given back", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    await rig.store.cancel([{ id: claim.id }]);
    expect(await settled(rig.store, { ...claim, outcome: "released" })).toBe("cancelled");
  });

  it("Q52 comes too late for what has finished, and says so", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...claim, outcome: "done", result: "1" });
    const [late, unknown] = await rig.store.cancel([{ id: claim.id, reason: "late" }, { id: 999_999 }]);
    expect(late).toEqual({ state: "done" });
    expect(refusal(unknown)).toBe("NOT_FOUND NO_COMMAND");
    expect(await rowOf(rig.store, claim.id)).toMatchObject({ state: "done", cancelReason: undefined });
  });

  it("Q53 numbers events without a gap, and reads on after any of them", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    const log = (text: string) => ({ kind: "log", data: JSON.stringify(text) });
    const [one] = await rig.store.appendEvents([{ ...claim, events: [log("a"), log("b")] }]);
    expect(one).toEqual({ seq: 2 });
    const [two] = await rig.store.appendEvents([{ ...claim, events: [{ kind: "progress", data: "50" }, log("c")] }]);
    expect(two).toEqual({ seq: 4 });
    const all = await rig.store.readEvents(claim.id);
    expect(all.map((event) => [event.seq, event.kind, JSON.parse(event.data)])).toEqual([
      [1, "log", "a"],
      [2, "log", "b"],
      [3, "progress", 50],
      [4, "log", "c"],
    ]);
    expect((await rig.store.readEvents(claim.id, { afterSeq: 1, limit: 2 })).map((event) => event.seq)).toEqual([2, 3]);
    expect((await rowOf(rig.store, claim.id)).progress).toBe("50");
    expect(await rig.store.readEvents(999_999)).toEqual([]);
  });

  it("H191 gives back what was claimed without its agent's knowledge, and nothing else", async () => {
    const ids = await inserted(rig.store, {}, {}, {}, {});
    const known = await claimedOne(rig.store, "a");
    const lost = await claimed(rig.store, "a", { max: 2 });
    const other = await claimedOne(rig.store, "b");
    await rig.store.cancel([{ id: ids[2] ?? 0 }]);
    const request = { ...agentRef("a"), max: 10, leaseMs: LEASE_MS };
    const [answer] = await rig.store.claim([{ ...request, held: [known.token, "nobody's"] }]);
    expect(good(answer).claims.map(({ id, attempt }) => [id, attempt])).toEqual([[ids[1], 1]]);
    expect(await stateOf(rig.store, ids[2] ?? 0)).toBe("cancelled");
    const answers = [known, other, ...lost].map(
      ({ id, token }) => ({ id, token, outcome: "done", result: "1" }) as const,
    );
    const told = (await rig.store.settle(answers)).map((row) => (row instanceof Error ? refusal(row) : row.state));
    expect(told).toEqual(["done", "done", "UNAVAILABLE LEASE_LOST", "UNAVAILABLE LEASE_LOST"]);
  });

  it("H191 writes a batch of events once, however often it is sent", async () => {
    await inserted(rig.store, {});
    const { id, token } = await claimedOne(rig.store, "a");
    const log = (text: string) => ({ kind: "log", data: JSON.stringify(text) });
    const far = (data: string) => ({ kind: "progress", data });
    const append = async (...batches: readonly (readonly [number, ...NewEvent[]])[]): Promise<number[]> => {
      const answers = await rig.store.appendEvents(batches.map(([batch, ...events]) => ({ id, token, batch, events })));
      return answers.map((answer) => good(answer).seq);
    };
    expect(await append([1, log("a"), log("b")])).toEqual([2]);
    expect(await append([1, log("a"), log("b")])).toEqual([2]);
    // As a service has it, which gathers what comes in one turn.
    expect(await append([1, log("a"), log("b")], [2, log("c")], [2, log("c")], [3, far("50")])).toEqual([2, 3, 3, 4]);
    expect(await Promise.all([append([4, far("60")]), append([4, far("60")])])).toEqual([[5], [5]]);
    // One that was thought lost, and comes late.
    expect(await append([3, far("50")])).toEqual([5]);
    expect((await rowOf(rig.store, id)).progress).toBe("60");

    await settled(rig.store, { id, token, outcome: "released" });
    const again = await claimedOne(rig.store, "b");
    const [first] = await rig.store.appendEvents([{ ...again, batch: 1, events: [log("d")] }]);
    expect(first).toEqual({ seq: 6 });
    const all = await rig.store.readEvents(id);
    expect(all.map(({ seq, data }) => [seq, JSON.parse(data)])).toEqual([
      [1, "a"],
      [2, "b"],
      [3, "c"],
      [4, 50],
      [5, 60],
      [6, "d"],
    ]);
  });

  it("Q53 refuses events of a claim that is lost, and keeps those of the others", async () => {
    await inserted(rig.store, {}, {});
    const [one, two] = await claimed(rig.store, "a");
    if (one === undefined || two === undefined) throw new Error("two claims");
    await settled(rig.store, { ...one, outcome: "done", result: "1" });
    const [lost, kept] = await rig.store.appendEvents([
      { ...one, events: [{ kind: "log", data: '"late"' }] },
      { ...two, events: [{ kind: "log", data: '"x"' }] },
    ]);
    expect(refusal(lost)).toBe("UNAVAILABLE LEASE_LOST");
    expect(good(kept).seq).toBe(1);
    expect(await rig.store.readEvents(one.id)).toEqual([]);
  });

  it("deletes a notification when it ends, however it does", async () => {
    const ids = await inserted(
      rig.store,
      { notification: true },
      { notification: true },
      { notification: true, expiresMs: 1000 },
      { notification: true },
    );
    const [one, two] = await claimed(rig.store, "a", { max: 2 });
    if (one === undefined || two === undefined) throw new Error("two claims");
    expect(one.notification).toBe(true);
    await rig.store.settle([
      { ...one, outcome: "done", result: "null" },
      { ...two, outcome: "failed", error: "{}" },
    ]);
    await rig.advance(1000);
    await rig.store.reap();
    await rig.store.cancel([{ id: ids[3] ?? 0 }]);
    expect(await rig.store.read(ids)).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("Q52 tells of claims which are to end, and why", async () => {
    const ids = await inserted(rig.store, {}, {}, {}, {});
    const claims = await claimed(rig.store, "a");
    const asked = claims.map(({ id, token }) => ({ id, token }));
    expect(await rig.store.cancellations(asked)).toEqual([undefined, undefined, undefined, undefined]);
    await rig.store.cancel([{ id: ids[1] ?? 0, reason: "too slow" }, { id: ids[2] ?? 0 }, { id: ids[3] ?? 0 }]);
    const [, , , last] = claims;
    if (last !== undefined) await settled(rig.store, { ...last, outcome: "done", result: "1" });
    const others = [
      { id: ids[1] ?? 0, token: claims[0]?.token ?? "" },
      { id: 987_654, token: claims[1]?.token ?? "" },
      { id: ids[1] ?? 0, token: "another's" },
    ];
    expect(await rig.store.cancellations([...asked, ...others])).toEqual([
      undefined,
      "too slow",
      "",
      ...Array.from({ length: 4 }, () => undefined),
    ]);
    expect(await rig.store.cancellations([])).toEqual([]);
  });

  it("Q55 gives each subscribed agent a copy, and the broadcast their outcomes", async () => {
    const [answer] = await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true }]);
    const { id, copies, state } = good(answer);
    expect([copies, state]).toEqual([2, "waiting"]);
    const forA = await claimedOne(rig.store, "a");
    const forB = await claimedOne(rig.store, "b");
    await settled(rig.store, { ...forA, outcome: "done", result: "7" });
    expect(await stateOf(rig.store, id)).toBe("waiting");
    await settled(rig.store, { ...forB, outcome: "failed", error: '{"code":"INTERNAL"}' });
    const row = await rowOf(rig.store, id);
    expect(row.state).toBe("done");
    expect(JSON.parse(row.result ?? "")).toEqual([
      { agent: "a", id: forA.id, state: "done", result: 7 },
      { agent: "b", id: forB.id, state: "failed", error: { code: "INTERNAL" } },
    ]);
    expect((await rig.store.list({ parentId: id })).map((copy) => copy.targetAgent)).toEqual(["b", "a"]);
  });

  it("Q55 ends a broadcast when its last two copies end at once", async () => {
    for (let round = 0; round < 10; round += 1) {
      const [answer] = await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true }]);
      const forA = await claimedOne(rig.store, "a");
      const forB = await claimedOne(rig.store, "b");
      const other = rig.another();
      await Promise.all([
        rig.store.settle([{ ...forA, outcome: "done", result: "1" }]),
        other.settle([{ ...forB, outcome: "done", result: "2" }]),
      ]);
      expect(await stateOf(rig.store, good(answer).id)).toBe("done");
      await other.close();
    }
  });

  it("Q55 is done at once where nobody is subscribed, or refused when somebody must be", async () => {
    await rig.store.ensureAddress("empty");
    const broadcast = { address: "empty", method: "reload", broadcast: true };
    const [done, refused] = await rig.store.insert([broadcast, { ...broadcast, agentSeenWithinMs: 1000 }]);
    expect(good(done)).toMatchObject({ state: "done", copies: 0 });
    expect((await rowOf(rig.store, good(done).id)).result).toBe("[]");
    expect(refusal(refused)).toBe("UNAVAILABLE NO_AGENT");
  });

  it("Q55 does not wait for an agent that is gone", async () => {
    const [answer] = await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true }]);
    const forA = await claimedOne(rig.store, "a");
    await rig.advance(90_000);
    await rig.store.keepAlive([agentRef("a")]);
    await settled(rig.store, { ...forA, outcome: "done", result: "1" });
    expect((await rig.store.reap()).failed).toBe(0);
    expect((await rig.store.reap({ agentLostMs: 90_000 })).failed).toBe(1);
    const row = await rowOf(rig.store, good(answer).id);
    expect(row.state).toBe("done");
    expect(JSON.parse(row.result ?? "")).toMatchObject([
      { agent: "a", state: "done" },
      { agent: "b", state: "failed", error: { code: "NO_AGENT", outcome: "no" } },
    ]);
  });

  it("Q52 cancels a broadcast with its copies", async () => {
    const [answer] = await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true }]);
    const { id } = good(answer);
    const forA = await claimedOne(rig.store, "a");
    expect(await rig.store.cancel([{ id, reason: "stop" }])).toEqual([{ state: "waiting" }]);
    expect(await claimedIds(rig.store, "b")).toEqual([]);
    expect(good((await rig.store.extend([{ ...forA, leaseMs: 1000 }]))[0]).cancel).toBe("stop");
    await settled(rig.store, { ...forA, outcome: "cancelled", error: '{"code":"CANCELLED"}' });
    const row = await rowOf(rig.store, id);
    expect(row.state).toBe("cancelled");
    expect(JSON.parse(row.result ?? "").map((copy: { state: string }) => copy.state)).toEqual([
      "cancelled",
      "cancelled",
    ]);
    const [other] = await rig.store.insert([{ address: ADDRESS, method: "reload", broadcast: true }]);
    expect(await rig.store.cancel([{ id: good(other).id }])).toEqual([{ state: "cancelled" }]);
  });

  it("asks for a live agent where the command does", async () => {
    const command = { address: ADDRESS, method: "now", agentSeenWithinMs: 60_000 };
    expect(good((await rig.store.insert([command]))[0]).state).toBe("queued");
    await rig.advance(60_001);
    await rig.store.keepAlive([agentRef("a")]);
    const [any, forB] = await rig.store.insert([command, { ...command, targetAgent: "b" }]);
    expect(good(any).state).toBe("queued");
    expect(refusal(forB)).toBe("UNAVAILABLE NO_AGENT");
    await rig.store.pauseAddress(ADDRESS, true);
    expect(refusal((await rig.store.insert([command]))[0])).toBe("UNAVAILABLE PAUSED");
    expect(good((await rig.store.insert([{ address: ADDRESS, method: "later" }]))[0]).state).toBe("queued");
  });
}
