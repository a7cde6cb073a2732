import { EventEmitter } from "node:events";
import { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { type Client, Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { byHalves } from "../src/postgres/by-halves.ts";
import { ClientSession, Connections } from "../src/postgres/connections.ts";
import { postgresSettings } from "../src/postgres/options.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { settleClaims } from "../src/postgres/settle.ts";
import { storeStatements } from "../src/postgres/statements.ts";
import { postgresError } from "../src/postgres/status.ts";
import type { Answer, Claim } from "../src/store/store-words.ts";
import { startPostgres } from "./embedded-postgres.ts";
import { createDatabase } from "./postgres-database.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import {
  ADDRESS,
  agentRef,
  claimed,
  claimedIds,
  claimedOne,
  good,
  inserted,
  refusal,
  rejection,
  stateOf,
  subscribed,
} from "./store-rig.ts";

const OTHERS =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
const KILL_WAITING =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
const WAITING =
  "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/** Until a statement of the store waits for a lock of somebody else's. */
async function untilOneWaits(rig: PostgresRig): Promise<void> {
  for (;;) {
    const [row] = await rig.query(WAITING);
    if (row?.["count"] !== 0) return;
  }
}

describe("connections that are lost", () => {
  let rig: PostgresRig;
  beforeEach(async () => {
    rig = await openPostgresRig();
    await subscribed(rig.store, "a", "b");
  });
  afterEach(() => rig.close());

  it("H191 keeps an answer whose connection is killed under it", async () => {
    await inserted(rig.store, {});
    const claim = await claimedOne(rig.store, "a");
    const lock = await rig.begin();
    await (lock.handle as Client).query("SELECT 1 FROM rpc_command FOR UPDATE");
    const answer = rig.store.settle([{ ...claim, outcome: "done", result: "1" }]);
    await untilOneWaits(rig);
    await rig.query(KILL_WAITING);
    await lock.rollback();
    expect(good((await answer)[0]).state).toBe("done");
  });

  it("H191 says of an answer whose connection was killed, and that finds no other, that it may have been kept", async () => {
    const server = await startPostgres();
    const url = await createDatabase(server.url());
    const store = createPostgresStore({ connection: url });
    const other = new Pool({ connectionString: url, max: 2 });
    other.on("error", () => undefined);
    try {
      await store.migrate();
      await subscribed(store, "a");
      await inserted(store, {});
      const claim = await claimedOne(store, "a");
      const lock = await other.connect();
      lock.on("error", () => undefined);
      await lock.query("BEGIN; SELECT 1 FROM rpc_command FOR UPDATE");
      const answer = store.settle([done(claim)]).catch((error: unknown) => error);
      for (let isWaiting = false; !isWaiting;) {
        // Not in the transaction, which sees for ever what it has seen first.
        const { rows } = await other.query<{ count: number }>(WAITING);
        isWaiting = rows[0]?.count !== 0;
      }
      await server.down();
      expect(await answer).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
      lock.release(true);
    } finally {
      await store.close();
      await other.end();
      await server.stop();
    }
  });

  it("H191 does not call its own first answer a lost lease", async () => {
    await inserted(rig.store, {}, { notification: true });
    const claims = await claimed(rig.store, "a");
    const answers = claims.map((claim) => done(claim));
    await rig.another().settle(answers);
    // Asked a second time, as after a connection that was lost between the commit and its answer.
    const session = new ClientSession(rig.admin, postgresSettings({ connection: rig.url }));
    const { settle } = storeStatements("public", "app");
    const repeated = await settleClaims(
      session,
      settle,
      [...answers, { id: 1, token: "another's", outcome: "released" }],
      true,
    );
    expect(repeated.slice(0, 2).map((answer) => good(answer).state)).toEqual(["done", "done"]);
    expect(refusal(repeated[2])).toBe("UNAVAILABLE LEASE_LOST");
    expect(refusal((await rig.store.settle(answers))[0])).toBe("UNAVAILABLE LEASE_LOST");
  });

  it("H191 says of an insert whose connection is killed that it may have been kept", async () => {
    const lock = await rig.begin();
    await (lock.handle as Client).query("SELECT 1 FROM rpc_address FOR UPDATE");
    const insert = rig.store.insert([{ address: ADDRESS, method: "build" }]);
    const failure = insert.catch((error: unknown) => error);
    await untilOneWaits(rig);
    await rig.query(KILL_WAITING);
    await lock.rollback();
    expect(await failure).toMatchObject({
      code: "UNAVAILABLE",
      reason: "CONNECTION_LOST",
      delivered: "unknown",
      retryable: true,
    });
    expect(await inserted(rig.store, {})).toHaveLength(1);
  });

  it("H194 runs everything once while all connections are killed again and again", { timeout: 60_000 }, async () => {
    const ids: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      ids.push(...(await inserted(rig.store, ...Array.from({ length: 30 }, () => ({ maxAttempts: 50 })))));
    }
    const killing = new AbortController();
    const killer = (async () => {
      while (!killing.signal.aborted) {
        await rig.query(OTHERS);
        await rig.query("SELECT pg_sleep(0.02)");
      }
    })();
    const accepted: number[] = [];
    const untilGood = async <T>(verb: () => Promise<T>): Promise<T> => {
      for (;;) {
        try {
          return await verb();
        } catch (error) {
          // The maintenance connection is none of theirs; whatever else comes is a fault.
          if (!(error instanceof RpcError) || error.code !== "UNAVAILABLE") throw error;
        }
      }
    };
    const agent = async (name: string): Promise<void> => {
      while (accepted.length < ids.length) {
        const claims = await untilGood(() => claimed(rig.store, name, { max: 10 }));
        if (claims.length === 0) {
          await rig.advance(40_000_000);
          await untilGood(() => rig.store.reap());
          await rig.advance(400_000);
          continue;
        }
        const answers = await untilGood(() => rig.store.settle(claims.map((claim) => done(claim))));
        answers.forEach((answer, i) => {
          if (!(answer instanceof RpcError)) accepted.push(claims[i]?.id ?? 0);
        });
      }
    };
    await agent("a");
    killing.abort();
    await killer;
    expect(accepted.toSorted((x, y) => x - y)).toEqual(ids);
    expect(await rig.query("SELECT DISTINCT state FROM rpc_command")).toEqual([{ state: "done" }]);
  });

  it("Q58 tries again when a lower id of the key comes late", async () => {
    const [first, second] = await inserted(rig.store, { orderingKey: "k" }, { orderingKey: "k" });
    const late = await rig.begin();
    const client = late.handle as Client;
    await client.query(
      "UPDATE rpc_command SET state = 'claimed', lease_until = clock_timestamp() + '1 min' WHERE id = $1",
      [second],
    );
    const claim = claimedIds(rig.store, "a");
    await untilOneWaits(rig);
    await late.commit();
    expect(await claim).toEqual([]);
    expect(await stateOf(rig.store, first ?? 0)).toBe("queued");
  });

  it("keeps the sound items of a list when the database cannot store one", async () => {
    const answers = await rig.store.insert([
      { address: ADDRESS, method: "one", args: "[1]" },
      { address: ADDRESS, method: "bad", args: "[1" },
      { address: ADDRESS, method: "two", args: '["\\u0000 \\ud800"]' },
    ]);
    expect(refusal(answers[1])).toBe("INVALID_ARGUMENT INVALID_DATA");
    const claims = await claimed(rig.store, "a");
    expect(claims.map((claim) => claim.method)).toEqual(["one", "two"]);
    expect(JSON.parse(claims[1]?.args ?? "")).toEqual(["\u0000 \ud800"]);
    const settled = await rig.store.settle(claims.map((claim, i) => done(claim, i === 0 ? "nonsense" : "1")));
    expect(refusal(settled[0])).toBe("INVALID_ARGUMENT INVALID_DATA");
    expect(good(settled[1]).state).toBe("done");
  });

  it("tells what is there as there when only a later part of the list meets a fault", async () => {
    // One item is refused by the database, so the list is done by halves; the second half finds no table any more.
    let count = 0;
    const run = async (items: readonly string[]): Promise<readonly (string | RpcError)[]> => {
      count += 1;
      if (items.includes("bad")) throw Object.assign(new Error("no"), { code: "22P05", severity: "ERROR" });
      if (items.includes("late")) throw new Error("the connection was lost");
      return items;
    };
    const answers = await byHalves(["one", "bad", "two", "late"], run, "here");
    expect(
      answers.map((answer) => (answer instanceof RpcError ? `${refusal(answer)} ${answer.delivered}` : answer)),
    ).toEqual([
      "one",
      "INVALID_ARGUMENT INVALID_DATA no",
      "UNAVAILABLE CONNECTION_LOST unknown",
      "UNAVAILABLE CONNECTION_LOST unknown",
    ]);
    expect(count).toBe(5);
    await expect(byHalves(["bad", "late"], run, "here")).rejects.toThrow("lost");
  });

  it("H177 leaves the caller's transaction usable after a value that the database cannot store", async () => {
    const transaction = await rig.begin();
    const inside = rig.store.inTransaction(transaction.handle);
    const answers = await inside.insert([
      { address: ADDRESS, method: "bad", args: "{" },
      { address: ADDRESS, method: "good" },
    ]);
    expect(refusal(answers[0])).toBe("INVALID_ARGUMENT INVALID_DATA");
    await transaction.commit();
    expect(await claimedIds(rig.store, "a")).toEqual([good(answers[1]).id]);
  });

  it("H202 serves other rows while somebody holds one", async () => {
    const ids = await inserted(rig.store, {}, {}, {});
    const lock = await rig.begin();
    await (lock.handle as Client).query("SELECT 1 FROM rpc_command WHERE id = $1 FOR UPDATE", [ids[0]]);
    expect(await claimedIds(rig.store, "a")).toEqual(ids.slice(1));
    await lock.rollback();
    expect(await claimedIds(rig.store, "a")).toEqual(ids.slice(0, 1));
  });

  it("gives up a statement that takes too long, and goes on", async () => {
    const store = createPostgresStore({ connection: rig.url, statementTimeoutMs: 50 });
    const lock = await rig.begin();
    await (lock.handle as Client).query("SELECT 1 FROM rpc_address FOR UPDATE");
    expect(await rejection(store.insert([{ address: ADDRESS, method: "x" }]))).toBe("UNAVAILABLE STATEMENT_TIMEOUT");
    await lock.rollback();
    expect(await inserted(store, {})).toHaveLength(1);
    await store.close();
  });
});

