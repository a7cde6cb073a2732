import * as fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CommandFilter, NewCommand } from "../src/store/store-words.ts";
import {
  ADDRESS,
  agentRef,
  claimed,
  claimedOne,
  good,
  inserted,
  refusal,
  rejection,
  rowOf,
  settled,
  type StoreRig,
  type StoreSuiteOptions,
  subscribed,
} from "./store-rig.ts";

/** Q01, Q02, Q03, Q05, Q09, Q29, Q56. */
export function commandCases(open: StoreSuiteOptions["open"]): void {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await open();
  });
  afterEach(() => rig.close());

  it("Q01 shows call and outcome as one row to who reads with SQL", async () => {
    await subscribed(rig.store, "bot");
    await inserted(rig.store, { method: "pollSources", args: '["a"]' });
    const claim = await claimedOne(rig.store, "bot");
    await settled(rig.store, { ...claim, outcome: "done", result: '{"found":3}' });
    const rows = await rig.query("SELECT method, args, state, result, agent_name FROM rpc_command");
    expect(rows).toHaveLength(1);
    const row = JSON.stringify(rows[0]);
    for (const part of ["pollSources", "done", "found", "bot"]) expect(row).toContain(part);
  });

  it("Q02 makes an address once, by any name of up to 200 characters", async () => {
    const first = await rig.store.ensureAddress(ADDRESS);
    const second = await rig.store.ensureAddress(ADDRESS);
    expect(second.id).toBe(first.id);
    const strange = ["x".repeat(200), "Bot der Söhne №7 'quoted\" ; --", "🤖", "%_\\"];
    for (const name of strange) expect((await rig.store.ensureAddress(name)).name).toBe(name);
    expect((await rig.store.listAddresses()).map((row) => row.name).toSorted()).toEqual(
      [ADDRESS, ...strange].toSorted(),
    );
    expect(await rig.store.findAddress(first.id)).toEqual(first);
    expect(await rig.store.findAddress("another")).toBeUndefined();
  });

  it("Q02 refuses names that are empty, too long, or not text for every database", async () => {
    for (const name of ["", "x".repeat(201), "a\0b", "\ud800"]) {
      expect(await rejection(rig.store.ensureAddress(name))).toBe("INVALID_ARGUMENT");
    }
  });

  it("Q02 says of a command for an unknown address that there is none, and keeps the others of the batch", async () => {
    await subscribed(rig.store, "bot");
    const answers = await rig.store.insert([
      { address: ADDRESS, method: "a" },
      { address: "nobody", method: "b" },
      { address: ADDRESS, method: "c" },
    ]);
    expect(refusal(answers[1])).toBe("NOT_FOUND NO_ADDRESS");
    expect((await claimed(rig.store, "bot")).map((claim) => claim.method)).toEqual(["a", "c"]);
    expect(await rejection(rig.store.pauseAddress("nobody", true))).toBe("NOT_FOUND NO_ADDRESS");
    expect(await rejection(rig.store.subscribe({ ...agentRef("bot"), address: "nobody" }))).toBe(
      "NOT_FOUND NO_ADDRESS",
    );
    expect(
      refusal((await rig.store.claim([{ ...agentRef("bot"), address: "nobody", max: 1, leaseMs: 1000 }]))[0]),
    ).toBe("NOT_FOUND NO_ADDRESS");
  });

  it("Q03 removes an address with its commands, agents and events", async () => {
    await subscribed(rig.store, "bot");
    const [id] = await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "bot");
    await rig.store.appendEvents([{ ...claim, events: [{ kind: "log", data: '"x"' }] }]);
    expect(await rig.store.removeAddress(ADDRESS)).toBe(true);
    expect(await rig.store.removeAddress(ADDRESS)).toBe(false);
    expect(await rig.store.read([id ?? 0])).toEqual([undefined]);
    for (const table of ["rpc_command", "rpc_agent", "rpc_command_event"]) {
      expect(await rig.query(`SELECT * FROM ${table}`)).toEqual([]);
    }
  });

  it("Q05 gives every JSON value back as it was", async () => {
    await subscribed(rig.store, "bot");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 4 }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        async (args, kwargs) => {
          const [id] = await inserted(rig.store, { args: JSON.stringify(args), kwargs: JSON.stringify(kwargs) });
          const claim = await claimedOne(rig.store, "bot");
          expect(claim.id).toBe(id);
          expect(JSON.stringify(JSON.parse(claim.args))).toBe(JSON.stringify(args));
          expect(JSON.parse(claim.kwargs)).toEqual(JSON.parse(JSON.stringify(kwargs)));
          await settled(rig.store, { ...claim, outcome: "done", result: JSON.stringify(args) });
          expect(JSON.parse((await rowOf(rig.store, claim.id)).result ?? "")).toEqual(JSON.parse(JSON.stringify(args)));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("Q05 keeps NUL, half a surrogate pair, large numbers and 1 MiB of text in arguments", async () => {
    await subscribed(rig.store, "bot");
    const args = JSON.stringify([
      "a\0b",
      "\ud800",
      1.7976931348623157e308,
      5e-324,
      -0.1,
      12345678901234,
      "x".repeat(1_048_576),
    ]);
    await inserted(rig.store, { args });
    expect(JSON.parse((await claimedOne(rig.store, "bot")).args)).toEqual(JSON.parse(args));
  });

  it("refuses a command that no database could keep, and says which part of it", async () => {
    await subscribed(rig.store, "bot");
    const faults = [
      { method: "" },
      { method: "x".repeat(201) },
      { priority: 40_000 },
      { priority: 0.5 },
      { maxAttempts: 0 },
      { delayMs: -1 },
      { expiresMs: Number.NaN },
      { delayMs: Infinity },
      { orderingKey: "" },
      { idempotencyKey: "a\0" },
    ];
    const answers = await rig.store.insert(faults.map((fault) => ({ address: ADDRESS, method: "build", ...fault })));
    for (const [index, answer] of answers.entries()) {
      expect(refusal(answer)).toBe("INVALID_ARGUMENT");
      expect((answer as Error).message).toContain(Object.keys(faults[index] ?? {})[0]);
    }
    expect(await rig.query("SELECT id FROM rpc_command")).toEqual([]);
  });

  it("refuses a value of another type, or one that no text can be, alone: others of the list are inserted", async () => {
    await subscribed(rig.store, "bot");
    const faults = [
      { address: undefined },
      { method: null },
      { orderingKey: 7 },
      { idempotencyKey: 7n },
      { targetAgent: {} },
      { createdBy: Symbol("me") },
      { createdBy: "a\0b" },
      { createdBy: "\ud800" },
      { args: [] },
      { kwargs: {} },
      { meta: 1 },
      { priority: "high" },
      { delayMs: "1s" },
    ];
    // As a program without types has it.
    const untyped = (fault: object): NewCommand => ({ address: ADDRESS, method: "build", ...fault });
    const answers = await rig.store.insert([{}, ...faults, {}].map(untyped));
    expect(answers.map((answer) => (answer instanceof Error ? refusal(answer) : answer.state))).toEqual([
      "queued",
      ...faults.map(() => "INVALID_ARGUMENT"),
      "queued",
    ]);
    for (const [index, fault] of faults.entries()) {
      expect((answers[index + 1] as Error).message).toContain(Object.keys(fault)[0]);
    }
  });

  it("Q09 lists who is subscribed, and since when nobody has heard of them", async () => {
    await subscribed(rig.store, "a");
    await rig.store.subscribe({ ...agentRef("b"), methods: ["ping"], concurrency: 4 });
    await rig.advance(60_000);
    expect(await rig.store.keepAlive([agentRef("b")])).toEqual([undefined]);
    const [a, b] = await rig.store.listAgents(ADDRESS);
    expect(a).toMatchObject({ ...agentRef("a"), methods: undefined, concurrency: 1 });
    expect(b).toMatchObject({ ...agentRef("b"), methods: ["ping"], concurrency: 4 });
    expect(a?.unseenMs).toBeGreaterThanOrEqual(60_000);
    expect(b?.unseenMs).toBeLessThan(30_000);
    expect(await rig.store.listAgents("nobody")).toEqual([]);
    expect(await rig.store.listAgents()).toHaveLength(2);
  });

  it("Q09 unsubscribes an incarnation, and never its successor", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.subscribe({ ...agentRef("bot"), incarnation: "second" });
    expect(await rig.store.unsubscribe(agentRef("bot"))).toBe(false);
    expect(await rig.store.listAgents()).toHaveLength(1);
    expect(await rig.store.unsubscribe({ address: ADDRESS, agent: "bot" })).toBe(true);
    expect(await rig.store.listAgents()).toEqual([]);
  });

  it("Q29 lists newest first, page by page, by address, state, method and agent", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.ensureAddress("other");
    const ids = await inserted(rig.store, { method: "a" }, { method: "b" }, { method: "a" });
    await inserted(rig.store, { address: "other" });
    const claim = await claimedOne(rig.store, "bot");
    await settled(rig.store, { ...claim, outcome: "failed", error: '{"code":"INTERNAL"}' });
    const list = (filter?: CommandFilter) => rig.store.list(filter);
    expect((await list({ address: ADDRESS })).map((row) => row.id)).toEqual(ids.toReversed());
    expect((await list({ address: ADDRESS, method: "a" })).map((row) => row.id)).toEqual([ids[2], ids[0]]);
    expect((await list({ states: ["failed"] })).map((row) => row.id)).toEqual([ids[0]]);
    expect(await list({ states: [] })).toEqual([]);
    expect((await list({ agent: "bot" })).map((row) => row.id)).toEqual([ids[0]]);
    const [last] = await list({ address: ADDRESS, limit: 1 });
    expect((await list({ address: ADDRESS, limit: 1, beforeId: last?.id })).map((row) => row.id)).toEqual([ids[1]]);
    expect(await list()).toHaveLength(4);
  });

  it("Q29 finds what an address has behind thousands of newer commands of others, newest first", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.ensureAddress("other");
    const ids = await inserted(
      rig.store,
      { method: "done" },
      { method: "failed" },
      { method: "claimed" },
      { method: "plain" },
      { method: "keyed", orderingKey: "k" },
      { method: "targeted", targetAgent: "bot" },
      { method: "delayed", delayMs: 1000 },
    );
    const [first, second] = await claimed(rig.store, "bot", { max: 3 });
    if (first !== undefined) await settled(rig.store, { ...first, outcome: "done", result: "1" });
    if (second !== undefined) await settled(rig.store, { ...second, outcome: "failed", error: "{}" });
    const [all] = await rig.store.insert([{ address: ADDRESS, method: "broadcast", broadcast: true }]);
    const { id } = good(all);
    await inserted(rig.store, { address: "other" });
    await rig.query("UPDATE rpc_command SET id = id + 50000 WHERE id = (SELECT max(id) FROM rpc_command)");
    const own = { address: ADDRESS };
    const list = async (filter: CommandFilter): Promise<string[]> =>
      (await rig.store.list(filter)).map((row) => row.method);
    const methods = ["done", "failed", "claimed", "plain", "keyed", "targeted", "delayed", "broadcast", "broadcast"];
    expect(await list(own)).toEqual(methods.toReversed());
    expect(await list({ ...own, limit: 3 })).toEqual(["broadcast", "broadcast", "delayed"]);
    expect(await list({ ...own, beforeId: id, limit: 2 })).toEqual(["delayed", "targeted"]);
    expect(await list({ ...own, states: ["done", "claimed"] })).toEqual(["claimed", "done"]);
    expect(await list({ ...own, states: ["failed"] })).toEqual(["failed"]);
    expect(await list({ ...own, states: ["queued"], method: "keyed" })).toEqual(["keyed"]);
    expect(await list({ ...own, agent: "bot", limit: 2 })).toEqual(["claimed", "failed"]);
    expect(await list({ ...own, parentId: id })).toEqual(["broadcast"]);
    expect(await list({ address: "nobody" })).toEqual([]);
    expect((await rig.store.list({ beforeId: 10_000 })).at(-1)?.id).toBe(ids[0]);
  });

  it("Q29 finds by state, method or agent what lies far behind newer commands, page by page", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.ensureAddress("other");
    const old = ["failed", "done", "done", "expired", "claimed", "queued", "delayed", "keyed"];
    const ids = await inserted(
      rig.store,
      ...old.map((method) => ({
        method,
        delayMs: method === "delayed" ? 1000 : undefined,
        orderingKey: method === "keyed" ? "k" : undefined,
      })),
    );
    const claims = await claimed(rig.store, "bot", { max: 5 });
    for (const claim of claims) {
      if (claim.method === "done") await settled(rig.store, { ...claim, outcome: "done", result: "1" });
      if (claim.method === "failed") await settled(rig.store, { ...claim, outcome: "failed", error: "{}" });
    }
    await rig.query(
      `UPDATE rpc_command SET state = 'expired', finished_at = created_at, lease_until = NULL WHERE method = 'expired'`,
    );
    // Two heaps of newer ones, with nothing between and before them.
    await inserted(rig.store, { address: "other", method: "newer" }, { address: "other", method: "newest" });
    await rig.query("UPDATE rpc_command SET id = id + 70000 WHERE method = 'newer'");
    await rig.query("UPDATE rpc_command SET id = id + 900000 WHERE method = 'newest'");
    const list = async (filter: CommandFilter): Promise<string[]> =>
      (await rig.store.list(filter)).map((row) => row.method);
    expect(await list({ states: ["failed"] })).toEqual(["failed"]);
    expect(await list({ states: ["expired", "failed"] })).toEqual(["expired", "failed"]);
    expect(await list({ states: ["claimed"] })).toEqual(["claimed"]);
    expect(await list({ states: ["queued"] })).toEqual(["newest", "newer", "keyed", "delayed", "queued"]);
    expect(await list({ states: ["queued", "claimed", "failed"], limit: 7 })).toEqual([
      "newest",
      "newer",
      "keyed",
      "delayed",
      "queued",
      "claimed",
      "failed",
    ]);
    expect(await list({ states: ["done"] })).toEqual(["done", "done"]);
    expect(await list({ method: "done" })).toEqual(["done", "done"]);
    expect(await list({ method: "done", limit: 1 })).toEqual(["done"]);
    expect(await list({ method: "done", beforeId: ids[2] ?? 0 })).toEqual(["done"]);
    expect(await list({ method: "failed", states: ["done", "queued"] })).toEqual([]);
    expect(await list({ agent: "bot" })).toEqual(["claimed", "expired", "done", "done", "failed"]);
    expect(await list({ agent: "bot", states: ["claimed", "failed"] })).toEqual(["claimed", "failed"]);
    expect(await list({ method: "nothing" })).toEqual([]);
    expect(await list({ agent: "nobody", states: ["failed"] })).toEqual([]);
  });

  it("Q56 gives the first command for a repeated key, whatever has become of it", async () => {
    await subscribed(rig.store, "bot");
    const command = { address: ADDRESS, method: "build", args: '[{"a":1,"b":2}]', idempotencyKey: "k" };
    const [first, twin] = await rig.store.insert([command, command]);
    expect(good(first).existing).toBe(false);
    expect(twin).toMatchObject({ id: good(first).id, existing: true, state: "queued" });
    const claim = await claimedOne(rig.store, "bot");
    await settled(rig.store, { ...claim, outcome: "done", result: "1" });
    // The same value in another order of its members.
    const [again] = await rig.store.insert([{ ...command, args: '[{"b":2,"a":1}]' }]);
    expect(again).toMatchObject({ id: claim.id, existing: true, state: "done" });
    expect(await rig.query("SELECT id FROM rpc_command")).toHaveLength(1);
  });

  it("Q56 refuses a key that belongs to another call", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.ensureAddress("other");
    await inserted(rig.store, { idempotencyKey: "k", args: "[1]" });
    const answers = await rig.store.insert([
      { address: ADDRESS, method: "build", args: "[2]", idempotencyKey: "k" },
      { address: ADDRESS, method: "else", args: "[1]", idempotencyKey: "k" },
      { address: ADDRESS, method: "build", args: "[1]", kwargs: '{"x":1}', idempotencyKey: "k" },
      { address: "other", method: "else", idempotencyKey: "k" },
    ]);
    for (const answer of answers.slice(0, 3)) expect(refusal(answer)).toBe("ALREADY_EXISTS CONFLICT");
    expect(good(answers[3]).existing).toBe(false);
  });

  it("Q56 refuses a key of a broadcast to a command for one, the other way round, and that of a notification to who waits", async () => {
    await subscribed(rig.store, "bot");
    await rig.store.ensureAddress("empty");
    const one = { address: ADDRESS, method: "build" };
    const kinds = [
      { ...one, idempotencyKey: "all", broadcast: true },
      { ...one, idempotencyKey: "none", broadcast: true, address: "empty" },
      { ...one, idempotencyKey: "cancelled", broadcast: true },
      { ...one, idempotencyKey: "one" },
      { ...one, idempotencyKey: "given up" },
      { ...one, idempotencyKey: "told", notification: true },
    ];
    const answers = await rig.store.insert(kinds);
    const [all, none, cancelled, only, givenUp, told] = answers.map((answer) => good(answer).id);
    await rig.store.cancel([{ id: cancelled ?? 0 }, { id: givenUp ?? 0 }]);
    expect((await rig.store.insert(kinds)).map((answer) => good(answer).id)).toEqual(
      answers.map((answer) => good(answer).id),
    );
    const others = kinds.map(({ address, method, idempotencyKey }) => ({
      address,
      method,
      idempotencyKey,
      broadcast: idempotencyKey === "one" || idempotencyKey === "given up",
    }));
    const refused = await rig.store.insert(others);
    expect(refused.map(refusal)).toEqual(others.map(() => "ALREADY_EXISTS CONFLICT"));
    expect(refused.map((error) => (error as Error).message.replace(/.* belongs to /, ""))).toEqual([
      `command ${all}, which is a broadcast`,
      `command ${none}, which is a broadcast`,
      `command ${cancelled}, which is a broadcast`,
      `command ${only}, which is no broadcast`,
      `command ${givenUp}, which is no broadcast`,
      `command ${told}, which is a notification, whose outcome nobody can have`,
    ]);
    // Whoever does not wait takes what is there.
    const [again] = await rig.store.insert([{ ...one, idempotencyKey: "one", notification: true }]);
    expect(again).toMatchObject({ id: only, existing: true });
  });

  it("Q56 holds nothing against the others of a batch when a row of that key is no JSON", async () => {
    await rig.store.ensureAddress(ADDRESS);
    await inserted(rig.store, { idempotencyKey: "k" });
    // PostgreSQL does not let it in.
    await rig.query("UPDATE rpc_command SET args = '[broken'").catch(() => undefined);
    const answers = await rig.store.insert([
      { address: ADDRESS, method: "build", args: "[1]", idempotencyKey: "k" },
      { address: ADDRESS, method: "build" },
    ]);
    expect(refusal(answers[0])).toBe("ALREADY_EXISTS CONFLICT");
    expect(good(answers[1]).existing).toBe(false);
  });

  it("Q56 makes one command of one key when many insert it at once", async () => {
    await subscribed(rig.store, "bot");
    const stores = [rig.store, rig.another(), rig.another()];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        (stores[i % 3] ?? rig.store).insert([{ address: ADDRESS, method: "build", idempotencyKey: "k" }]),
      ),
    );
    expect(new Set(answers.map((answer) => good(answer[0]).id)).size).toBe(1);
    expect(answers.filter((answer) => !good(answer[0]).existing)).toHaveLength(1);
  });

  it("refuses every verb once it is closed", async () => {
    const store = rig.another();
    await store.listAddresses();
    await store.close();
    await store.close();
    expect(await rejection(store.listAddresses())).toBe("FAILED_PRECONDITION CLOSED");
    expect(await rejection(store.insert([]))).toBe("FAILED_PRECONDITION CLOSED");
  });

  it("finishes what was asked for before it is closed", async () => {
    await subscribed(rig.store, "bot");
    const store = rig.another();
    const answers = Promise.all(Array.from({ length: 50 }, () => inserted(store, {})));
    await store.close();
    expect(await answers).toHaveLength(50);
    expect(await rig.query("SELECT id FROM rpc_command")).toHaveLength(50);
  });

  it("answers an empty list with an empty list", async () => {
    const { store } = rig;
    const empty = [
      store.insert([]),
      store.claim([]),
      store.settle([]),
      store.extend([]),
      store.cancel([]),
      store.read([]),
    ];
    for (const answer of await Promise.all(empty)) expect(answer).toEqual([]);
    await store.publish([]);
  });
}
