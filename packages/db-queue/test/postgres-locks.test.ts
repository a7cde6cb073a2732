import type { Client } from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { ADDRESS, agentRef, claimed, good, inserted, refusal, subscribed } from "./store-rig.ts";

let rig: PostgresRig;
beforeEach(async () => {
  rig = await openPostgresRig();
  await subscribed(rig.store, "a", "b");
});
afterEach(() => rig.close());

const LOCKED = "UNAVAILABLE DATABASE_LOCKED";

it("renews and ends what nobody has locked, and tells of the rest to try again", async () => {
  await inserted(rig.store, {}, {}, {});
  const claims = await claimed(rig.store, "a");
  const stranger = await rig.begin();
  // An operator's cancel, not committed yet.
  await rig.store.inTransaction(stranger.handle).cancel([{ id: claims[1]?.id ?? 0 }]);

  const extended = await rig.store.extend(claims.map(({ id, token }) => ({ id, token, leaseMs: 30_000 })));
  expect(extended.map((row) => (row instanceof Error ? refusal(row) : "renewed"))).toEqual([
    "renewed",
    LOCKED,
    "renewed",
  ]);
  expect(await rig.store.keepAlive([agentRef("a")])).toEqual([undefined]);
  const events = await rig.store.appendEvents(
    claims.map(({ id, token }) => ({ id, token, events: [{ kind: "log", data: "1" }] })),
  );
  expect(events.map((row) => (row instanceof Error ? refusal(row) : row.seq))).toEqual([1, LOCKED, 1]);
  const answers = claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" }) as const);
  const settled = await rig.store.settle(
    answers.map((answer, i) => (i === 0 ? { ...answer, token: "nobody's" } : answer)),
  );
  expect(settled.map((row) => (row instanceof Error ? refusal(row) : row.state))).toEqual([
    "UNAVAILABLE LEASE_LOST",
    LOCKED,
    "done",
  ]);
  await stranger.commit();
  expect(good((await rig.store.settle(answers.slice(1, 2)))[0]).state).toBe("done");
});

it("answers for a copy later, while somebody holds its broadcast", async () => {
  const [id = 0] = await inserted(rig.store, { broadcast: true });
  const copies = [...(await claimed(rig.store, "a")), ...(await claimed(rig.store, "b"))];
  const [plain] = await inserted(rig.store, {});
  const plainClaims = await claimed(rig.store, "a");
  const stranger = await rig.begin();
  await (stranger.handle as Client).query("SELECT 1 FROM rpc_command WHERE id = $1 FOR UPDATE", [id]);
  const answers = [...copies, ...plainClaims].map(
    (each) => ({ id: each.id, token: each.token, outcome: "done", result: "1" }) as const,
  );
  const settled = await rig.store.settle(answers);
  expect(settled.map((row) => (row instanceof Error ? refusal(row) : row.state))).toEqual([LOCKED, LOCKED, "done"]);
  await stranger.rollback();
  await rig.store.settle(answers);
  expect((await rig.store.outcomes([id, plain ?? 0])).map((row) => row?.state)).toEqual(["done", "done"]);
});

it("inserts all but what has an idempotency key, or an address, of somebody's open transaction", async () => {
  await rig.store.ensureAddress("other");
  const stranger = await rig.begin();
  await rig.store.inTransaction(stranger.handle).insert([{ address: ADDRESS, method: "m", idempotencyKey: "k5" }]);
  const keyed = Array.from({ length: 8 }, (_, i) => ({ address: ADDRESS, method: "m", idempotencyKey: `k${i}` }));
  const rows = await rig.store.insert([{ address: ADDRESS, method: "m" }, ...keyed, { address: ADDRESS, method: "n" }]);
  expect(rows.map((row) => (row instanceof Error ? refusal(row) : row.state))).toEqual([
    ...Array.from({ length: 6 }, () => "queued"),
    LOCKED,
    ...Array.from({ length: 3 }, () => "queued"),
  ]);
  expect(rows[6]).toMatchObject({ delivered: "no", retryable: true });

  await (stranger.handle as Client).query("SELECT 1 FROM rpc_address WHERE name = 'other' FOR UPDATE");
  const apart = await rig.store.insert([
    { address: "other", method: "m" },
    { address: ADDRESS, method: "m" },
  ]);
  expect(apart.map((row) => (row instanceof Error ? refusal(row) : row.state))).toEqual([LOCKED, "queued"]);
  await stranger.commit();
  expect(good((await rig.store.insert(keyed.slice(5, 6)))[0]).existing).toBe(true);
});

it("waits inside of the caller's transaction as long as the caller wants", async () => {
  const stranger = await rig.begin();
  const command = { address: ADDRESS, method: "m", idempotencyKey: "k" };
  const [made] = await rig.store.inTransaction(stranger.handle).insert([command]);
  const own = await rig.begin();
  const waiting = rig.store.inTransaction(own.handle).insert([command]);
  await rig.query("SELECT pg_sleep(0.7)");
  await stranger.commit();
  expect(good((await waiting)[0])).toMatchObject({ id: good(made).id, existing: true });
  const { rows } = await (own.handle as Client).query("SHOW lock_timeout");
  expect(rows).toEqual([{ lock_timeout: "0" }]);
  await own.commit();
});

it("locks copies before their broadcast, whoever answers and whoever cancels", { timeout: 30_000 }, async () => {
  const agents = Array.from({ length: 10 }, (_, i) => `agent${i}`);
  await subscribed(rig.store, ...agents);
  const deadlocks = "SELECT deadlocks::int AS count FROM pg_stat_database WHERE datname = current_database()";
  for (let round = 0; round < 10; round += 1) {
    const [id = 0] = await inserted(rig.store, { broadcast: true });
    const claims = (await Promise.all(agents.map((agent) => claimed(rig.store, agent)))).flat();
    await Promise.all([
      ...claims.map((claim) => rig.store.settle([{ id: claim.id, token: claim.token, outcome: "done", result: "1" }])),
      rig.store.cancel([{ id }]),
    ]);
    await Promise.all(["a", "b"].map((agent) => claimed(rig.store, agent)));
  }
  // Version 14 has no such function, and writes by itself in this time.
  await rig.query("SELECT pg_stat_force_next_flush()").catch(() => undefined);
  await rig.query("SELECT pg_sleep(1.1)");
  expect(await rig.query(deadlocks)).toEqual([{ count: 0 }]);
});