describe("a pool of the program's own", () => {
  it("H192 is waited for, then RESOURCE_EXHAUSTED; leases go on all the same", async () => {
    const rig = await openPostgresRig();
    await subscribed(rig.store, "a");
    await inserted(rig.store, {});
    const pool = new Pool({ connectionString: rig.url, max: 1 });
    const clock = createFakeClock();
    const store = createPostgresStore({ connection: pool, clock, connectTimeoutMs: 5000 });
    const claim = await claimedOne(store, "a");
    const held = await pool.connect();
    const waiting = store.listAddresses();
    clock.advance(5000);
    expect(await rejection(waiting)).toBe("RESOURCE_EXHAUSTED POOL_EXHAUSTED");
    expect(good((await store.extend([{ ...claim, leaseMs: 60_000 }]))[0]).cancel).toBeUndefined();
    expect(await store.keepAlive([agentRef("a")])).toEqual([undefined]);
    held.release();
    expect(await store.listAddresses()).toHaveLength(1);
    await store.close();
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await pool.end();
    await rig.close();
  });

  it("H192 is waited for no longer by who asks when a connection is idle and another has asked for it before", async () => {
    const rig = await openPostgresRig();
    await subscribed(rig.store, "a");
    // Of the program's own, which waits for ever.
    const pool = new Pool({ connectionString: rig.url, max: 1 });
    const clock = createFakeClock();
    const store = createPostgresStore({ connection: pool, clock, connectTimeoutMs: 5000 });
    await store.listAddresses();
    expect(pool.idleCount).toBe(1);
    const lock = await rig.begin();
    await (lock.handle as Client).query("SELECT 1 FROM rpc_address FOR UPDATE");
    const first = store.insert([{ address: ADDRESS, method: "x" }]);
    const second = rejection(store.listAddresses());
    await untilOneWaits(rig);
    clock.advance(5000);
    expect(await second).toBe("RESOURCE_EXHAUSTED POOL_EXHAUSTED");
    await lock.rollback();
    expect(good((await first)[0]).state).toBe("queued");
    await store.close();
    await pool.end();
    await rig.close();
  });

  it("H192 is told of a pooler that lets it in and has no connection to give, in the time for a connection", async () => {
    const limits: unknown[] = [];
    const client = Object.assign(new EventEmitter(), {
      query: async ({ text, query_timeout: limit }: { text: string; query_timeout: number }) => {
        limits.push(limit);
        if (text.startsWith("SET")) throw new Error("Query read timeout");
        return { rows: [{ version: "180004" }] };
      },
      release: () => undefined,
    });
    const pool = Object.assign(new EventEmitter(), {
      options: { max: 1 },
      idleCount: 1,
      waitingCount: 0,
      totalCount: 1,
      connect: async () => client,
      end: async () => undefined,
    });
    const settings = postgresSettings({ connection: "postgres://here/db", pooler: "session", connectTimeoutMs: 700 });
    const connections = new Connections(settings, pool as unknown as Pool, true);
    const told = connections.run((session) => session.rows({ text: "SELECT 1", name: "one" }, []));
    expect(await rejection(told)).toBe("RESOURCE_EXHAUSTED POOL_EXHAUSTED");
    expect(limits).toEqual([700, 700]);
    await connections.close();
  });

  it("is refused when its server is older than 14", async () => {
    const client = Object.assign(new EventEmitter(), {
      query: async () => ({ rows: [{ version: "130011" }] }),
      release: () => undefined,
    });
    const pool = Object.assign(new EventEmitter(), {
      options: { max: 1 },
      idleCount: 1,
      totalCount: 1,
      connect: async () => client,
    });
    const store = createPostgresStore({ connection: pool as unknown as Pool });
    expect(await rejection(store.listAddresses())).toBe("FAILED_PRECONDITION DATABASE_TOO_OLD");
    await store.close();
  });
});

