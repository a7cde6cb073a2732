import {
  createClient,
  createMemoryTransport,
  createRouter,
  defineContract,
  dynamicRouter,
  failover,
  type HandlerContext,
  pair,
  RpcError,
  unary,
} from "@rpc/core";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { CommandFailure } from "../src/command/command-failure.ts";
import { createDbQueue, createDbQueueTransport } from "../src/issuer/create-db-queue.ts";
import type { DbQueueOptions } from "../src/issuer/db-queue.ts";
import { gate, turns, until } from "./agent-rig.ts";
import { Bot, BOT, botOf, type IssuerRig, News, openIssuerRig } from "./issuer-rig.ts";

const rigs: IssuerRig[] = [];

async function open(options: DbQueueOptions = {}): Promise<IssuerRig> {
  const rig = await openIssuerRig(options);
  rigs.push(rig);
  return rig;
}

function noTimersLeft({ clock }: IssuerRig): void {
  if (clock.pendingCount > 0) throw new Error(`${clock.pendingCount} timers are left`);
}

afterEach(async () => {
  for (const rig of rigs.splice(0)) {
    await rig.close();
    noTimersLeft(rig);
  }
});

describe("a typed proxy", () => {
  it("Q04 Q05 calls an agent that is there, or comes later, and gives the typed result", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(Bot, BOT);
    const early = bot.ping();
    await turns(5);
    await rig.serve(botOf());
    expect(await early).toBe("pong");
    expect(await bot.build({ branch: "main", at: new Date(5) })).toEqual({ number: 7n });
    for (const value of [undefined, null, [1, "ü"], { a: { b: new Date(1) } }, 2n ** 70n, Uint8Array.of(1, 2)])
      expect(await bot.echo(value)).toEqual(value);
  });

  it("Q01 writes rows that SQL can read", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(Bot, BOT, { expires: "1h", priority: 3, orderingKey: "k" });
    const call = bot.build({ branch: "main" }, { metadata: { "x-key": "v" } });
    await turns(5);
    const [row] = await rig.queue.list({ address: BOT });
    expect(row).toMatchObject({
      method: "build",
      args: "[]",
      kwargs: '{"branch":"main"}',
      state: "queued",
      priority: 3,
      orderingKey: "k",
      createdBy: "issuer",
    });
    expect(JSON.parse(row?.meta ?? "")).toEqual({ contract: "test.Bot", metadata: { "x-key": "v" }, observed: false });
    expect((row?.expiresAt ?? 0) - (row?.createdAt ?? 0)).toBe(3_600_000);
    await rig.queue.cancel(row?.id ?? 0);
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("Q11 Q12 rejects with what the handler threw: declared, refused, or any", async () => {
    const rig = await open();
    await rig.serve(
      botOf({
        build: ({ branch }) => {
          if (branch === "declared") throw Bot.build.error("Broken", { step: "make" });
          if (branch === "refused") throw new CommandFailure("No", "not today", { code: 5 });
          throw new TypeError("oh");
        },
      }),
    );
    const bot = rig.queue.proxy(Bot, BOT);
    const declared = await bot.build({ branch: "declared" }).catch((error: unknown) => error);
    expect(Bot.build.isError(declared, "Broken") && declared.details.step).toBe("make");
    const refused = await bot.build({ branch: "refused" }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommandFailure);
    expect(refused).toMatchObject({ title: "No", text: "not today", failureCode: 5 });
    await expect(bot.build({ branch: "other" })).rejects.toMatchObject({ code: "UNKNOWN", message: "oh" });
  });

  it("Q08 rejects EXPIRED at its expiry when nobody has come, and never runs afterwards", async () => {
    const rig = await open();
    const call = rig.queue.proxy(Bot, BOT, { expires: "now +10sec" }).ping();
    let ended: unknown;
    call.catch((error: unknown) => (ended = error));
    await turns(10);
    await rig.advance(9_900, 300);
    expect(ended).toBeUndefined();
    await rig.advance(200, 100);
    await until(() => ended !== undefined, "EXPIRED");
    expect(ended).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "EXPIRED", delivered: "no" });
    expect((ended as RpcError).message).toContain("test.Bot.ping");
    let runs = 0;
    await rig.serve(
      botOf({
        ping: () => {
          runs += 1;
          return "pong";
        },
      }),
    );
    await rig.advance(20_000);
    expect(runs).toBe(0);
  });

  it("Q08 ends a call at its caller's deadline, and the row with it", async () => {
    const rig = await open();
    const call = rig.queue.proxy(Bot, BOT).ping(undefined, { timeoutMs: 500 });
    let ended: unknown;
    call.catch((error: unknown) => (ended = error));
    await turns(10);
    await rig.advance(500, 100);
    expect(ended).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE" });
    await rig.serve(botOf());
    await rig.advance(20_000);
    expect((await rig.queue.list())[0]?.state).toBe("expired");
  });

  it("lets a command of a longer life go on when its caller's deadline has passed", async () => {
    const rig = await open();
    const call = rig.queue.proxy(Bot, BOT, { expires: "1h" }).ping(undefined, { timeoutMs: 500 });
    call.catch(() => undefined);
    await turns(10);
    await rig.advance(500, 100);
    await expect(call).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await rig.serve(botOf());
    await until(async () => (await rig.queue.list())[0]?.state === "done", "the command's own end");
  });

  it("Q52 tells the caller of its cancel at once, and the handler by its signal", async () => {
    const rig = await open();
    const aborted = gate<unknown>();
    const entered = gate();
    await rig.serve(
      botOf({
        echo: (_input, context) => {
          context.signal.addEventListener("abort", () => aborted.open(context.signal.reason));
          entered.open();
          return aborted.promise.then((reason) => {
            throw reason;
          });
        },
      }),
    );
    const handle = rig.queue.proxy(Bot, BOT).echo.start(1);
    await entered.promise;
    await handle.cancel("changed my mind");
    await expect(handle).rejects.toMatchObject({ code: "CANCELLED" });
    expect(String(await aborted.promise)).toContain("changed my mind");
    const id = Number(handle.responseMetadata.get("rpc-command-id"));
    expect((await rig.ended(id)).state).toBe("cancelled");
  });

  it("never inserts what was cancelled in the same turn", async () => {
    const rig = await open();
    const controller = new AbortController();
    const call = rig.queue.proxy(Bot, BOT).ping(undefined, { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    await turns(5);
    expect(await rig.queue.list()).toEqual([]);
    expect(rig.asked.get("insert") ?? 0).toBe(0);
  });

  it("cancels the command whose caller gave up while the insert was under way", async () => {
    const rig = await open();
    const controller = new AbortController();
    const call = rig.queue.proxy(Bot, BOT).ping(undefined, { signal: controller.signal });
    call.catch(() => undefined);
    await until(() => (rig.asked.get("insert") ?? 0) === 1, "the insert");
    controller.abort(new Error("enough"));
    await expect(call).rejects.toMatchObject({ code: "CANCELLED" });
    await until(async () => (await rig.queue.list())[0]?.state === "cancelled", "the row's end");
  });

  it("Q50 says LEASE_LOST of a command whose agent has died, and that nobody knows how far it came", async () => {
    const rig = await open();
    await rig.store.subscribe({ address: BOT, agent: "dying", incarnation: "dying-1" });
    const call = rig.queue.proxy(Bot, BOT).ping();
    call.catch(() => undefined);
    await turns(5);
    await rig.store.claim([{ address: BOT, agent: "dying", incarnation: "dying-1", max: 1, leaseMs: 1000 }]);
    await rig.advance(15_000);
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "LEASE_LOST", delivered: "unknown" });
  });

  it("fails fast when no live agent is known, and when the address is paused", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(Bot, BOT, { failFast: true });
    await expect(bot.ping()).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "NO_AGENT", delivered: "no" });
    await rig.serve(botOf());
    expect(await bot.ping()).toBe("pong");
    await rig.queue.pause(BOT);
    await expect(bot.ping()).rejects.toMatchObject({ reason: "PAUSED" });
    await rig.queue.resume(BOT);
    expect(await bot.ping()).toBe("pong");
  });

  it("Q56 gives one command for one idempotency key, and refuses other arguments", async () => {
    const rig = await open();
    let runs = 0;
    await rig.serve(botOf({ echo: (input) => [input, ++runs] }));
    const bot = rig.queue.proxy(Bot, BOT);
    expect(await Promise.all([1, 1].map((n) => bot.echo(n, { idempotencyKey: "a" })))).toEqual([
      [1, 1],
      [1, 1],
    ]);
    await expect(bot.echo(2, { idempotencyKey: "a" })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "CONFLICT",
    });
  });

  it("refuses what cannot be, before anything is written", async () => {
    const rig = await open({ maxArgumentBytes: 100 });
    const bot = rig.queue.proxy(Bot, BOT);
    await expect(bot.echo("x".repeat(101))).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED", delivered: "no" });
    await expect(bot.echo(() => 1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", delivered: "no" });
    await expect(rig.queue.proxy(Bot, BOT, { expires: "soon" }).ping()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const never = rig.queue.proxy(Bot, BOT, { expires: "1s", delay: "2s" });
    await expect(never.ping()).rejects.toThrow(/would expire \(1000 ms\) before its delay \(2000 ms\)/);
    await expect(rig.queue.proxy(Bot, "nowhere").ping()).rejects.toMatchObject({
      code: "NOT_FOUND",
      reason: "NO_ADDRESS",
    });
    expect(() => rig.queue.proxy(News, BOT)).toThrow(/publish them over TCP/);
    expect(await rig.queue.list()).toEqual([]);
  });
});

describe("by name", () => {
  it("Q04 Q05 sends any method, with arguments by position and by name", async () => {
    const rig = await open();
    await rig.serve(botOf());
    const bot = rig.queue.proxy(BOT);
    expect(await bot["ping"]?.()).toBe("pong");
    expect(await bot["echo"]?.({ a: 1 })).toEqual({ a: 1 });
    expect(await rig.queue.send(BOT, "build", ["main"])).toEqual({ number: 7n });
    expect(await rig.queue.send(BOT, "build", [], { branch: "main" })).toEqual({ number: 7n });
    await expect(bot["missing"]?.()).rejects.toMatchObject({ code: "UNIMPLEMENTED", reason: "METHOD_NOT_FOUND" });
    await expect(rig.queue.send(BOT, "build", [5])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("can be awaited and printed without sending anything", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(BOT);
    expect(await Promise.resolve(bot)).toBe(bot);
    expect(Reflect.apply(String, undefined, [bot])).toBe(`proxy of ${BOT}`);
    expect(JSON.stringify({ bot })).toBe('{"bot":{}}');
    await turns(5);
    expect(await rig.queue.list()).toEqual([]);
  });

  it("notifies: settles when it is in the table, and leaves no row", async () => {
    const rig = await open();
    const poked = gate<unknown>();
    await rig.serve(botOf({ poke: (input) => poked.open(input) }));
    expect(await rig.queue.notify(BOT, "poke", ["now"])).toBeGreaterThan(0);
    expect(await poked.promise).toBe("now");
    expect(await rig.queue.proxy(Bot, BOT).poke("typed")).toBeUndefined();
    await until(async () => (await rig.queue.list()).length === 0, "no rows");
  });
});

describe("all agents of an address", () => {
  it("Q55 gets what it has come to at each of them", async () => {
    const rig = await open();
    await rig.serve(botOf({ ping: () => "one" }), { name: "a" });
    await rig.serve(
      botOf({
        ping: () => {
          throw new CommandFailure("No", "");
        },
      }),
      { name: "b" },
    );
    const all = await rig.queue.issueToAll(BOT, Bot.ping, undefined);
    expect(all).toMatchObject([
      { agent: "a", state: "done", result: "one" },
      { agent: "b", state: "failed", error: { title: "No" } },
    ]);
    expect(await rig.queue.broadcast(BOT, "echo", ["x"])).toMatchObject([{ result: "x" }, { result: "x" }]);
  });

  it("Q55 is nobody when none is subscribed, and NO_AGENT where that is asked for", async () => {
    const rig = await open();
    expect(await rig.queue.broadcast(BOT, "ping")).toEqual([]);
    await expect(rig.queue.broadcast(BOT, "ping", [], {}, { failFast: true })).rejects.toMatchObject({
      reason: "NO_AGENT",
    });
  });

  it("Q55 does not wait for ever for one that is lost", async () => {
    const rig = await open();
    await rig.store.subscribe({ address: BOT, agent: "lost", incarnation: "lost-1" });
    await rig.serve(botOf(), { name: "there" });
    const all = rig.queue.broadcast(BOT, "ping");
    let ended: unknown;
    void all.then((outcomes) => (ended = outcomes));
    await rig.advance(120_000);
    await until(() => ended !== undefined, "the broadcast's end");
    expect(ended).toMatchObject([
      { agent: "lost", state: "failed", error: { reason: "NO_AGENT" } },
      { agent: "there", state: "done", result: "pong" },
    ]);
  });
});

describe("waiting", () => {
  it("inserts the calls of one turn together, reads their outcomes together, and sets no timer for each", async () => {
    const rig = await open();
    await rig.serve(botOf(), { concurrency: 100 });
    const bot = rig.queue.proxy(Bot, BOT);
    await bot.ping();
    const timers = rig.clock.pendingCount;
    rig.asked.clear();
    const calls = Array.from({ length: 100 }, (_, n) => bot.echo(n));
    await turns(1);
    expect(rig.clock.pendingCount).toBeLessThanOrEqual(timers + 2);
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(rig.asked.get("insert")).toBe(1);
    expect(rig.asked.get("outcomes") ?? 0).toBe(0);
    expect(rig.asked.get("watch") ?? 0).toBe(0);
  });

  it("costs two commits for a call and its result where both ends are in one process", async () => {
    const rig = await open();
    await rig.serve(botOf(), { concurrency: 10 });
    const bot = rig.queue.proxy(Bot, BOT);
    await bot.ping();
    await turns(5);
    const exec = vi.spyOn(DatabaseSync.prototype, "exec");
    onTestFinished(() => exec.mockRestore());
    await Promise.all([bot.ping(), bot.ping(), rig.queue.send(BOT, "ping")]);
    expect(exec.mock.calls.flat()).toEqual(["BEGIN IMMEDIATE", "COMMIT", "BEGIN IMMEDIATE", "COMMIT"]);
  });

  it("listens, polls and tidies up no longer than somebody waits, but for a moment", async () => {
    const rig = await open();
    for (let round = 0; round < 2; round += 1) {
      const handle = rig.queue.send(BOT, "ping");
      const outcome = handle.catch(() => "over");
      await handle.accepted;
      await rig.advance(20_000);
      expect(rig.clock.pendingCount).toBeGreaterThan(0);
      await handle.cancel();
      expect(await outcome).toBe("over");
      expect(rig.clock.pendingCount).toBeGreaterThan(0);
      await rig.advance(3000);
      expect(rig.clock.pendingCount).toBe(0);
    }
  });

  it("finds by its poll what nobody was woken for", async () => {
    const rig = await open({ pollMs: 1000 });
    const call = rig.queue.proxy(Bot, BOT).ping();
    await turns(10);
    // Whoever does not know the rules, in another program: no wake-up comes of it here.
    const store = rig.another();
    await store.subscribe({ address: BOT, agent: "x", incarnation: "x-1" });
    const [claimed] = await store.claim([{ address: BOT, agent: "x", incarnation: "x-1", max: 1, leaseMs: 60_000 }]);
    if (claimed === undefined || claimed instanceof RpcError) throw new Error("not claimed");
    const [claim] = claimed.claims;
    await store.settle([{ id: claim?.id ?? 0, token: claim?.token ?? "", outcome: "done", result: '"found"' }]);
    await rig.advance(1500, 100);
    expect(await call).toBe("found");
  });

  it("hears of an end that came before the answer of the insert", async () => {
    const rig = await open();
    await rig.store.subscribe({ address: BOT, agent: "quick", incarnation: "quick-1" });
    const insert = rig.store.insert.bind(rig.store);
    Object.assign(rig.store, {
      insert: async (commands: Parameters<typeof insert>[0]) => {
        const rows = await insert(commands);
        const [claimed] = await rig.store.claim([
          { address: BOT, agent: "quick", incarnation: "quick-1", max: 9, leaseMs: 1000 },
        ]);
        if (claimed === undefined || claimed instanceof RpcError) throw new Error("not claimed");
        for (const { id, token } of claimed.claims)
          await rig.store.settle([{ id, token, outcome: "done", result: '"quick"' }]);
        await turns(3);
        return rows;
      },
    });
    const bot = rig.queue.proxy(Bot, BOT);
    // The first one opens the watch, which is looked at when it is ready.
    expect(await bot.ping()).toBe("quick");
    expect(await bot.ping()).toBe("quick");
  });

  it("goes on when the database comes back", async () => {
    const rig = await open({ pollMs: 1000 });
    let isAway = true;
    const outcomes = rig.store.outcomes.bind(rig.store);
    Object.assign(rig.store, {
      outcomes: (ids: readonly number[]) =>
        isAway ? Promise.reject(new RpcError("UNAVAILABLE", "the database is away")) : outcomes(ids),
    });
    // Of another process, which hands no outcome over: it has to be read.
    await rig.serve(botOf(), { store: rig.another() });
    const call = rig.queue.proxy(Bot, BOT).ping();
    await rig.advance(100, 10);
    await until(() => rig.heard.length > 0, "the error");
    expect(rig.heard[0]?.message).toBe("the database is away");
    await rig.advance(3_000, 100);
    isAway = false;
    await rig.advance(10_000, 100);
    expect(await call).toBe("pong");
  });

  it("passes on the refusal of an insert that failed, and takes the next call", async () => {
    const rig = await open();
    const insert = rig.store.insert.bind(rig.store);
    let isAway = true;
    Object.assign(rig.store, {
      insert: (commands: Parameters<typeof insert>[0]) =>
        isAway ? Promise.reject(new RpcError("UNAVAILABLE", "disk full", { delivered: "no" })) : insert(commands),
    });
    await rig.serve(botOf());
    const bot = rig.queue.proxy(Bot, BOT);
    await expect(bot.ping()).rejects.toMatchObject({ code: "UNAVAILABLE", message: "disk full", delivered: "no" });
    isAway = false;
    expect(await bot.ping()).toBe("pong");
  });
});

describe("as a transport", () => {
  it("takes over where another one fails", async () => {
    const rig = await open();
    await rig.serve(botOf());
    const queued = createDbQueueTransport(rig.queue, BOT);
    await rig.queue.ensureAddress("empty:1");
    const down = createDbQueueTransport(rig.queue, "empty:1", { failFast: true });
    const both = failover(down, queued, { clock: rig.clock });
    expect(await createClient(Bot, both, { clock: rig.clock }).ping()).toBe("pong");
    await both.close();
  });

  it("is one half of a pair, of which an agent is the other", async () => {
    const rig = await open();
    await rig.queue.ensureAddress("back:1");
    await rig.serve(botOf());
    const back = await rig.serve(botOf({ ping: () => "called back" }), { address: "back:1", name: "back" });
    const both = pair({ out: createDbQueueTransport(rig.queue, BOT), in: back });
    expect(both.capabilities.duplex).toBe("native");
    expect(await createClient(Bot, both, { clock: rig.clock }).ping()).toBe("pong");
    expect(await rig.queue.proxy(Bot, "back:1").ping()).toBe("called back");
    await both.close();
    expect(await back.closed).toBeUndefined();
  });

  it("Q13 forwards code, reason and details of a call that the handler made, and tries again where that may help", async () => {
    const rig = await open();
    const inner = { code: "NOT_FOUND", reason: "NO_BRANCH", retryable: false };
    const Shop = defineContract("test.Shop", { find: unary() });
    const shop = createRouter(Shop, {
      find: () => {
        throw new RpcError(inner.code as "NOT_FOUND", "no such branch", { ...inner, details: { branch: "x" } });
      },
    });
    const client = createClient(Shop, createMemoryTransport(shop));
    let tries = 0;
    await rig.serve(
      botOf({
        ping: async (_input: unknown, context: HandlerContext) => {
          tries += 1;
          await client.find(undefined, context);
          return "found";
        },
      }),
    );
    const final = rig.queue.issue(BOT, Bot.ping, undefined, { maxAttempts: 3 });
    await expect(final).rejects.toMatchObject({ code: "NOT_FOUND", reason: "NO_BRANCH", details: { branch: "x" } });
    expect(JSON.parse((await final.row()).error ?? "")).toMatchObject({ code: "NESTED_RPC", status: "NOT_FOUND" });
    expect(tries).toBe(1);

    inner.retryable = true;
    const again = rig.queue.issue(BOT, Bot.ping, undefined, { maxAttempts: 3 });
    const outcome = again.catch((error: unknown) => error);
    await rig.advance(20_000, 500);
    expect(await outcome).toMatchObject({ code: "NOT_FOUND", reason: "NO_BRANCH", retryable: true });
    expect(tries).toBe(4);
  });

  it("Q04 calls any name that is a value, and one that every object has, by $call", async () => {
    const rig = await open();
    const named = dynamicRouter();
    named.register((...args: readonly unknown[]) => args, { name: "anything" });
    await rig.serve(named);
    const bot = rig.queue.proxy(BOT, { priority: 3 });
    const handle = bot.$call("anything", 1, "two");
    expect(await handle).toEqual([1, "two"]);
    expect(await handle.row()).toMatchObject({ method: "anything", priority: 3 });
    const refused = bot.$call("constructor", 1);
    await expect(refused).rejects.toMatchObject({ reason: "METHOD_NOT_FOUND" });
    expect((await refused.row()).method).toBe("constructor");
  });

  it("Q06 issues a contract's notification by its type, and gives its id", async () => {
    const rig = await open();
    const id: number = await rig.queue.issue(BOT, Bot.poke, undefined, { priority: 1 });
    expect(await rig.row(id)).toMatchObject({ method: "poke", notification: true, priority: 1 });
    const poked = gate();
    await rig.serve(botOf({ poke: () => poked.open() }));
    await poked.promise;
    await rig.until(async () => (await rig.store.read([id]))[0] === undefined);
    await expect(rig.queue.issue("nowhere", Bot.poke, undefined)).rejects.toMatchObject({ reason: "NO_ADDRESS" });
  });

  it("Q54 lets jobs run at least once and all others at most once, wherever they are issued", async () => {
    const rig = await open();
    const { queue } = rig;
    const proxied = queue.proxy(Bot, BOT, { maxAttempts: 2 });
    const ids = [
      await queue.issue(BOT, Bot.later, "tea").accepted,
      Number((await queue.proxy(Bot, BOT).later.submit("tea")).id),
      Number((await proxied.later.submit("tea")).id),
      Number((await proxied.later.submit("tea", { maxAttempts: 3 })).id),
      await queue.issue(BOT, Bot.ping, undefined).accepted,
      await queue.issue(BOT, Bot.ping, undefined, { maxAttempts: 4 }).accepted,
      await queue.send(BOT, "later", ["tea"]).accepted,
    ];
    const rows = await rig.store.read(ids);
    expect(rows.map((row) => row?.maxAttempts)).toEqual([5, 5, 2, 3, 1, 4, 1]);
  });

  it("Q53 keeps what handlers of plain awaited calls say where the queue, or the agent, is told to", async () => {
    const rig = await open({ keepEvents: "all" });
    const said = async (address: string): Promise<readonly string[]> => {
      const [row] = await rig.queue.list({ address });
      return (await rig.store.readEvents(row?.id ?? 0)).map(({ data }) => data);
    };
    const talking = botOf({
      ping: (_input: unknown, context: HandlerContext) => {
        context.log("hello");
        return "pong";
      },
    });
    await rig.serve(talking);
    await rig.queue.proxy(Bot, BOT).ping();
    expect(await said(BOT)).toEqual(['{"level":"info","message":"hello"}']);

    const cheap = createDbQueue(rig.store, { clock: rig.clock, reaper: false });
    for (const keepEvents of ["observed", "all"] as const) {
      const address = `bot:${keepEvents}`;
      await rig.queue.ensureAddress(address);
      await rig.serve(talking, { address, keepEvents });
      await cheap.proxy(Bot, address).ping();
      expect(await said(address)).toHaveLength(keepEvents === "all" ? 1 : 0);
    }
    await cheap.close();
    // From JavaScript, or out of a file of settings.
    expect(() => createDbQueue(rig.store, { keepEvents: "some" as "all" })).toThrow(/keepEvents must be/);
  });

  it("Q54 submits jobs as commands with attempts", async () => {
    const rig = await open();
    let tries = 0;
    await rig.serve(
      botOf({
        later: {
          handle: (input) => {
            tries += 1;
            if (tries < 3) throw new Error("not yet");
            return `${input} at ${tries}`;
          },
        },
      }),
    );
    const client = rig.queue.proxy(Bot, BOT);
    const ticket = await client.later.submit("tea", { delayMs: 50, priority: 2 });
    expect(await rig.row(Number(ticket.id))).toMatchObject({ maxAttempts: 5, priority: 2, method: "later" });
    const result = ticket.result();
    await rig.advance(20_000, 500);
    expect(await result).toBe("tea at 3");
    await expect(client.later.consume({ handle: () => "" }).ready).rejects.toThrow(/serveDbQueue/);
  });

  it("closes: refuses what comes, ends what waits, and cancels its calls but not the jobs", async () => {
    const rig = await open();
    const transport = createDbQueueTransport(rig.queue, BOT);
    const client = createClient(Bot, transport, { clock: rig.clock });
    const call = client.ping();
    const ticket = await client.later.submit("tea");
    await transport.close();
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "CLOSED" });
    await expect(client.ping()).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    await turns(5);
    expect((await rig.queue.list()).map(({ method, state }) => [method, state])).toEqual([
      ["later", "queued"],
      ["ping", "cancelled"],
    ]);
    expect(ticket.id).not.toBe("");
  });
});

describe("operations", () => {
  it("Q54 Q29 sends a dead command once more, linked to the first", async () => {
    const rig = await open();
    let isBroken = true;
    await rig.serve(
      botOf({
        echo: (input) => {
          if (isBroken) throw new CommandFailure("No", "");
          return input;
        },
      }),
    );
    const handle = rig.queue.send(BOT, "echo", [{ a: new Date(1) }], {}, { idempotencyKey: "k", expires: "1h" });
    await expect(handle).rejects.toBeInstanceOf(CommandFailure);
    isBroken = false;
    const again = await rig.queue.retry(handle.id);
    expect(await rig.queue.handle(again)).toEqual({ a: new Date(1) });
    expect(JSON.parse((await rig.row(again)).meta)).toMatchObject({ retryOf: Number(handle.id) });
    await expect(rig.queue.retry(again)).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "NOT_DEAD" });
    expect(await rig.queue.retry(handle.id)).toBe(again);
    await expect(rig.queue.retry(999)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(rig.queue.retry("x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("reads no events of started calls before there is something to read, and all that there are", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(Bot, BOT);
    // From now on it listens.
    const first = bot.ping();
    await turns(10);
    const calls = Array.from({ length: 50 }, () => bot.build.start({ branch: "main" }));
    const heard = calls.map(async (call) => {
      const all: unknown[] = [];
      for await (const progress of call.progress) all.push(progress);
      return all;
    });
    await until(() => rig.queue.list({ address: BOT, limit: 100 }).then((rows) => rows.length === 51), "the commands");
    await turns(10);
    expect(rig.asked.get("readEvents") ?? 0).toBe(0);
    await rig.serve(
      botOf({
        build: (_input, context) => {
          context.progress(1);
          context.progress(2);
          return { number: 7n };
        },
      }),
      { concurrency: 50 },
    );
    await Promise.all([first, ...calls]);
    expect(await Promise.all(heard)).toEqual(calls.map(() => [1, 2]));
    expect(rig.asked.get("readEvents")).toBeLessThanOrEqual(150);
  });

  it("sends a dead command once more but once, tries the last of its tries again, and refuses a broadcast", async () => {
    const rig = await open();
    const id = await rig.insert("echo", { args: "[1]", maxAttempts: 2, orderingKey: "k" });
    await rig.queue.cancel(id);
    const [again, same] = await Promise.all([rig.queue.retry(id), rig.queue.retry(id)]);
    expect([again > id, same]).toEqual([true, again]);
    await rig.queue.cancel(again);
    const third = await rig.queue.retry(id);
    expect(third).toBeGreaterThan(again);
    expect(await rig.queue.retry(again)).toBe(third);
    expect(await rig.queue.list({ address: BOT, states: ["queued"] })).toMatchObject([
      { id: third, args: "[1]", maxAttempts: 2, orderingKey: "k" },
    ]);
    await rig.store.subscribe({ address: BOT, agent: "a", incarnation: "a-1" });
    const [all] = await rig.store.insert([{ address: BOT, method: "reload", broadcast: true }]);
    if (all === undefined || all instanceof Error) throw new Error("no broadcast");
    await rig.queue.cancel(all.id);
    await expect(rig.queue.retry(all.id)).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "BROADCAST" });
    const [copy] = await rig.queue.list({ parentId: all.id });
    const copyAgain = await rig.queue.retry(copy?.id ?? 0);
    expect(await rig.row(copyAgain)).toMatchObject({ targetAgent: "a", parentId: undefined });
  });

  it("Q60 counts, and reads what the table has", async () => {
    const rig = await open();
    const sent: unknown[] = [];
    const settled: unknown[] = [];
    rig.queue.on("sent", ({ method }) => sent.push(method));
    rig.queue.on("settled", ({ state }) => settled.push(state));
    rig.queue.on("settled", () => {
      throw new Error("a listener's fault is its own");
    });
    await rig.serve(botOf());
    await rig.queue.proxy(Bot, BOT).ping();
    await rig.queue.send(BOT, "missing").catch(() => undefined);
    await expect(rig.queue.proxy(Bot, "nowhere").ping()).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    expect([sent, settled]).toEqual([
      ["ping", "missing"],
      ["done", "failed"],
    ]);
    rig.queue.read();
    await turns(10);
    const read = new Map(
      rig.queue.read().map(({ name, value, labels = {} }) => [[name, ...Object.values(labels)].join(" "), value]),
    );
    expect(read.get("rpc_queue_sent_total")).toBe(2);
    expect(read.get("rpc_queue_refused_total")).toBe(1);
    expect(read.get("rpc_queue_outcomes_total done")).toBe(1);
    expect(read.get(`rpc_queue_depth ${BOT} ready`)).toBe(0);
    expect(read.get(`rpc_queue_agents ${BOT}`)).toBe(1);
    expect(await rig.queue.stats({ address: BOT })).toMatchObject([
      { agentCount: 1, finished: { done: 1, failed: 1 } },
    ]);
    expect(await rig.queue.agents(BOT)).toMatchObject([{ agent: "bot" }]);
  });

  it("waits in close for what was sent, and leaves the commands as they are", async () => {
    const rig = await open();
    const bot = rig.queue.proxy(Bot, BOT);
    const call = bot.ping();
    const handle = rig.queue.send(BOT, "ping");
    const result = handle.then(() => "ran");
    call.catch(() => undefined);
    Promise.resolve(result).catch(() => undefined);
    await rig.queue.close();
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "CLOSED", delivered: "unknown" });
    await expect(result).rejects.toMatchObject({ code: "UNAVAILABLE", reason: "CLOSED" });
    expect(await handle.accepted).toBeGreaterThan(0);
    await expect(bot.ping()).rejects.toMatchObject({ code: "FAILED_PRECONDITION", reason: "CLOSED", delivered: "no" });
    await expect(rig.queue.send(BOT, "ping").accepted).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    expect((await rig.store.list()).map(({ state }) => state)).toEqual(["queued", "queued"]);
    await rig.queue.close();
  });
});
