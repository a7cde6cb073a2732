import { createRouter, type RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { commandTopic, resultTopic } from "../src/store/store.ts";
import { gate, turns, until } from "./agent-rig.ts";
import { Bot, botOf } from "./issuer-rig.ts";
import type { ClaimName } from "../src/service/command-words.ts";
import { AGENT, openServiceRig, refused, type ServiceRig, type Visitor } from "./service-rig.ts";
import { ADDRESS, inserted, rowOf } from "./store-rig.ts";

let rig: ServiceRig;
let bot: Visitor;
beforeEach(async () => {
  rig = await openServiceRig();
  bot = rig.visitor();
});
afterEach(() => rig.close());

const errorOf = async (id: number): Promise<Record<string, unknown>> =>
  JSON.parse((await rowOf(rig.store, id)).error ?? "{}") as Record<string, unknown>;

describe("the verbs of an agent", () => {
  it("subscribes, pops, answers, and unsubscribes (Q09, Q24)", async () => {
    expect(await bot.verbs.findAddress({ address: ADDRESS })).toMatchObject({ name: ADDRESS, paused: false });
    expect(await bot.verbs.findAddress({ address: "nobody:1" })).toBeNull();
    const { leaseMs, serverAt } = await bot.verbs.subscribe({ ...AGENT, methods: ["build"], concurrency: 2 });
    expect([leaseMs, serverAt]).toEqual([30_000, rig.clock.now()]);
    expect(await bot.verbs.pop(AGENT)).toEqual([]);
    const [id = 0] = await inserted(rig.store, {
      method: "build",
      args: '[1,{"$date":"2026-03-01T12:00:00.000Z"}]',
      kwargs: '{"big":{"$bigint":"42"}}',
      meta: '{"contract":"test.Bot"}',
    });
    const [command] = await bot.verbs.pop({ ...AGENT, max: 5 });
    expect(command).toMatchObject({
      id,
      method: "build",
      args: [1, new Date("2026-03-01T12:00:00Z")],
      kwargs: { big: 42n },
      meta: { contract: "test.Bot" },
      attempt: 1,
      maxAttempts: 1,
      notification: false,
    });
    const token = command?.token ?? "";
    expect(await bot.verbs.extend({ id, token, leaseMs: 60_000 })).toEqual({ leaseMs: 60_000 });
    expect((await rowOf(rig.store, id)).leaseUntilAt).toBe(rig.clock.now() + 60_000);
    expect(await bot.verbs.keepAlive(AGENT)).toBe(true);
    expect(await bot.verbs.pushResult({ id, token, result: { at: new Date(0), n: 7n } })).toEqual({ state: "done" });
    expect((await rowOf(rig.store, id)).result).toBe('{"at":{"$date":"1970-01-01T00:00:00.000Z"},"n":{"$bigint":"7"}}');
    expect(await bot.verbs.unsubscribe(AGENT)).toBe(true);
    expect(await refused(bot.verbs.keepAlive(AGENT))).toBe("ABORTED FENCED");
    expect(await refused(bot.verbs.pop(AGENT))).toBe("ABORTED FENCED");
  });

  it("tells refusals, exceptions, failures and cancellations apart (Q11, Q12)", async () => {
    await bot.verbs.subscribe(AGENT);
    const ids = await inserted(rig.store, {}, {}, {}, {}, { maxAttempts: 2 }, {});
    const claims = await bot.verbs.pop({ ...AGENT, max: 10 });
    const [refusal, thrown, text, missing, again, asked] = claims.map(({ id, token }) => ({
      id,
      token,
    })) as ClaimName[];
    if (!refusal || !thrown || !text || !missing || !again || !asked) throw new Error("there are not six");
    await bot.verbs.pushException({ ...refusal, error: { title: "Error!", text: "is not active", code: 7 } });
    await bot.verbs.pushException({ ...thrown, error: { message: "boom", type: "ValueError", details: { n: 1n } } });
    await bot.verbs.pushException({ ...text, error: "plain words" });
    await bot.verbs.pushFailure({ ...missing, message: "no such method" });
    expect(await bot.verbs.pushException({ ...again, error: { message: "later", retryDelayMs: 5000 } })).toEqual({
      state: "queued",
      delayMs: 5000,
    });
    await rig.store.cancel([{ id: asked.id, reason: "why not" }]);
    expect((await bot.verbs.extend(asked)).cancel).toBe("why not");
    expect(await bot.verbs.pushCancelled({ ...asked, message: "stopped" })).toEqual({ state: "cancelled" });
    expect(await errorOf(ids[0] ?? 0)).toMatchObject({
      code: "COMMAND_FAILURE",
      failure: { title: "Error!", text: "is not active", code: 7 },
    });
    expect(await errorOf(ids[1] ?? 0)).toMatchObject({ code: "INTERNAL", message: "boom", type: "ValueError" });
    expect(await errorOf(ids[2] ?? 0)).toMatchObject({ code: "INTERNAL", message: "plain words" });
    expect(await errorOf(ids[3] ?? 0)).toMatchObject({ code: "METHOD_NOT_FOUND", status: "UNIMPLEMENTED" });
    expect(await errorOf(ids[5] ?? 0)).toMatchObject({ code: "CANCELLED", message: "stopped" });
  });

  it("gives back what was not started, and writes events (Q53)", async () => {
    await bot.verbs.subscribe(AGENT);
    const [id = 0] = await inserted(rig.store, {});
    const [first] = await bot.verbs.pop(AGENT);
    expect(await bot.verbs.release({ id, token: first?.token ?? "" })).toMatchObject({ state: "queued" });
    const [second] = await bot.verbs.pop(AGENT);
    expect(second).toMatchObject({ id, attempt: 1 });
    const claim = { id, token: second?.token ?? "" };
    const events = [
      { kind: "log", data: "line" },
      { kind: "progress", data: 0.5 },
    ];
    expect(await bot.verbs.pushEvents({ ...claim, events, batch: 1 })).toEqual({ seq: 2 });
    // Sent again because its answer was lost.
    expect(await bot.verbs.pushEvents({ ...claim, events, batch: 1 })).toEqual({ seq: 2 });
    expect(await bot.verbs.pushEvents({ ...claim, events })).toEqual({ seq: 4 });
    expect((await bot.verbs.state({ id })).progress).toBe(0.5);
  });

  it("refuses what shows no token of the present claim (Q50)", async () => {
    await bot.verbs.subscribe(AGENT);
    const [id = 0] = await inserted(rig.store, { maxAttempts: 2 });
    const [stale] = await bot.verbs.pop({ ...AGENT, leaseMs: 1000 });
    rig.clock.advance(1000);
    await rig.store.reap();
    rig.clock.advance(5000);
    const [claim] = await bot.verbs.pop(AGENT);
    for (const token of [stale?.token ?? "", "guess", "'; --"]) {
      const late = { id, token };
      expect(await refused(bot.verbs.pushResult({ ...late, result: 1 }))).toBe("UNAVAILABLE LEASE_LOST");
      expect(await refused(bot.verbs.pushException({ ...late, error: "x" }))).toBe("UNAVAILABLE LEASE_LOST");
      expect(await refused(bot.verbs.extend(late))).toBe("UNAVAILABLE LEASE_LOST");
      expect(await refused(bot.verbs.pushEvents({ ...late, events: [] }))).toBe("UNAVAILABLE LEASE_LOST");
      expect(await refused(bot.verbs.release(late))).toBe("UNAVAILABLE LEASE_LOST");
    }
    expect(await bot.verbs.pushResult({ id, token: claim?.token ?? "" })).toEqual({ state: "done" });
    expect((await rowOf(rig.store, id)).result).toBe("null");
  });

  it("refuses what is no input, and says which part", async () => {
    await expect(bot.verbs.pop({ ...AGENT, max: 0 })).rejects.toThrow(/max: must be a whole number from 1 to 1000/);
    await expect(bot.verbs.send({ address: ADDRESS, method: "m", options: { expires: "soon" } })).rejects.toThrow(
      /expires/,
    );
    const typo = { priorty: 1 } as object;
    await expect(bot.verbs.send({ address: ADDRESS, method: "m", options: typo })).rejects.toThrow(
      /priorty: there is no such member/,
    );
    expect(await refused(bot.verbs.subscribe({ ...AGENT, address: "nobody:1" }))).toBe("NOT_FOUND NO_ADDRESS");
  });

  it("gathers the calls of one turn into one verb of the store", async () => {
    await bot.verbs.subscribe(AGENT);
    const many = Array.from({ length: 50 }, () => ({}));
    await inserted(rig.store, ...many);
    const claims = await bot.verbs.pop({ ...AGENT, max: 50 });
    let count = 0;
    const settle = rig.store.settle.bind(rig.store);
    rig.store.settle = (answers) => {
      count += 1;
      return settle(answers);
    };
    await Promise.all(claims.map(({ id, token }) => bot.verbs.pushResult({ id, token, result: id })));
    expect(claims).toHaveLength(50);
    expect(count).toBeLessThanOrEqual(2);
  });

  it("gives back what somebody popped who has hung up", async () => {
    await bot.verbs.subscribe(AGENT);
    const [id = 0] = await inserted(rig.store, {});
    const controller = new AbortController();
    const held = gate();
    const claim = rig.store.claim.bind(rig.store);
    rig.store.claim = async (requests) => {
      const answer = await claim(requests);
      await held.promise;
      return answer;
    };
    const popped = refused(bot.verbs.pop(AGENT, { signal: controller.signal }));
    await until(async () => (await rowOf(rig.store, id)).state === "claimed");
    controller.abort();
    expect(await popped).toBe("CANCELLED CANCELLED");
    await turns(5);
    held.open();
    await until(async () => (await rowOf(rig.store, id)).state === "queued");
    expect((await rowOf(rig.store, id)).attempts).toBe(0);
  });

  it("gives no more at once than one message holds, and the rest afterwards", async () => {
    await bot.verbs.subscribe(AGENT);
    const args = JSON.stringify(["x".repeat(400_000)]);
    const ids = await inserted(rig.store, { args }, { args }, { args });
    const got: number[] = [];
    while (got.length < ids.length) {
      const claims = await bot.verbs.pop({ ...AGENT, max: 10 });
      got.push(...claims.map(({ id }) => id));
      await turns(5);
    }
    expect(got).toEqual(ids);
  });
});

describe("what cannot be told to who pops values", () => {
  it("fails by itself, and takes no other with it", async () => {
    await bot.verbs.subscribe(AGENT);
    const deep = `${"[".repeat(60)}${"]".repeat(60)}`;
    const [first = 0, nested = 0, tagged = 0, last = 0] = await inserted(
      rig.store,
      {},
      { args: deep },
      { args: '[{"$nothing":1}]' },
      {},
    );
    const claims = await bot.verbs.pop({ ...AGENT, max: 10 });
    expect(claims.map(({ id }) => id)).toEqual([first, tagged, last]);
    // What is no value of ours is told as it stands there.
    expect(claims[1]?.args).toEqual([{ $nothing: 1 }]);
    await until(async () => (await rowOf(rig.store, nested)).state === "failed");
    expect(await errorOf(nested)).toMatchObject({
      code: "INVALID_ARGS",
      message: expect.stringContaining("deep") as string,
    });
  });

  it("fails as well when no message could hold it, also to a remote store", async () => {
    const store = rig.visitor().remote();
    await store.subscribe(AGENT);
    const args = JSON.stringify(['"'.repeat(1_500_000)]);
    const [large = 0, fine = 0] = await inserted(rig.store, { args }, {});
    const ids: number[] = [];
    await until(async () => {
      const [claimed] = await store.claim([{ ...AGENT, max: 5, leaseMs: 1000 }]);
      if (claimed !== undefined && "claims" in claimed) ids.push(...claimed.claims.map(({ id }) => id));
      return ids.length > 0;
    });
    expect(ids).toEqual([fine]);
    await until(async () => (await rowOf(rig.store, large)).state === "failed");
  });
});

describe("the verbs of an issuer", () => {
  it("give a result in one piece that stands in parts", async () => {
    const text = "é".repeat(700_000);
    const agent = await serveDbQueue(botOf({ echo: () => text }), {
      store: rig.store,
      address: ADDRESS,
      clock: rig.clock,
      maxResultBytes: 4_000_000,
    });
    const { id } = await bot.verbs.send({ address: ADDRESS, method: "echo" });
    const { state, result } = await bot.verbs.result({ id });
    expect([state, result === text]).toEqual(["done", true]);
    expect((await rowOf(rig.store, id)).result).toContain("$spill");
    await agent.close();
  });

  it("sends, sees, waits, cancels and lists (Q51, Q52)", async () => {
    const worker = await serveDbQueue(botOf(), { store: rig.store, address: ADDRESS, clock: rig.clock });
    const { id } = await bot.verbs.send({ address: ADDRESS, method: "echo", args: [[1, new Date(0)]] });
    expect(await bot.verbs.result({ id })).toEqual({ id, state: "done", result: [1, new Date(0)] });
    const failed = await bot.verbs.send({ address: ADDRESS, method: "nowhere" });
    expect((await bot.verbs.result({ id: failed.id })).error).toMatchObject({ code: "METHOD_NOT_FOUND" });
    await worker.close();
    const waiting = await bot.verbs.send({
      address: ADDRESS,
      method: "ping",
      options: { expires: "10s", priority: 3 },
    });
    expect(await bot.verbs.result({ id: waiting.id, timeoutMs: 0 })).toEqual({ id: waiting.id, state: "queued" });
    expect(await bot.verbs.cancel({ id: waiting.id, reason: "changed" })).toEqual({ state: "cancelled" });
    expect(await bot.verbs.state({ id: waiting.id })).toMatchObject({
      state: "cancelled",
      method: "ping",
      attempts: 0,
    });
    const rows = await bot.verbs.list({ address: ADDRESS, states: ["cancelled"] });
    expect(rows.map((row) => row.id)).toEqual([waiting.id]);
    expect(await refused(bot.verbs.state({ id: 999 }))).toBe("NOT_FOUND NO_COMMAND");
    expect(await refused(bot.verbs.result({ id: 999 }))).toBe("NOT_FOUND NO_COMMAND");
    expect(await refused(bot.verbs.send({ address: "nobody:1", method: "m" }))).toBe("NOT_FOUND NO_ADDRESS");
  });

  it("answers a wait for a result when the time is over, and says that it has not come", async () => {
    const { id } = await bot.verbs.send({ address: ADDRESS, method: "ping" });
    const result = bot.verbs.result({ id, timeoutMs: 5000 });
    await until(() => rig.service.waiting === 1);
    rig.clock.advance(5000);
    expect(await result).toEqual({ id, state: "queued" });
    expect(rig.service.waiting).toBe(0);
  });

  it("has the answer of an agent that wraps it in metadata", async () => {
    const [id = 0] = await inserted(rig.store, {});
    await bot.verbs.subscribe(AGENT);
    const [claim] = await rig.store.claim([{ ...AGENT, max: 1, leaseMs: 1000 }]);
    const token = claim !== undefined && "claims" in claim ? (claim.claims[0]?.token ?? "") : "";
    await rig.store.settle([
      { id, token, outcome: "done", result: '{"$reply":{"value":{"$bigint":"5"},"metadata":{"a":"b"}}}' },
    ]);
    expect((await bot.verbs.result({ id })).result).toBe(5n);
  });

  it("sends to all agents, and notifications whose rows go (Q55)", async () => {
    await rig.store.subscribe(AGENT);
    const all = await bot.verbs.send({ address: ADDRESS, method: "reload", options: { broadcast: true } });
    expect(all.state).toBe("waiting");
    const [copy] = await bot.verbs.pop(AGENT);
    await bot.verbs.pushResult({ id: copy?.id ?? 0, token: copy?.token ?? "", result: "fine" });
    expect((await bot.verbs.result({ id: all.id })).result).toMatchObject([
      { agent: "bot", state: "done", result: "fine" },
    ]);
    const note = await bot.verbs.send({ address: ADDRESS, method: "poke", options: { notification: true } });
    const [poke] = await bot.verbs.pop(AGENT);
    expect(poke).toMatchObject({ id: note.id, notification: true });
    await bot.verbs.pushResult({ id: note.id, token: poke?.token ?? "" });
    expect(await refused(bot.verbs.state({ id: note.id }))).toBe("NOT_FOUND NO_COMMAND");
  });
});

describe("agents and queues without a login", () => {
  it("serves and issues through one option, and closes the transport with the agent", async () => {
    const { transport } = rig.visitor();
    const agent = await serveDbQueue(botOf(), { service: transport, address: ADDRESS, clock: rig.clock });
    const queue = createDbQueue(rig.visitor().remote(), { clock: rig.clock });
    const calls = Array.from({ length: 20 }, () => queue.proxy(Bot, ADDRESS).ping());
    expect(await Promise.all(calls)).toEqual(calls.map(() => "pong"));
    expect((await queue.proxy(Bot, ADDRESS).build({ branch: "main", at: new Date(0) })).number).toBe(7n);
    await queue.close();
    await agent.close();
    expect(await rig.store.listAgents()).toEqual([]);
    expect(await refused(transport.ready())).toBe("FAILED_PRECONDITION CLOSED");
  });

  it("closes the transport also when the agent could not begin", async () => {
    const { transport } = rig.visitor();
    const options = { service: transport, address: "nobody:1", clock: rig.clock };
    expect(await refused(serveDbQueue(createRouter(Bot, implementation()), options))).toBe("NOT_FOUND NO_ADDRESS");
    expect(await refused(transport.ready())).toBe("FAILED_PRECONDITION CLOSED");
  });

  it("wakes an idle agent by push: nothing is asked for while nothing comes", async () => {
    const asked: string[] = [];
    const store = rig.visitor().remote();
    const counted = new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          asked.push(String(name));
          return Reflect.apply(member, target, values);
        };
      },
    });
    const agent = await serveDbQueue(botOf(), {
      store: counted,
      address: ADDRESS,
      clock: rig.clock,
      pollMs: 1_000_000,
      leaseMs: 1_000_000,
      reaper: false,
    });
    await turns(20);
    asked.length = 0;
    rig.clock.advance(300_000);
    await turns(20);
    // But for its signs of life.
    const work = (): string[] => asked.filter((verb) => verb !== "keepAlive");
    expect(work()).toEqual([]);
    const [id = 0] = await inserted(rig.store, { method: "ping" });
    await until(async () => (await rowOf(rig.store, id)).state === "done");
    expect(work().slice(0, 2)).toEqual(["claim", "settle"]);
    await agent.close();
  });

  it("listens again after a lost connection, and wakes all", async () => {
    const { transport, remote } = rig.visitor();
    const errors: RpcError[] = [];
    const store = remote({ onError: (error) => errors.push(error) });
    await store.subscribe(AGENT);
    const woken: string[] = [];
    const watch = store.watch({ wake: (topic) => woken.push(topic), wakeAll: () => woken.push("all") });
    await watch.ready;
    await inserted(rig.store, {});
    await until(() => woken.includes(commandTopic(ADDRESS)));
    woken.length = 0;
    for (const peer of transport.listener.peers) peer.disconnect();
    await until(() => errors.length > 0);
    await inserted(rig.store, {});
    await turns(10);
    expect(woken).toEqual([]);
    for (let step = 0; step < 20 && woken.length === 0; step += 1) {
      rig.clock.advance(500);
      await turns(10);
    }
    expect(woken).toContain("all");
    woken.length = 0;
    await inserted(rig.store, {});
    await until(() => woken.includes(commandTopic(ADDRESS)));
    watch.close();
  });

  it("says what it cannot do, and where it can be done", async () => {
    const store = rig.visitor().remote();
    expect(await refused(store.migrate())).toBe("UNIMPLEMENTED REMOTE");
    expect(await refused(store.prune({}))).toBe("UNIMPLEMENTED REMOTE");
    expect(() => store.inTransaction({})).toThrow(/do it where the service is/);
    await store.close();
    expect(await refused(store.read([]))).toBe("FAILED_PRECONDITION CLOSED");
    expect(await refused(store.watch({ wake: () => undefined, wakeAll: () => undefined }).ready)).toBe(
      "FAILED_PRECONDITION CLOSED",
    );
  });

  it("reads, and sends, more than one message holds", async () => {
    const store = rig.visitor().remote();
    const args = JSON.stringify(["x".repeat(300_000)]);
    const ids = (await inserted(store, ...Array.from({ length: 12 }, () => ({ args })))).slice();
    const rows = await store.read(ids);
    expect(rows.map((row) => row?.id)).toEqual(ids);
    expect(rows.every((row) => row?.args === args)).toBe(true);
    const large = JSON.stringify(["x".repeat(3_000_000)]);
    const [refusal, fine] = await store.insert([
      { address: ADDRESS, method: "m", args: large },
      { address: ADDRESS, method: "m", args: "[1]" },
    ]);
    expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(fine).toMatchObject({ state: "queued" });
    expect(await store.outcomes([...ids, 99_999])).toHaveLength(13);
  });

  it("refuses texts that are no JSON, and harms no other of the list", async () => {
    const store = rig.visitor().remote();
    const results = await store.insert([
      { address: ADDRESS, method: "m", args: "{}" },
      { address: ADDRESS, method: "m", kwargs: "[" },
      { address: ADDRESS, method: "m", meta: "1" },
      { address: ADDRESS, method: "m" },
    ]);
    expect(results.map((result) => ("code" in result ? result.code : result.state))).toEqual([
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "queued",
    ]);
  });

  it("lets an agent put no entry of another's into the list of a broadcast, and takes no word of a wrong type", async () => {
    await rig.store.subscribe(AGENT);
    const [all] = await rig.store.insert([{ address: ADDRESS, method: "m", broadcast: true }]);
    if (all === undefined || all instanceof Error) throw new Error("no broadcast");
    const store = rig.visitor().remote();
    const [answer] = await store.claim([{ ...AGENT, max: 1, leaseMs: 30_000 }]);
    const claim = answer === undefined || answer instanceof Error ? undefined : answer.claims[0];
    if (claim === undefined) throw new Error("no copy");
    const { id, token } = claim;
    const forged = '1},{"agent":"other","id":1,"state":"done","result":2';
    const codes = (results: readonly object[]): unknown[] => results.map((each) => ("code" in each ? each.code : each));
    expect(
      codes([
        ...(await store.settle([
          { id, token, outcome: "done", result: forged },
          { id, token, outcome: "failed", error: forged },
          { id, token, outcome: "failed", error: "[]" },
        ])),
        ...(await store.appendEvents([{ id, token, events: [{ kind: "progress", data: forged }] }])),
      ]),
    ).toEqual(Array.from({ length: 4 }, () => "INVALID_ARGUMENT"));
    const wrong: readonly object[] = [
      { id: "1" },
      { id: -1 },
      { id: 1.5 },
      { token: 7 },
      { outcome: "won" },
      { result: {} },
    ];
    for (const words of wrong) {
      const item = Object.assign({ id, token, outcome: "done" as const, result: "1" }, words);
      expect(await refused(store.settle([item]))).toMatch(/INVALID_ARGUMENT/);
    }
    expect(await store.settle([{ id, token, outcome: "done", result: "1" }])).toMatchObject([{ state: "done" }]);
    expect(JSON.parse((await rowOf(rig.store, all.id)).result ?? "")).toEqual([
      { agent: "bot", id, state: "done", result: 1 },
    ]);
  });
});

describe("the service", () => {
  it("ends waits and streams when it is closed, and refuses new ones", async () => {
    const wait = bot.verbs.wait({ topic: resultTopic(1) });
    const store = rig.visitor().remote({ topics: ["mine"] });
    const watch = store.watch({ wake: () => undefined, wakeAll: () => undefined });
    await watch.ready;
    await until(() => rig.service.waiting === 2);
    await rig.service.close();
    expect((await wait).fired).toBe(true);
    await until(() => rig.service.waiting === 0);
    expect(await refused(bot.verbs.wait({ topic: "x" }))).toBe("UNAVAILABLE CLOSED");
    watch.close();
  });
});

function implementation(): Parameters<typeof createRouter<typeof Bot>>[1] {
  return {
    ping: () => "pong",
    build: () => ({ number: 7n }),
    echo: (input) => input,
    poke: () => undefined,
    later: { handle: (input) => input },
  };
}