describe("a server that is not there", () => {
  it("says that nothing was done: refused, unknown database", async () => {
    const url = new URL(await createDatabase());
    url.searchParams.set("host", "/nowhere");
    const refused = createPostgresStore({ connection: url.href });
    expect(await refused.insert([{ address: ADDRESS, method: "x" }]).catch((error: unknown) => error)).toMatchObject({
      code: "UNAVAILABLE",
      reason: "CONNECTION_LOST",
      delivered: "no",
    });
    await refused.close();
    const missing = new URL(await createDatabase());
    missing.pathname = "/nobody_made_it";
    const store = createPostgresStore({ connection: missing.href });
    expect(await rejection(store.migrate())).toBe("FAILED_PRECONDITION NO_DATABASE");
    await store.close();
  });

  it.for(["restart", "crash"] as const)("H190 H193 loses nothing by a %s, and works on without help", async (how) => {
    const server = await startPostgres();
    const url = await createDatabase(server.url());
    const store = createPostgresStore({ connection: url });
    try {
      await store.migrate();
      await subscribed(store, "a");
      let woken = 0;
      const watch = store.watch({ wake: () => undefined, wakeAll: () => (woken += 1) });
      await watch.ready;
      const ids = await inserted(store, {}, {});
      await server[how]();
      const more = await again(() => inserted(store, {}));
      expect(await again(() => claimedIds(store, "a"))).toEqual([...ids, ...more]);
      await expect.poll(() => woken).toBeGreaterThan(0);
    } finally {
      await store.close();
      await server.stop();
    }
  });
});

