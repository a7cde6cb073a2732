import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Connection } from "../src/sqlite/connection.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import { type ClaimOffer, commandTopic, resultTopic, type WakeListener } from "../src/store/store.ts";
import { openSqliteRig, type SqliteRig } from "./sqlite-rig.ts";
import { ADDRESS, claimedIds, inserted, rejection, settled, claimedOne, subscribed } from "./store-rig.ts";

let rig: SqliteRig;
beforeEach(async () => {
  rig = await openSqliteRig();
  await subscribed(rig.store, "bot");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rig.close();
});

/** Another program that writes, until it is told to stop. */
function writer(): { stop: () => void } {
  const handle = new DatabaseSync(rig.file);
  handle.exec("BEGIN IMMEDIATE");
  return {
    stop: () => {
      handle.exec("ROLLBACK");
      handle.close();
    },
  };
}

it("commits once what was asked for in one turn of the loop", async () => {
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  await Promise.all(Array.from({ length: 100 }, () => inserted(rig.store, {})));
  expect(exec.mock.calls.map(([sql]) => sql)).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
});

it("undoes of one turn only the verb that failed", async () => {
  const wrong = rig.store.settle([
    { id: 1, token: "x", outcome: "done", result: Symbol("no value for SQLite") as never },
  ]);
  const answers = await Promise.allSettled([inserted(rig.store, {}), wrong, inserted(rig.store, {})]);
  expect(answers.map((answer) => answer.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(await claimedIds(rig.store, "bot")).toHaveLength(2);
});

it("wakes nobody for a verb that failed", async () => {
  const ids = await inserted(rig.store, {}, {});
  const claims = [await claimedOne(rig.store, "bot"), await claimedOne(rig.store, "bot")];
  const woken: string[] = [];
  await rig.store.watch({ wake: (topic) => woken.push(topic), wakeAll: () => woken.push("all") }).ready;
  const results = ["1", Symbol("none") as never];
  const answers = claims.map(({ id, token }, i) => ({ id, token, outcome: "done", result: results[i] ?? "" }) as const);
  expect(await rejection(rig.store.settle(answers))).toBe("INVALID_ARGUMENT");
  expect(woken).toEqual([]);
  expect((await rig.store.read(ids)).map((row) => row?.state)).toEqual(["claimed", "claimed"]);
});

it("waits for another writer without stopping the loop, and goes on when it has finished", async () => {
  const other = writer();
  const answer = inserted(rig.store, {});
  for (let i = 0; i < 20; i += 1) await rig.tick();
  other.stop();
  // Longer than any pause between two looks.
  await rig.advance(20);
  expect(await answer).toHaveLength(1);
});

it("says that the database is locked when another writer does not finish, and works afterwards", async () => {
  const other = writer();
  const refused = rejection(inserted(rig.store, {}));
  await rig.tick();
  await rig.advance(6000);
  await rig.tick();
  expect(await refused).toBe("UNAVAILABLE DATABASE_LOCKED");
  const error: unknown = await Promise.all([inserted(rig.store, {}), rig.tick().then(() => rig.advance(6000))]).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ retryable: true, delivered: "no" });
  other.stop();
  expect(await inserted(rig.store, {})).toHaveLength(1);
});

it("reads while another program writes", async () => {
  const other = writer();
  expect(await rig.store.listAddresses()).toHaveLength(1);
  other.stop();
});

it("says that the disk is full, keeps what was there, and works again when there is room", async () => {
  const small = await openSqliteRig({}, { maxFileBytes: 400_000 });
  try {
    await subscribed(small.store, "bot");
    const args = JSON.stringify(["x".repeat(20_000)]);
    let kept = 0;
    const fill = async (): Promise<never> => {
      for (;;) {
        await inserted(small.store, { args });
        kept += 1;
      }
    };
    const refused: unknown = await fill().catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "DISK_FULL",
      retryable: true,
      delivered: "no",
    });
    expect(kept).toBeGreaterThan(5);
    expect(await small.store.list()).toHaveLength(kept);
    // To end a command takes room as well: somebody makes a little by hand.
    const operator = new DatabaseSync(small.file);
    operator.exec("DELETE FROM rpc_command WHERE id = 1");
    operator.close();
    await small.store.cancel((await small.store.list()).map(({ id }) => ({ id })));
    await small.advance(1000);
    expect(await small.store.prune({ othersMs: 0 })).toBe(kept - 1);
    expect(await inserted(small.store, { args })).toHaveLength(1);
  } finally {
    await small.close();
  }
});

