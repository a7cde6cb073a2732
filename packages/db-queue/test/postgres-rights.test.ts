import { readFileSync } from "node:fs";
import type { RpcError } from "@rpc/core";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue } from "../src/issuer/db-queue.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import { Bot, botOf } from "./issuer-rig.ts";
import { query } from "./postgres-database.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";

const RIGHTS = readFileSync(new URL("../sql/rights.postgres.sql", import.meta.url), "utf8");
const SCHEMA = "calls";

let rig: PostgresRig;
let clock: FakeClock;
let closers: (() => Promise<unknown>)[];
let made = 0;

beforeEach(async () => {
  rig = await openPostgresRig({}, { schema: SCHEMA });
  clock = createFakeClock();
  closers = [];
  // Twice: it is run again after each migration.
  for (const _ of [1, 2]) await rig.admin.query(RIGHTS);
  for (const address of ["bot:7", "bot:8", "shop:1"]) await rig.store.ensureAddress(address);
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  await rig.close();
});

interface Login {
  readonly url: string;
  readonly store: QueueStore;
  readonly queue: DbQueue;
  readonly errors: RpcError[];
  /** Plain SQL with its rights. */
  sql(text: string): Promise<Record<string, unknown>[]>;
}

async function login(role: string, rights: Readonly<Record<string, "issues" | "serves">> = {}): Promise<Login> {
  // Logins belong to the server, not to the test's database.
  const name = `${new URL(rig.url).pathname.slice(1)}_${++made}`;
  await rig.admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret' IN ROLE ${role}`);
  for (const [address, right] of Object.entries(rights))
    await rig.admin.query(`INSERT INTO rpc_right (login, address, ${right}) VALUES ($1, $2, true)`, [name, address]);
  const own = new URL(rig.url);
  own.username = name;
  own.password = "secret";
  const store = createPostgresStore({ connection: own.href, schema: SCHEMA });
  const errors: RpcError[] = [];
  const queue = createDbQueue(store, { clock, random: () => 0.5 });
  queue.on("error", (error) => errors.push(error));
  closers.push(
    () => store.close(),
    () => queue.close(),
  );
  own.searchParams.set("options", `-c search_path=${SCHEMA}`);
  return { url: own.href, store, queue, errors, sql: (text) => query(own.href, text) };
}

async function serve({ store, errors }: Login, handler = botOf(), address = "bot:7"): Promise<void> {
  const onError = (error: RpcError): void => void errors.push(error);
  const agent = await serveDbQueue(handler, { store, address, name: "bot", clock, random: () => 0.5, onError });
  closers.push(() => agent.close());
}

