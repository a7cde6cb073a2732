import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRouter, defineContract, mergeRouters, type RpcError, unary } from "@rpc/core";
import {
  type CommandServiceHandler,
  type CommandServiceOptions,
  createCommandService,
  createDbQueue,
  createRemoteStore,
  createSqliteStore,
  type DbQueue,
  type QueueStore,
  serveDbQueue,
} from "@rpc/db-queue";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { createXmlRpcTransport, serveXmlRpc } from "@rpc/xmlrpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Cuttable } from "../queue/cuttable.ts";
import { PythonProgram } from "../queue/python.ts";
import { failure, until } from "../rig.ts";

const Numbers = defineContract("demo.Numbers", {
  add: unary({ input: z.object({ a: z.number(), b: z.number() }), output: z.number() }),
});
const ADDRESS = "bot:7";
const SECRETS = { bot: "bot's key", ada: "ada's key" };

let folder: string;
let store: QueueStore;
let queue: DbQueue;
let closing: (() => PromiseLike<unknown>)[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rpc-queue-"));
  store = createSqliteStore({ file: join(folder, "queue.db"), synchronous: "normal" });
  await store.migrate();
  queue = createDbQueue(store, { reaper: { everyMs: 100 } });
  await queue.ensureAddress(ADDRESS);
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
  await queue.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

function opened<T extends AsyncDisposable>(value: T): T {
  closing.push(() => value[Symbol.asyncDispose]());
  return value;
}

const service = (options?: CommandServiceOptions): CommandServiceHandler =>
  opened(createCommandService(store, options));
const numbers = (add: (input: { a: number; b: number }) => number | Promise<number>) => createRouter(Numbers, { add });
const subscribed = (name: string) => async () => (await store.listAgents()).some(({ agent }) => agent === name);

describe("ten lines of Python, over XML-RPC", () => {
  it("are no more than that", () => {
    const lines = readFileSync(new URL("../queue/agent.py", import.meta.url), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.length).toBeLessThanOrEqual(13);
  });

  it("pop, execute, push results and exceptions, and are woken out of a long wait", async () => {
    const served = service();
    const listener = opened(await serveXmlRpc(served));
    const early = queue.send(ADDRESS, "add", [20, 22]);
    await early.accepted;
    const agent = opened(new PythonProgram("agent.py", listener.endpoint));
    expect(await early).toBe(42);
    // It waits by now, and nothing is asked for meanwhile.
    await until(() => served.waiting === 1);
    expect(await queue.proxy(Numbers, ADDRESS).add({ a: 1.5, b: 2 })).toBe(3.5);
    expect(await queue.send(ADDRESS, "greet", ["Ünï ☃"])).toBe("Hello Ünï ☃");
    expect(await failure(queue.send(ADDRESS, "divide", [1, 0]))).toMatchObject({
      code: "INTERNAL",
      message: "division by zero",
    });
    expect(await failure(queue.send(ADDRESS, "missing"))).toMatchObject({ message: "'missing'" });
    const many = Array.from({ length: 10 }, (_, number) => queue.send(ADDRESS, "add", [number, 1]));
    expect(await Promise.all(many)).toEqual(many.map((_, number) => number + 1));
    const [row] = await queue.list({ states: ["failed"], limit: 1, method: "divide" });
    expect(JSON.parse(row?.error ?? "{}")).toMatchObject({ type: "ZeroDivisionError" });
    expect(agent.complaint).toBe("");
    expect(agent.isRunning).toBe(true);
  });

  it("are refused where they have no right, and what XML cannot say fails its command alone", async () => {
    const rights = { bot: { serve: [ADDRESS], agents: ["python"] } };
    const authenticate = ({ user, secret }: { user?: string | undefined; secret: string }): string | undefined =>
      user === "bot" && secret === SECRETS.bot ? user : undefined;
    const listener = opened(await serveXmlRpc(service({ rights }), { authenticate, onWarning: () => undefined }));
    const url = (user: string, secret: string): string =>
      Object.assign(new URL(listener.endpoint), { username: user, password: secret }).href;
    const stranger = new PythonProgram("agent.py", url("bot", "wrong"));
    await expect(stranger.output()).rejects.toThrow(/403/);
    const agent = opened(new PythonProgram("agent.py", url("bot", SECRETS.bot)));
    expect(await queue.send(ADDRESS, "add", [1, 2])).toBe(3);
    const [odd, fine] = [queue.send(ADDRESS, "greet", ["\u0001"]), queue.send(ADDRESS, "greet", ["Ada"])];
    expect(await fine).toBe("Hello Ada");
    expect(await failure(odd)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_ARGS" });
    expect(agent.complaint).toBe("");
    const issuer = new PythonProgram("issuer.py", url("bot", SECRETS.bot), "add", "[1, 2]");
    await expect(issuer.output()).rejects.toThrow(/FORBIDDEN: bot is not allowed to send commands to/);
  });

  it("send commands, and wait for what becomes of them", async () => {
    const listener = opened(await serveXmlRpc(service()));
    const answer = Promise.withResolvers<number>();
    opened(
      await serveDbQueue(
        numbers(() => answer.promise),
        { store, address: ADDRESS },
      ),
    );
    const issuer = new PythonProgram("issuer.py", listener.endpoint, "add", "[1, 2]");
    await until(async () => (await queue.list({ states: ["claimed"] })).length === 1);
    answer.resolve(3);
    expect(JSON.parse(await issuer.output())).toMatchObject({ state: "done", result: 3 });
  });
});

describe("agents and issuers without a login", () => {
  it("work over TCP, beside other contracts, each with its rights", async () => {
    const rights = { bot: { serve: [ADDRESS], agents: ["bot"] }, ada: { issue: [ADDRESS] } };
    const served = mergeRouters(
      service({ rights }),
      numbers(() => 0),
    );
    const listener = opened(await serveTcp(served, { secrets: SECRETS }));
    const dial = (identity: keyof typeof SECRETS) =>
      createTcpTransport(listener.endpoint, { identity, secret: SECRETS[identity] });
    const add = ({ a, b }: { a: number; b: number }): number => a + b;
    const agent = opened(await serveDbQueue(numbers(add), { service: dial("bot"), address: ADDRESS, name: "bot" }));
    const transport = opened(dial("ada"));
    const remote = opened(createDbQueue(createRemoteStore(transport)));
    const calls = Array.from({ length: 100 }, (_, a) => remote.proxy(Numbers, ADDRESS).add({ a, b: 1 }));
    expect(await Promise.all(calls)).toEqual(calls.map((_, a) => a + 1));
    const [row] = await queue.list({ limit: 1 });
    expect(row).toMatchObject({ createdBy: "ada", agent: "bot" });
    expect(await failure(serveDbQueue(numbers(add), { service: dial("ada"), address: ADDRESS }))).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    expect(agent.running).toBe(0);
  });

  it("work over XML-RPC, where wake-ups are waited for", async () => {
    const served = service();
    const listener = opened(await serveXmlRpc(served));
    const add = ({ a, b }: { a: number; b: number }): number => a + b;
    const agent = opened(
      await serveDbQueue(numbers(add), { service: createXmlRpcTransport(listener.endpoint), address: ADDRESS }),
    );
    const transport = opened(createXmlRpcTransport(listener.endpoint));
    const remote = opened(createDbQueue(createRemoteStore(transport)));
    for (let a = 0; a < 5; a += 1) expect(await remote.proxy(Numbers, ADDRESS).add({ a, b: 1 })).toBe(a + 1);
    const calls = Array.from({ length: 20 }, (_, a) => remote.proxy(Numbers, ADDRESS).add({ a, b: 1 }));
    expect(await Promise.all(calls)).toEqual(calls.map((_, a) => a + 1));
    await agent.close();
    expect(await store.listAgents()).toEqual([]);
  });

  it("deliver the result after a connection was killed in the middle of a command", async () => {
    const served = service();
    const listener = opened(await serveTcp(served));
    const relay = opened(await Cuttable.before(listener.endpoint));
    const started = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<number>();
    const errors: RpcError[] = [];
    const add = (): Promise<number> => {
      started.resolve();
      return answer.promise;
    };
    const agent = opened(
      await serveDbQueue(numbers(add), {
        // No resumption: what is under way is lost, as with a restarted server.
        service: createTcpTransport(`tcp://127.0.0.1:${relay.port}`, { resumeWindowMs: 0 }),
        address: ADDRESS,
        name: "bot",
        leaseMs: 60_000,
        onError: (error) => errors.push(error),
      }),
    );
    const sum = queue.proxy(Numbers, ADDRESS).add({ a: 1, b: 2 });
    await started.promise;
    relay.cut(true);
    answer.resolve(3);
    await until(() => errors.some(({ code }) => code === "UNAVAILABLE"));
    expect((await queue.list({ limit: 1 }))[0]?.state).toBe("claimed");
    relay.open();
    expect(await sum).toBe(3);
    // And it is woken again.
    expect(await queue.proxy(Numbers, ADDRESS).add({ a: 1, b: 2 })).toBe(3);
    expect(await subscribed("bot")()).toBe(true);
    await agent.close();
  });

  it("give a command to another when the agent is gone for good", async () => {
    const listener = opened(await serveTcp(service()));
    const relay = opened(await Cuttable.before(listener.endpoint));
    const started = Promise.withResolvers<void>();
    const add = async (): Promise<number> => {
      started.resolve();
      return new Promise<number>(() => undefined);
    };
    const transport = createTcpTransport(`tcp://127.0.0.1:${relay.port}`, { resumeWindowMs: 0 });
    const lost = serveDbQueue(numbers(add), { service: transport, address: ADDRESS, name: "lost", leaseMs: 300 });
    const gone = await lost;
    const sum = queue.issue(ADDRESS, Numbers.add, { a: 1, b: 2 }, { maxAttempts: 2 });
    await started.promise;
    relay.cut(true);
    const other = createTcpTransport(listener.endpoint);
    opened(
      await serveDbQueue(
        numbers(({ a, b }) => a + b),
        { service: other, address: ADDRESS, name: "other" },
      ),
    );
    expect(await sum).toBe(3);
    expect((await sum.row()).attempts).toBe(2);
    await gone.close();
  });
});
