import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCommandService } from "../src/service/create-command-service.ts";
import type { CallerRights } from "../src/service/rights.ts";
import { cancelTopic, commandTopic, resultTopic } from "../src/store/store.ts";
import { AGENT, openServiceRig, refused, type ServiceRig, type Visitor } from "./service-rig.ts";
import { ADDRESS, inserted, rowOf } from "./store-rig.ts";

const OTHER = "software_dev.buildbot:8";
const RIGHTS: Record<string, CallerRights> = {
  bot: { serve: [ADDRESS], agents: ["bot"] },
  thief: { serve: [OTHER], agents: ["thief"] },
  ada: { issue: ["software_dev.*"], wait: ["updated_model:*"] },
  bob: { issue: [ADDRESS], publish: ["updated_model:res.partner"] },
  boss: { manage: ["*"], wait: ["*"] },
  nothing: {},
};
const DENIED = "PERMISSION_DENIED FORBIDDEN";

let rig: ServiceRig;
let bot: Visitor;
let thief: Visitor;
let ada: Visitor;
let bob: Visitor;
let boss: Visitor;
beforeEach(async () => {
  rig = await openServiceRig({ rights: RIGHTS });
  await rig.store.ensureAddress(OTHER);
  [bot, thief, ada, bob, boss] = ["bot", "thief", "ada", "bob", "boss"].map((name) => rig.visitor(name)) as [
    Visitor,
    Visitor,
    Visitor,
    Visitor,
    Visitor,
  ];
});
afterEach(() => rig.close());

