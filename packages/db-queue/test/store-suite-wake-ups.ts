import { afterEach, beforeEach, expect, it } from "vitest";
import { cancelTopic, commandTopic, eventsTopic, resultTopic } from "../src/store/store.ts";
import {
  ADDRESS,
  claimedIds,
  claimedOne,
  good,
  inserted,
  Listener,
  refusal,
  rejection,
  settled,
  stateOf,
  type StoreRig,
  type StoreSuiteOptions,
  subscribed,
} from "./store-rig.ts";

/** Q07, Q21, Q23. */
export function wakeUpCases(open: StoreSuiteOptions["open"]): void {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await open();
    await subscribed(rig.store, "a");
  });
  afterEach(() => rig.close());

  it("Q23 wakes agents for a new command, in this process and in others", async () => {
    const here = await Listener.on(rig);
    const there = await Listener.on(rig, rig.another());
    await inserted(rig.store, {});
    expect(await here.isWoken(commandTopic(ADDRESS))).toBe(true);
    expect(await there.isWoken(commandTopic(ADDRESS))).toBe(true);
  });

  it("Q51 wakes issuers for a result, in this process and in others", async () => {
    const [id] = await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    const here = await Listener.on(rig);
    const there = await Listener.on(rig, rig.another());
    await settled(rig.store, { ...claim, outcome: "done", result: "1" });
    expect(await here.isWoken(resultTopic(id ?? 0))).toBe(true);
    expect(await there.isWoken(resultTopic(id ?? 0))).toBe(true);
  });

  it("Q52 wakes the agent of a cancelled claim, and the issuer of a cancelled command", async () => {
    const [claimed, queued] = await inserted(rig.store, {}, {});
    await claimedIds(rig.store, "a", { max: 1 });
    const listener = await Listener.on(rig);
    await rig.store.cancel([{ id: claimed ?? 0 }]);
    expect(await listener.isWoken(cancelTopic(claimed ?? 0))).toBe(true);
    await rig.store.cancel([{ id: queued ?? 0 }]);
    expect(await listener.isWoken(resultTopic(queued ?? 0))).toBe(true);
  });

  it("Q53 wakes for events", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    const listener = await Listener.on(rig);
    await rig.store.appendEvents([{ ...claim, events: [{ kind: "log", data: "1" }] }]);
    expect(await listener.isWoken(eventsTopic(claim.id))).toBe(true);
  });

  it("Q61 wakes agents when the pause ends", async () => {
    await rig.store.pauseAddress(ADDRESS, true);
    await inserted(rig.store, {});
    const listener = await Listener.on(rig);
    await rig.store.pauseAddress(ADDRESS, false);
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
  });

  it("wakes agents for what is queued again: given back, to be retried, or reaped", async () => {
    await inserted(rig.store, { maxAttempts: 9 });
    const listener = await Listener.on(rig);
    const first = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...first, outcome: "released" });
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
    const second = await claimedOne(rig.store, "a");
    await settled(rig.store, { ...second, outcome: "failed", error: "{}", retryable: true, retryDelayMs: 0 });
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
    await claimedOne(rig.store, "a", 1000);
    await rig.advance(1000);
    await rig.store.reap();
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
  });

  it("Q58 wakes agents when the next of an ordering key can start", async () => {
    await inserted(rig.store, { orderingKey: "k" }, { orderingKey: "k" });
    const claim = await claimedOne(rig.store, "a");
    const listener = await Listener.on(rig);
    await settled(rig.store, { ...claim, outcome: "done", result: "1" });
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
  });

  it("Q21 publishes topics of the application to everybody who watches, here and elsewhere", async () => {
    const here = await Listener.on(rig);
    const there = await Listener.on(rig, rig.another());
    const topics = ["updated_model:res.partner", "grüße 'quoted\" 🤖", "x".repeat(3000)];
    await rig.store.publish(topics);
    for (const topic of topics) {
      await rig.store.publish([topic]);
      expect(await here.isWoken(topic)).toBe(true);
      await rig.store.publish([topic]);
      expect(await there.isWoken(topic)).toBe(true);
    }
  });

  it("Q21 tells nothing to a watch that was closed, and survives a listener that throws", async () => {
    const woken: string[] = [];
    const closed = rig.store.watch({ wake: (topic) => woken.push(topic), wakeAll: () => woken.push("all") });
    const broken = {
      wake: () => {
        throw new Error("broken listener");
      },
      wakeAll: () => {
        throw new Error("broken listener");
      },
    };
    await Promise.all([closed.ready, rig.store.watch(broken).ready]);
    closed.close();
    const listener = await Listener.on(rig);
    await inserted(rig.store, {});
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
    expect(woken).toEqual([]);
  });

  it("Q21 finds what was committed when it is woken", async () => {
    let seen: Promise<readonly unknown[]> | undefined;
    const found = new Promise<readonly unknown[]>((resolve) => {
      const look = (): void => {
        seen ??= rig.store.list({ address: ADDRESS });
        resolve(seen);
      };
      void rig.store
        .watch({ wake: (topic) => topic === commandTopic(ADDRESS) && look(), wakeAll: look })
        .ready.then(() => inserted(rig.store, {}));
    });
    expect(await found).toHaveLength(1);
  });

  it("Q07 inserts in the caller's own transaction: there, and woken for, after its commit", async () => {
    const listener = await Listener.on(rig);
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    const [answer] = await inside.insert([{ address: ADDRESS, method: "build", args: "[1]" }]);
    const { id } = good(answer);
    expect(await rig.store.read([id])).toEqual([undefined]);
    expect(listener.topics).toEqual([]);
    await transaction.commit();
    expect(await listener.isWoken(commandTopic(ADDRESS))).toBe(true);
    expect(await claimedIds(rig.store, "a")).toEqual([id]);
  });

  it("Q07 leaves neither row nor wake-up of a transaction that was rolled back", async () => {
    const listener = await Listener.on(rig);
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    await inside.ensureAddress("new one");
    const [answer] = await inside.insert([{ address: ADDRESS, method: "build" }]);
    await inside.insert([{ address: "new one", method: "build" }]);
    await inside.publish(["mine"]);
    await transaction.rollback();
    await rig.tick();
    expect([...listener.topics, listener.all]).toEqual([0]);
    expect(await rig.store.read([good(answer).id])).toEqual([undefined]);
    expect(await rig.store.findAddress("new one")).toBeUndefined();
  });

  it("Q07 cancels, removes and publishes in the caller's own transaction", async () => {
    const [id] = await inserted(rig.store, {});
    await rig.store.ensureAddress("old one");
    const listener = await Listener.on(rig);
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    expect(await inside.cancel([{ id: id ?? 0 }])).toEqual([{ state: "cancelled" }]);
    expect(await inside.removeAddress("old one")).toBe(true);
    await inside.publish(["mine"]);
    await transaction.commit();
    expect(await listener.isWoken("mine")).toBe(true);
    expect(await stateOf(rig.store, id ?? 0)).toBe("cancelled");
    expect(await rig.store.findAddress("old one")).toBeUndefined();
  });

  it("Q07 leaves the transaction usable when an item, or a verb, is refused", async () => {
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    const answers = await inside.insert([
      { address: "nobody", method: "a" },
      { address: ADDRESS, method: "b" },
    ]);
    expect(refusal(answers[0])).toBe("NOT_FOUND NO_ADDRESS");
    expect(await rejection(inside.ensureAddress(""))).toBe("INVALID_ARGUMENT");
    expect(refusal((await inside.cancel([{ id: 999_999 }]))[0])).toBe("NOT_FOUND NO_COMMAND");
    await transaction.commit();
    expect(await claimedIds(rig.store, "a")).toEqual([good(answers[1]).id]);
  });

  it("Q07 refuses what is no handle of its database, or in no transaction", async () => {
    for (const handle of [undefined, {}, "file.db", rig.store]) {
      expect(() => rig.store.inTransaction(handle)).toThrow(expect.objectContaining({ code: "FAILED_PRECONDITION" }));
    }
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    await transaction.rollback();
    expect(await rejection(inside.insert([{ address: ADDRESS, method: "a" }]))).toContain("FAILED_PRECONDITION");
    expect(await rig.query("SELECT id FROM rpc_command")).toEqual([]);
  });
}
