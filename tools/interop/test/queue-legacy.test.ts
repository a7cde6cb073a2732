import { createDbQueue, createLegacyVerbs, createSqliteStore, type DbQueue, type QueueStore } from "@rpc/db-queue";
import { databaseCall, databases, serveXmlRpc, type XmlRpcListenerOptions, xmlRpcProxy } from "@rpc/xmlrpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PythonProgram } from "../queue/python.ts";
import { failure, until } from "../rig.ts";

const ADDRESS = "bot:7";
const RIGHTS = {
  bot: { serve: [ADDRESS], agents: ["old"], wait: ["updated_model:*"], publish: ["updated_model:*"] },
  other: { serve: [ADDRESS] },
};

let store: QueueStore;
let queue: DbQueue;
let closing: (() => PromiseLike<unknown>)[] = [];
let url: (user: string) => string;
let subscriptionUrl: string;
beforeEach(async () => {
  store = createSqliteStore({ file: ":memory:" });
  await store.migrate();
  queue = createDbQueue(store, { reaper: { everyMs: 50 } });
  await queue.ensureAddress(ADDRESS);
  const records = (context: Parameters<typeof databaseCall>[0]): readonly unknown[] => databaseCall(context).records;
  const legacy = createLegacyVerbs(store, { rights: RIGHTS, records, leaseMs: 60_000 });
  const options: XmlRpcListenerOptions = {
    authenticate: ({ user, secret }) => (user !== undefined && secret === `${user}'s key` ? user : undefined),
    onWarning: () => undefined,
  };
  const listener = await serveXmlRpc(databases({ bots: legacy }), options);
  const endpoint = "http://127.0.0.1:0/subscription";
  const subscription = await serveXmlRpc(legacy.subscription, { ...options, endpoint });
  closing = [
    () => listener.close(),
    () => subscription.close(),
    () => legacy.close(),
    () => queue.close(),
    () => store.close(),
  ];
  const as = (user: string, base: string): string =>
    Object.assign(new URL(base), { username: user, password: `${user}'s key` }).href;
  url = (user) => as(user, `${listener.endpoint}/bots`);
  subscriptionUrl = as("bot", subscription.endpoint);
});
afterEach(async () => {
  for (const close of closing) await close();
});

const agent = (incarnation: string, ...how: string[]): PythonProgram =>
  new PythonProgram("legacy_agent.py", url("bot"), incarnation, ...how);

describe("the verbs of old", () => {
  it("run an agent that knows no others: result, exception, failure", async () => {
    const first = agent("1");
    expect(await queue.send(ADDRESS, "add", [20, 22])).toBe(42);
    expect(await first.output()).toBe("pushed\n");
    expect(await store.listAgents()).toEqual([]);
    const refused = failure(queue.send(ADDRESS, "refuse"));
    await agent("2").output();
    expect(await refused).toMatchObject({ title: "Error!", text: "is not active", failureCode: 7 });
    const unknown = failure(queue.send(ADDRESS, "missing"));
    await agent("3").output();
    expect(await unknown).toMatchObject({ code: "UNIMPLEMENTED", message: "no missing" });
  });

  it("refuse a late push, and an answer of somebody else", async () => {
    const sent = queue.send(ADDRESS, "add", [1, 2]);
    const slow = agent("1", "late");
    const id = await sent.accepted;
    await until(async () => (await sent.row()).state === "claimed");
    const other = xmlRpcProxy(url("other"));
    const push = (): Promise<Record<string, unknown>> =>
      failure(other.$call("base.command.command.push_result", [id], ["mine"]));
    expect(await push()).toMatchObject({ code: "PERMISSION_DENIED", reason: "FORBIDDEN" });
    // Another incarnation of the same agent fences it, and ends its leases.
    const address = await store.findAddress(ADDRESS);
    await store.subscribe({ address: ADDRESS, agent: "old", incarnation: "old-2" });
    expect(address?.name).toBe(ADDRESS);
    expect(await failure(sent)).toMatchObject({ reason: "LEASE_LOST" });
    slow.say("\n");
    expect(await slow.output()).toMatch(/LEASE_LOST/);
    expect((await sent.row()).state).toBe("failed");
    // It did not unsubscribe its successor either.
    expect(await store.listAgents()).toMatchObject([{ incarnation: "old-2" }]);
    expect(await failure(other.$call("base.command.command.push_result", [999], [1]))).toMatchObject({
      reason: "LEASE_LOST",
    });
    await other.$close();
  });

  it("never give a command a second time", async () => {
    const proxy = xmlRpcProxy(url("bot"));
    const who = { address_name: ADDRESS, agent_name: "old", agent_incarnation: "old-1" };
    await store.subscribe({ address: ADDRESS, agent: "old", incarnation: "old-1" });
    const sent = queue.send(ADDRESS, "add", [1, 2], {}, { maxAttempts: 5 });
    const id = await sent.accepted;
    expect(await proxy.$call("base.command.command.pop_command", [], [], who)).toMatchObject({ id, method: "add" });
    await store.subscribe({ address: ADDRESS, agent: "old", incarnation: "old-2" });
    const ended = failure(sent);
    const again = { ...who, agent_incarnation: "old-2" };
    await until(async () => {
      expect(await proxy.$call("base.command.command.pop_command", [], [], again)).toBe(false);
      return (await sent.row()).state === "failed";
    });
    expect(await ended).toMatchObject({ reason: "LEASE_LOST" });
    await proxy.$close();
  });

  it("wait and publish without losing what comes between two waits", async () => {
    const proxy = xmlRpcProxy(subscriptionUrl);
    const topic = "updated_model:res.partner";
    const first = proxy.$call("wait", topic);
    let isOver = false;
    void Promise.resolve(first).then(() => (isOver = true));
    // A wait that had not begun yet hears nothing of what was before it.
    await until(async () => {
      await proxy.$call("publish", topic);
      return isOver;
    });
    expect(await first).toBe(true);
    await proxy.$call("publish", topic);
    expect(await proxy.$call("wait", topic)).toBe(true);
    expect(await failure(proxy.$call("wait", "secret"))).toMatchObject({ code: "PERMISSION_DENIED" });
    const db = xmlRpcProxy(url("bot"));
    expect(await db.$call("publish", [], [topic])).toBe(true);
    expect(await proxy.$call("wait", topic)).toBe(true);
    expect(await failure(db.$call("base.command.address.search", [], [[["id", ">", 0]]]))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await Promise.all([proxy.$close(), db.$close()]);
  });
});