describe("rights of callers (Q28)", () => {
  it("allow what they name, and nothing to whom they do not name", async () => {
    expect((await bot.verbs.subscribe(AGENT)).leaseMs).toBe(30_000);
    for (const stranger of [undefined, "nobody", "nothing", "constructor", "__proto__"]) {
      const { verbs, remote } = rig.visitor(stranger);
      const store = remote();
      const id = 1;
      const claim = { id, token: "x" };
      const all: readonly PromiseLike<unknown>[] = [
        verbs.findAddress({ address: ADDRESS }),
        verbs.subscribe(AGENT),
        verbs.unsubscribe(AGENT),
        verbs.keepAlive(AGENT),
        verbs.pop(AGENT),
        verbs.extend(claim),
        verbs.pushResult(claim),
        verbs.pushException({ ...claim, error: "" }),
        verbs.pushFailure({ ...claim, message: "" }),
        verbs.pushCancelled(claim),
        verbs.pushEvents({ ...claim, events: [] }),
        verbs.release(claim),
        verbs.wait({ topic: "t", timeoutMs: 0 }),
        verbs.publish({ topic: "t" }),
        verbs.send({ address: ADDRESS, method: "m" }),
        verbs.state({ id }),
        verbs.result({ id, timeoutMs: 0 }),
        verbs.cancel({ id }),
        verbs.list({ address: ADDRESS }),
        store.findAddress(ADDRESS),
        store.findAddress(1),
        store.ensureAddress("new"),
        store.pauseAddress(ADDRESS, true),
        store.removeAddress(ADDRESS),
        store.listAddresses(),
        store.subscribe(AGENT),
        store.unsubscribe(AGENT),
        store.keepAlive([AGENT]),
        store.listAgents(),
        store.insert([{ address: ADDRESS, method: "m" }]),
        store.claim([{ ...AGENT, max: 1, leaseMs: 1000 }]),
        store.settle([{ ...claim, outcome: "released" }]),
        store.extend([{ ...claim, leaseMs: 1000 }]),
        store.appendEvents([{ ...claim, events: [] }]),
        store.cancel([{ id }]),
        store.outcomes([id]),
        store.read([id]),
        store.readEvents(id),
        store.list(),
        store.stats(),
        store.reap(),
        store.publish(["t"]),
        store.watch({ wake: () => undefined, wakeAll: () => undefined }).ready,
      ];
      for (const verb of all) expect(await refused(verb)).toBe(DENIED);
    }
    expect((await rig.store.findAddress(ADDRESS))?.paused).toBe(false);
    expect(await rig.store.listAgents()).toHaveLength(1);
  });

  it("bind agents to their addresses and names", async () => {
    await bot.verbs.subscribe(AGENT);
    const [id = 0] = await inserted(rig.store, {});
    const asBot = { ...AGENT, incarnation: "thief-1" };
    for (const ref of [asBot, { ...asBot, agent: "thief" }, { ...asBot, address: OTHER }]) {
      expect(await refused(thief.verbs.subscribe(ref))).toBe(DENIED);
      expect(await refused(thief.verbs.pop(ref))).toBe(DENIED);
      expect(await refused(thief.verbs.unsubscribe(ref))).toBe(DENIED);
      expect(await refused(thief.verbs.keepAlive(ref))).toBe(DENIED);
    }
    await expect(thief.verbs.pop(AGENT)).rejects.toThrow(
      'thief is not allowed to be agent "bot" of "software_dev.buildbot:7": see the rights of the queue\'s service',
    );
    // The right name at the right address, and still not the one who has subscribed.
    expect(await refused(bot.verbs.pop({ ...AGENT, incarnation: "bot-0" }))).toBe("ABORTED FENCED");
    const [claim] = await bot.verbs.pop(AGENT);
    expect(claim?.id).toBe(id);
    expect(await refused(thief.verbs.pushResult({ id, token: "0".repeat(32) }))).toBe("UNAVAILABLE LEASE_LOST");
    expect(await refused(thief.verbs.state({ id }))).toBe(DENIED);
    expect(await refused(ada.verbs.pushResult({ id, token: claim?.token ?? "" }))).toBe(DENIED);
    // What it runs, an agent may see.
    expect((await bot.verbs.state({ id })).state).toBe("claimed");
    expect(await refused(bot.verbs.cancel({ id }))).toBe(DENIED);
  });

  it("show issuers their own commands, whatever those say of their issuer", async () => {
    const { id } = await ada.verbs.send({ address: ADDRESS, method: "m", args: ["secret"] });
    const [forged] = await bob.remote().insert([{ address: ADDRESS, method: "m", createdBy: "ada" }]);
    expect((await rowOf(rig.store, id)).createdBy).toBe("ada");
    if (forged === undefined || "code" in forged) throw new Error("bob may send there");
    expect((await rowOf(rig.store, forged.id)).createdBy).toBe("bob");
    expect(await refused(ada.verbs.state({ id: forged.id }))).toBe(DENIED);
    expect(await refused(bob.verbs.state({ id }))).toBe(DENIED);
    expect(await refused(bob.verbs.result({ id, timeoutMs: 0 }))).toBe(DENIED);
    expect(await refused(bob.verbs.cancel({ id }))).toBe(DENIED);
    expect(await refused(bob.verbs.send({ address: OTHER, method: "m" }))).toBe(DENIED);
    expect((await ada.verbs.list({})).map((row) => row.id)).toEqual([id]);
    expect((await bob.verbs.list({ address: ADDRESS })).map((row) => row.id)).toEqual([forged.id]);
    expect(await refused(bob.verbs.list({ address: OTHER }))).toBe(DENIED);
    const store = bob.remote();
    // To a store a row that it may not see is not there.
    expect(await store.read([id, forged.id])).toMatchObject([undefined, { id: forged.id }]);
    expect(await store.outcomes([id])).toEqual([undefined]);
    expect(await refused(store.readEvents(id))).toBe(DENIED);
    expect(await store.cancel([{ id }, { id: forged.id }])).toMatchObject([
      { code: "PERMISSION_DENIED" },
      { state: "cancelled" },
    ]);
    expect(await ada.verbs.state({ id })).toMatchObject({ state: "queued" });
    expect(await ada.verbs.cancel({ id })).toEqual({ state: "cancelled" });
  });

  it("give nobody a command of another's by its idempotency key", async () => {
    const options = { idempotencyKey: "k" };
    const { id } = await ada.verbs.send({ address: ADDRESS, method: "m", args: [1], options });
    const again = await bob.verbs.send({ address: ADDRESS, method: "m", args: [1], options });
    expect(again).toMatchObject({ id, existing: true });
    expect(await refused(bob.verbs.result({ id: again.id, timeoutMs: 0 }))).toBe(DENIED);
  });

  it("let those who manage see, cancel, pause and make", async () => {
    const { id } = await ada.verbs.send({ address: ADDRESS, method: "m" });
    const store = boss.remote();
    expect((await store.ensureAddress("new")).name).toBe("new");
    await store.pauseAddress("new", true);
    expect(await store.removeAddress("new")).toBe(true);
    expect((await boss.verbs.list({})).map((row) => row.id)).toEqual([id]);
    expect(await boss.verbs.cancel({ id })).toEqual({ state: "cancelled" });
    expect(await refused(boss.verbs.send({ address: ADDRESS, method: "m" }))).toBe(DENIED);
    expect(await refused(boss.verbs.pop(AGENT))).toBe(DENIED);
    // Others find what is theirs, and make nothing.
    const found = await bob.remote().ensureAddress(ADDRESS);
    expect(found.name).toBe(ADDRESS);
    expect(await refused(bob.remote().ensureAddress("software_dev.buildbot:9"))).toBe(DENIED);
    expect(await refused(bob.remote().pauseAddress(ADDRESS, true))).toBe(DENIED);
    expect((await bob.remote().listAddresses()).map(({ name }) => name)).toEqual([ADDRESS]);
    expect((await bob.remote().stats()).map(({ address }) => address)).toEqual([ADDRESS]);
    expect(await bob.remote().findAddress((await rig.store.findAddress(OTHER))?.id ?? 0)).toBeUndefined();
  });

  it("bind topics", async () => {
    const now = { timeoutMs: 0 };
    const may: readonly [Visitor, string][] = [
      [bot, commandTopic(ADDRESS)],
      [bot, cancelTopic(1)],
      [ada, resultTopic(1)],
      [ada, "updated_model:res.partner"],
      [boss, commandTopic(OTHER)],
      [boss, "*"],
    ];
    for (const [{ verbs }, topic] of may) expect((await verbs.wait({ topic, ...now })).fired).toBe(false);
    const mayNot: readonly [Visitor, string][] = [
      [bot, commandTopic(OTHER)],
      [ada, commandTopic(ADDRESS)],
      [ada, "updated"],
      [ada, "*"],
      [bob, "updated_model:res.partner"],
      [bob, "result of: 1x"],
    ];
    for (const [{ verbs }, topic] of mayNot) expect(await refused(verbs.wait({ topic, ...now }))).toBe(DENIED);
    expect(await bob.verbs.publish({ topic: "updated_model:res.partner" })).toBe(true);
    expect(await refused(bob.verbs.publish({ topic: "updated_model:res.users" }))).toBe(DENIED);
    expect(await refused(bob.verbs.publish({ topic: resultTopic(1) }))).toBe(DENIED);
    expect(await refused(bob.verbs.publish({ topic: commandTopic(ADDRESS) }))).toBe(DENIED);
    const watch = ada.remote({ topics: ["updated_model:x", "forbidden"] });
    const errors: string[] = [];
    const store = ada.remote({ topics: ["forbidden"], onError: ({ code }) => errors.push(code) });
    const open = store.watch({ wake: () => undefined, wakeAll: () => undefined });
    await open.ready.catch(() => undefined);
    for (let turn = 0; turn < 20 && errors.length === 0; turn += 1) await rig.sqlite.tick();
    expect(errors).toContain("PERMISSION_DENIED");
    open.close();
    await watch.close();
  });

  it("can be asked of a function, by whatever a peer is", async () => {
    const seen: unknown[] = [];
    const other = await openServiceRig({
      rights: ({ identity }) => {
        seen.push(identity);
        return identity === "x" ? { issue: ["*"] } : undefined;
      },
    });
    expect((await other.visitor("x").verbs.send({ address: ADDRESS, method: "m" })).state).toBe("queued");
    expect(await refused(other.visitor("y").verbs.send({ address: ADDRESS, method: "m" }))).toBe(DENIED);
    expect(seen).toEqual(["x", "y"]);
    await other.close();
  });

  it("are refused when they cannot be", () => {
    const rights =
      (wrong: object): (() => unknown) =>
      () =>
        createCommandService(rig.store, { rights: { ada: wrong } });
    expect(rights({ serves: ["x"] })).toThrow('rights of ada: there is no right "serves"; there are serve, agents');
    expect(rights({ serve: ["a*b"] })).toThrow('"*" stands at the end, got "a*b"');
    expect(rights({ serve: "*" })).toThrow('"serve" must be a list');
  });
});