/** Of an insert that was interrupted nobody knows: here it never is, the server was down before. */
async function again<T>(verb: () => Promise<T>): Promise<T> {
  try {
    return await verb();
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== "UNAVAILABLE" || !error.retryable) throw error;
    return await again(verb);
  }
}

function done({ id, token }: Claim, result = "1"): Answer {
  return { id, token, outcome: "done", result };
}

describe("errors of the server", () => {
  it.for([
    ["53100", "RESOURCE_EXHAUSTED", "DISK_FULL", true],
    ["53300", "RESOURCE_EXHAUSTED", "TOO_MANY_CONNECTIONS", true],
    ["25006", "FAILED_PRECONDITION", "DATABASE_READ_ONLY", false],
    ["42501", "PERMISSION_DENIED", "DATABASE_REFUSED", false],
    ["28P01", "UNAUTHENTICATED", "DATABASE_LOGIN", false],
    ["40P01", "UNAVAILABLE", "TRANSACTION_CONFLICT", true],
    ["57P03", "UNAVAILABLE", "DATABASE_STARTING", true],
    ["XX001", "DATA_LOSS", "DATABASE_CORRUPT", false],
    ["XX000", "INTERNAL", undefined, false],
  ] as const)("H196 %s is %s %s", ([state, code, reason, retryable]) => {
    const error = Object.assign(new Error("what the server says"), { code: state, severity: "ERROR" });
    expect(postgresError(error, "postgres://here/db")).toMatchObject({ code, reason, retryable, cause: error });
  });

  it("knows what a pooler says to settings of which it was not told", () => {
    const message = "unsupported startup parameter: statement_timeout";
    const error = Object.assign(new Error(message), { code: "08P01", severity: "FATAL" });
    const told = postgresError(error, "postgres://here/db");
    expect(told).toMatchObject({ code: "FAILED_PRECONDITION", reason: "POOLER", retryable: false });
    expect(told.message).toContain("give the store the option pooler");
  });

  it("takes a fault of the language for what it is", () => {
    expect(postgresError(new TypeError("x is undefined"), "postgres://here/db").code).toBe("INTERNAL");
  });
});