it("says what is wrong with a file that cannot be opened", async () => {
  const missing = createSqliteStore({ file: `${rig.file}-folder/queue.db` });
  expect(await rejection(missing.migrate())).toBe("FAILED_PRECONDITION DATABASE_CANNOT_OPEN");
  mkdirSync(`${rig.file}-folder`);
  // What was wrong may be put right while the program runs.
  expect((await missing.migrate()).version).toBeGreaterThan(0);
  await missing.close();
  writeFileSync(`${rig.file}-text`, "no database".repeat(100));
  const text = createSqliteStore({ file: `${rig.file}-text` });
  expect(await rejection(text.migrate())).toBe("DATA_LOSS DATABASE_CORRUPT");
  await text.close();
  const folder = createSqliteStore({ file: `${rig.file}-folder` });
  expect(await rejection(folder.migrate())).toBe("FAILED_PRECONDITION DATABASE_CANNOT_OPEN");
  await folder.close();
});

it("refuses options that cannot be meant", () => {
  for (const options of [
    { file: "" },
    { file: "x", tablePrefix: "x; DROP TABLE" },
    { file: "x", tablePrefix: "" },
    { file: "x", pollIntervalMs: 0 },
    { file: "x", lockTimeoutMs: Number.NaN },
  ]) {
    expect(() => createSqliteStore(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

it("lets nobody but the owner read its files", async () => {
  await inserted(rig.store, {});
  for (const ending of ["", "-wal", "-shm"]) expect(statSync(rig.file + ending).mode & 0o777).toBe(0o600);
  const open = createSqliteStore({ file: `${rig.file}-group`, fileMode: 0o660 });
  await open.migrate();
  expect(statSync(`${rig.file}-group`).mode & 0o777).toBe(0o660);
  await open.close();
});

it("looks for other processes' commits only while somebody watches", async () => {
  expect(rig.clock.pendingCount).toBe(0);
  const one = rig.store.watch({ wake: () => undefined, wakeAll: () => undefined });
  const two = rig.store.watch({ wake: () => undefined, wakeAll: () => undefined });
  await Promise.all([one.ready, two.ready]);
  expect(rig.clock.pendingCount).toBe(1);
  one.close();
  expect(rig.clock.pendingCount).toBe(1);
  two.close();
  two.close();
  expect(rig.clock.pendingCount).toBe(0);
});

it("leaves no timer behind when it is closed, or watched afterwards", async () => {
  const store = rig.another();
  await store.watch({ wake: () => undefined, wakeAll: () => undefined }).ready;
  await store.close();
  const late = store.watch({ wake: () => undefined, wakeAll: () => undefined });
  expect(await rejection(late.ready)).toBe("FAILED_PRECONDITION CLOSED");
  await rig.tick();
  expect(rig.clock.pendingCount).toBe(0);
});

it("Q07 refuses a transaction on another file", () => {
  const handle = new DatabaseSync(`${rig.file}-other`);
  handle.exec("BEGIN");
  expect(() => rig.store.inTransaction(handle)).toThrow(expect.objectContaining({ reason: "NOT_THIS_STORE" }));
  handle.close();
});

it("wakes by its topics for its own commits, and for all when another connection has committed", async () => {
  const other = rig.another();
  const wakes: string[] = [];
  await rig.store.watch({ wake: (topic) => wakes.push(topic), wakeAll: () => wakes.push("all") }).ready;
  await inserted(rig.store, {});
  await rig.tick();
  expect(wakes.splice(0)).toEqual([commandTopic(ADDRESS)]);
  await inserted(other, {});
  await rig.tick();
  expect(wakes.splice(0)).toEqual(["all"]);
  await rig.tick();
  expect(wakes).toEqual([]);
});

const NOTHING = (): void => undefined;

it("claims in the transaction that makes commands ready, for who offers it, and wakes the others", async () => {
  const heard: unknown[] = [];
  const request = { address: ADDRESS, agent: "bot", incarnation: "bot-1", max: 2, leaseMs: 1000 };
  const taker: WakeListener = {
    wake: (topic) => heard.push(`taker ${topic}`),
    wakeAll: NOTHING,
    claimOn: (topic) =>
      topic === commandTopic(ADDRESS) ? { request, claimed: (answer) => heard.push(answer) } : undefined,
  };
  const faulty: WakeListener = {
    wake: (topic) => heard.push(`faulty ${topic}`),
    wakeAll: NOTHING,
    claimOn: () => {
      throw new Error("its own");
    },
  };
  await Promise.all([taker, faulty].map((listener) => rig.store.watch(listener).ready));
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  await inserted(rig.store, { method: "a" }, { method: "b" }, { method: "c" });
  expect(exec.mock.calls.flat()).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
  expect(heard).toEqual([
    { claims: [expect.objectContaining({ method: "a" }), expect.objectContaining({ method: "b" })] },
    `faulty ${commandTopic(ADDRESS)}`,
  ]);
  expect((await rig.store.list()).map((row) => row.state)).toEqual(["queued", "claimed", "claimed"]);
});

it("tells who claims along nothing when there is no commit", async () => {
  const heard: unknown[] = [];
  const request = { address: ADDRESS, agent: "bot", incarnation: "bot-1", max: 2, leaseMs: 1000 };
  const claimOn = (): ClaimOffer => ({ request, claimed: (answer) => heard.push(answer) });
  await rig.store.watch({ wake: (topic) => heard.push(topic), wakeAll: NOTHING, claimOn }).ready;
  // oxlint-disable-next-line typescript/unbound-method -- called with its database below
  const real = DatabaseSync.prototype.exec;
  vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function exec(this: DatabaseSync, sql) {
    if (sql === "COMMIT") throw new Error("the disk is gone");
    real.call(this, sql);
  });
  expect(await rejection(inserted(rig.store, {}))).toMatch(/^(INTERNAL|UNAVAILABLE)/);
  vi.restoreAllMocks();
  expect(heard).toEqual([]);
  expect(await claimedIds(rig.store, "bot")).toEqual([]);
});

it("says with a wake-up what a command has come to", async () => {
  const told: unknown[] = [];
  await rig.store.watch({ wake: (topic, outcome) => told.push([topic, outcome]), wakeAll: NOTHING }).ready;
  await inserted(rig.store, {}, {}, {});
  for (const outcome of ["done", "failed", "cancelled"] as const) {
    const claim = await claimedOne(rig.store, "bot");
    told.splice(0);
    const value = outcome === "done" ? { outcome, result: "1" } : { outcome, error: '{"code":"X"}' };
    await settled(rig.store, { ...claim, ...value });
    expect(told).toEqual([[resultTopic(claim.id), (await rig.store.outcomes([claim.id]))[0]]]);
  }
});

it("keeps stores with different prefixes apart in one file", async () => {
  const other = createSqliteStore({
    file: rig.file,
    tablePrefix: "my_",
    clock: rig.clock,
    wallClock: () => rig.clock.now(),
  });
  await other.migrate();
  await subscribed(other, "bot");
  await inserted(rig.store, { method: "ours" });
  await inserted(other, { method: "theirs" });
  expect((await other.list()).map((row) => row.method)).toEqual(["theirs"]);
  const claim = await claimedOne(other, "bot");
  expect(await settled(other, { ...claim, outcome: "done", result: "1" })).toBe("done");
  expect((await rig.store.list()).map((row) => row.state)).toEqual(["queued"]);
  expect(await rig.query("SELECT name FROM sqlite_master WHERE name LIKE '%rpc_%' AND tbl_name LIKE 'my_%'")).toEqual(
    [],
  );
  await other.close();
});

const detail = (row: Readonly<Record<string, unknown>>): string => String(row["detail"]);

it("uses an index for each thing that an agent asks again and again", async () => {
  await inserted(rig.store, ...Array.from({ length: 50 }, () => ({ delayMs: 1000, orderingKey: "k" })));
  const statement = vi.spyOn(Connection.prototype, "statement");
  const once = vi.spyOn(Connection.prototype, "once");
  const store = rig.another();
  const claim = { address: ADDRESS, agent: "bot", incarnation: "bot-1", max: 1, leaseMs: 1000 };
  await store.claim([{ ...claim, held: [] }]);
  await store.reap({ agentLostMs: 1000 });
  await store.prune({});
  await store.outcomes([1]);
  await store.list({ states: ["failed"] });
  const asked = [...statement.mock.calls, ...once.mock.calls]
    .map(([sql]) => sql)
    .filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql));
  expect(asked.length).toBeGreaterThan(8);
  for (const sql of asked) {
    const plan = await rig.query(`EXPLAIN QUERY PLAN ${sql}`);
    const scans = plan.filter((row) => detail(row).startsWith("SCAN") && detail(row) !== "SCAN CONSTANT ROW");
    expect({ sql, scans }).toEqual({ sql, scans: [] });
    // Of copies only those that are still queued.
    const all = plan.filter((row) => detail(row).includes("rpc_command_parent (parent_id>?)"));
    expect({ sql, all }).toEqual({ sql, all: [] });
    // What is kept longer is not walked through for what is not.
    const isNarrow =
      !sql.startsWith("DELETE") || plan.some((row) => detail(row).endsWith("(state=? AND finished_at<?)"));
    expect({ sql, isNarrow }).toEqual({ sql, isNarrow: true });
  }
});

it("claims and lists by indexes that do not have what waits for others", async () => {
  await inserted(rig.store, { targetAgent: "bot" }, { orderingKey: "k" }, {});
  await rig.query("UPDATE rpc_command SET id = id + 50000 WHERE id = (SELECT max(id) FROM rpc_command)");
  const statement = vi.spyOn(Connection.prototype, "statement");
  const once = vi.spyOn(Connection.prototype, "once");
  const store = rig.another();
  await store.list({ address: ADDRESS, states: ["done", "queued"] });
  await store.claim([{ address: ADDRESS, agent: "bot", incarnation: "bot-1", max: 5, leaseMs: 1000 }]);
  await store.cancellations([{ id: 1, token: "x" }]);
  const asked = [...statement.mock.calls, ...once.mock.calls].map(([sql]) => sql);
  const planOf = async (part: string): Promise<string> => {
    const sql = asked.filter((text) => text.includes(part)).toSorted((a, b) => b.length - a.length)[0] ?? "";
    return (await rig.query(`EXPLAIN QUERY PLAN ${sql}`)).map(detail).join("\n");
  };
  const claim = await planOf("SET state = 'claimed'");
  expect(claim).toContain("rpc_command_ready (address_id=?)");
  expect(claim.match(/rpc_command_special \(address_id=\? AND <expr>=\? AND <expr>=\?\)/g)).toHaveLength(3);
  expect(claim).not.toMatch(/SCAN (q|o|rpc)/);
  const list = await planOf("c.finished_at IS NOT NULL");
  expect(list).toContain("rpc_command_ended (address_id=?");
  expect(list).not.toMatch(/SCAN (c|rpc)|rpc_command_(finished|undone)/);
  expect(await planOf("AS reason")).toBe("SEARCH rpc_command USING INTEGER PRIMARY KEY (rowid=?)");
});

it("lives with integers that are too large for a number, of a program that writes by itself", async () => {
  const [good = 0] = await inserted(rig.store, {});
  const foreign = new DatabaseSync(rig.file);
  const large = "9223372036854775807";
  foreign.exec(`INSERT INTO rpc_command (address_id, method, not_before, created_at, expires_at, max_attempts, attempts, priority)
    VALUES (1, 'never', 0, ${large}, ${large}, ${large}, ${large}, -9223372036854775807)`);
  foreign.exec(
    `INSERT INTO rpc_command (address_id, method, not_before, delayed, created_at) VALUES (1, 'later', ${large}, 1, 1)`,
  );
  const [answer] = await rig.store.claim([
    { address: ADDRESS, agent: "bot", incarnation: "bot-1", max: 10, leaseMs: 1000 },
  ]);
  expect(answer).toMatchObject({ claims: [{ id: good }, { method: "never" }] });
  expect(await rig.store.list()).toHaveLength(3);
  expect((await rig.store.read([good + 1]))[0]).toMatchObject({ expiresAt: 8_640_000_000_000_000 });
  expect(await rig.store.stats()).toHaveLength(1);
  await rig.advance(2000);
  expect(await rig.store.reap()).toMatchObject({ failed: 2 });
  foreign.close();
});