describe("Q28 restricted rights on PostgreSQL", () => {
  it("an agent's login serves its address, with all that belongs to it", async () => {
    const office = await login("rpc_queue_issuer", { "bot:*": "issues" });
    const bot = await login("rpc_queue_agent", { "bot:7": "serves" });
    await serve(
      bot,
      botOf({
        build: (_input, context) => {
          context.log("building");
          context.progress(0.5);
          return { number: 9n };
        },
        echo: (size) => "x".repeat(Number(size)),
      }),
    );
    const handle = office.queue.issue(
      "bot:7",
      Bot.build,
      { branch: "main" },
      { orderingKey: "k", idempotencyKey: "i" },
    );
    expect(await handle).toEqual({ number: 9n });
    const said: string[] = [];
    for await (const { kind } of handle.events()) said.push(kind);
    expect(said).toEqual(["log", "progress"]);
    expect(await office.queue.proxy(Bot, "bot:7").echo(1.5 * 1024 * 1024)).toHaveLength(1.5 * 1024 * 1024);
    const poke = await office.queue.issue("bot:7", Bot.poke, undefined);
    expect(await office.queue.issueToAll("bot:7", Bot.ping, undefined, { failFast: true })).toMatchObject([
      { agent: "bot", state: "done", result: "pong" },
    ]);
    expect(await rig.store.read([poke])).toEqual([undefined]);
    expect(await office.queue.agents()).toMatchObject([{ agent: "bot", address: "bot:7" }]);
    expect([...office.errors, ...bot.errors]).toEqual([]);
  });

  it("an agent's login sees and takes nothing of other addresses", async () => {
    const bot = await login("rpc_queue_agent", { "bot:7": "serves" });
    const [mine, others] = await rig.store.insert([
      { address: "bot:7", method: "ping" },
      { address: "bot:8", method: "secret", args: '["of others"]' },
    ]);
    await rig.admin.query(
      "INSERT INTO rpc_command_event (command_id, seq, kind, data) SELECT id, 1, 'log', '\"x\"' FROM rpc_command",
    );
    expect([mine, others]).toMatchObject([{ state: "queued" }, { state: "queued" }]);
    expect((await bot.store.list()).map(({ method }) => method)).toEqual(["ping"]);
    expect(await bot.sql("SELECT count(*)::int AS n FROM rpc_command_event")).toEqual([{ n: 1 }]);
    expect((await bot.store.listAddresses()).map(({ name }) => name)).toEqual(["bot:7"]);
    await expect(
      serveDbQueue(botOf(), { store: bot.store, address: "bot:8", name: "bot", clock, reaper: false }),
    ).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    const claim = { agent: "bot", incarnation: "1", max: 10, leaseMs: 1000 };
    expect(await bot.store.claim([{ ...claim, address: "bot:8" }])).toMatchObject([{ reason: "NO_ADDRESS" }]);
    await bot.store.subscribe({ address: "bot:7", agent: "bot", incarnation: "1" });
    expect(await bot.store.claim([{ ...claim, address: "bot:7" }])).toMatchObject([{ claims: [{ method: "ping" }] }]);
    expect(await bot.sql("UPDATE rpc_command SET state = 'done' WHERE method = 'secret' RETURNING id")).toEqual([]);
    expect(await bot.sql("DELETE FROM rpc_command WHERE method = 'secret' RETURNING id")).toEqual([]);
  });

  it("an agent's login cannot issue, change what was called, or give itself rights", async () => {
    const bot = await login("rpc_queue_agent", { "bot:7": "serves" });
    await expect(bot.queue.send("bot:7", "ping").accepted).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(bot.store.ensureAddress("bot:9")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(bot.store.pauseAddress("bot:7", true)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    for (const text of [
      "UPDATE rpc_command SET args = '[]'",
      "UPDATE rpc_address SET created_at = now()",
      "UPDATE rpc_address SET paused = true",
      "INSERT INTO rpc_right (login, address, serves) VALUES (session_user, '*', true)",
      "SELECT * FROM rpc_right",
      "INSERT INTO rpc_agent (address_id, name, incarnation) VALUES (2, 'bot', '1')",
      "ALTER TABLE rpc_command DISABLE ROW LEVEL SECURITY",
    ])
      await expect(bot.sql(text)).rejects.toThrow(/permission denied|row-level security|must be owner/);
  });

  it("an issuer's login issues at its addresses, sees those, and claims nothing", async () => {
    const office = await login("rpc_queue_issuer", { "bot:*": "issues" });
    await rig.store.insert([{ address: "shop:1", method: "secret" }]);
    const sent = office.queue.send("bot:8", "ping", [], {}, { delay: "1h" });
    await sent.accepted;
    await sent.cancel("not needed");
    expect((await office.queue.list()).map(({ method, state }) => [method, state])).toEqual([["ping", "cancelled"]]);
    await expect(office.queue.send("shop:1", "ping")).rejects.toMatchObject({ reason: "NO_ADDRESS" });
    await office.queue.notify("bot:8", "poke");
    const broadcast = office.queue.broadcast("bot:8", "ping");
    expect(await broadcast).toEqual([]);
    const claimed = office.store.claim([{ address: "bot:8", agent: "bot", incarnation: "1", max: 1, leaseMs: 1000 }]);
    await expect(claimed).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(office.sql("UPDATE rpc_command SET args = '[]'")).rejects.toThrow(/permission denied/);
    await expect(office.sql("UPDATE rpc_command SET attempts = 0")).rejects.toThrow(/permission denied/);
  });

  it("the reaper of either ends and deletes at its own addresses", async () => {
    const office = await login("rpc_queue_issuer", { "bot:7": "issues" });
    const bot = await login("rpc_queue_agent", { "bot:8": "serves" });
    await rig.store.insert(
      ["bot:7", "bot:8", "shop:1"].map((address) => ({ address, method: "ping", expiresMs: 1000 })),
    );
    await rig.advance(2000);
    expect(await office.store.reap({ agentLostMs: 1000 })).toMatchObject({ expired: 1 });
    expect(await bot.store.reap({ agentLostMs: 1000 })).toMatchObject({ expired: 1 });
    await rig.advance(1000);
    expect(await office.store.prune({ othersMs: 10 })).toBe(1);
    expect(await bot.store.prune({ othersMs: 10 })).toBe(1);
    expect((await rig.store.list()).map(({ state }) => state)).toEqual(["queued"]);
  });

  it("an operator's login looks after all addresses, and may not say who may what", async () => {
    const operator = await login("rpc_queue_operator");
    await operator.queue.ensureAddress("bot:9");
    await operator.queue.pause("bot:9");
    const id = await operator.queue.send("shop:1", "ping").accepted;
    expect(await operator.queue.cancel(id)).toBe("cancelled");
    expect(await operator.queue.retry(id)).toBeGreaterThan(id);
    expect(await operator.queue.stats()).toHaveLength(4);
    expect(await operator.queue.removeAddress("bot:9")).toBe(true);
    await expect(operator.sql("SELECT * FROM rpc_right")).rejects.toThrow(/permission denied/);
    await expect(operator.sql("ALTER TABLE rpc_command ADD COLUMN x int")).rejects.toThrow(/must be owner/);
  });

  it("a login without a role, and one without a right, get nothing", async () => {
    const nobody = await login("rpc_queue_agent");
    expect(await nobody.store.listAddresses()).toEqual([]);
    expect(await nobody.store.list()).toEqual([]);
    const name = `${new URL(rig.url).pathname.slice(1)}_stranger`;
    await rig.admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
    const own = new URL(rig.url);
    own.username = name;
    own.password = "secret";
    await expect(query(own.href, `SELECT * FROM ${SCHEMA}.rpc_command`)).rejects.toThrow(/permission denied/);
  });
});
