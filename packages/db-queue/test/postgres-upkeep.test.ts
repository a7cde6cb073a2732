import { afterEach, beforeEach, expect, it } from "vitest";
import { storeStatements } from "../src/postgres/statements.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { listCommands, listStatements } from "../src/postgres/list.ts";
import { ClientSession, type Session } from "../src/postgres/connections.ts";
import { postgresSettings } from "../src/postgres/options.ts";
import type { CommandFilter } from "../src/store/store-words.ts";
import { ADDRESS, claimed, inserted, subscribed } from "./store-rig.ts";

let rig: PostgresRig;
beforeEach(async () => {
  rig = await openPostgresRig();
  await subscribed(rig.store, "a");
});
afterEach(() => rig.close());

it("Q59 deletes what is old without a walk through what is kept longer, or has ended since", async () => {
  const ids = await inserted(rig.store, ...Array.from({ length: 300 }, () => ({})));
  const ended = "UPDATE rpc_command SET finished_at = clock_timestamp()";
  await rig.query(`${ended} - interval '20 days', state = 'expired' WHERE id % 3 = 0`);
  await rig.query(`${ended}, state = 'done' WHERE id % 3 <> 0`);
  await rig.query(`${ended} - interval '8 days' WHERE id = ${ids.find((id) => id % 3 !== 0) ?? 0}`);
  await rig.query("ANALYZE rpc_command");
  await rig.query("SET enable_seqscan = off");
  await rig.query("SET plan_cache_mode = force_generic_plan");
  await rig.query(`PREPARE old AS ${storeStatements("public", "app").upkeep.prune.text}`);
  const rows = await rig.query(`EXPLAIN (ANALYZE, BUFFERS OFF) EXECUTE old('done', ${7 * 86_400_000}, 500)`);
  const plan = rows.map((row) => String(row["QUERY PLAN"])).join("\n");
  expect(plan).toMatch(/Index Cond: \(\(state = \$1\) AND \(finished_at <= /);
  expect(plan).not.toContain("Rows Removed");
  expect((await rig.query("SELECT count(*)::int AS left FROM rpc_command"))[0]).toEqual({ left: 299 });
});

/** The most rows that one step of a plan has looked at in vain. */
function mostInVain(plan: string): number {
  return Math.max(0, ...[...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, rows]) => Number(rows)));
}

it("Q10 claims without a walk through what waits for an agent that is away", async () => {
  const away = Array.from({ length: 300 }, () => ({ targetAgent: "b" }));
  const inOrder = Array.from({ length: 300 }, () => ({ targetAgent: "b", orderingKey: "k" }));
  await inserted(rig.store, ...away, ...inOrder);
  await inserted(rig.store, {}, {}, { orderingKey: "l" }, { targetAgent: "a" });
  for (const setting of ["enable_seqscan = off", "enable_sort = off", "plan_cache_mode = force_generic_plan"])
    await rig.query(`SET ${setting}`);
  const { plain, claim } = storeStatements("public", "app").claim;
  const values = `'${ADDRESS}', 10, 'a', 'a-1', 1000`;
  await rig.query(`PREPARE plain AS ${plain.text}`);
  await rig.query(`PREPARE every AS ${claim.text}`);
  for (const call of [`plain(${values})`, `every(${values}, false)`]) {
    const rows = await rig.query(`EXPLAIN (ANALYZE, BUFFERS OFF) EXECUTE ${call}`);
    expect(mostInVain(rows.map((row) => String(row["QUERY PLAN"])).join("\n"))).toBeLessThan(10);
  }
  expect(await rig.query("SELECT count(*)::int AS claimed FROM rpc_command WHERE state = 'claimed'")).toEqual([
    { claimed: 4 },
  ]);
});

/** Plans of all that is asked for, as it runs. */
function planning(): { readonly session: Session; readonly plans: string[] } {
  const plans: string[] = [];
  const running = new ClientSession(rig.admin, postgresSettings({ connection: rig.url, pooler: "transaction" }));
  const session: Session = {
    rows: async (statement, values) => {
      const text = `EXPLAIN (ANALYZE, BUFFERS OFF) ${statement.text}`;
      const plan = await rig.admin.query({ text, values: [...values] });
      plans.push(plan.rows.map((row: Record<string, unknown>) => String(row["QUERY PLAN"])).join("\n"));
      return running.rows(statement, values);
    },
  };
  return { session, plans };
}

it("Q29 lists the commands of one address, of one broadcast, or of a state that few have, without a walk through the others", async () => {
  const [id = 0, failed = 0] = await inserted(rig.store, { broadcast: true }, { method: "failed" });
  await rig.store.ensureAddress("other");
  await inserted(rig.store, ...Array.from({ length: 500 }, () => ({ address: "other" })));
  await rig.query(
    `UPDATE rpc_command SET state = 'done', finished_at = clock_timestamp(), id = id + 50000 WHERE address_id <> (SELECT address_id FROM rpc_command WHERE id = ${id})`,
  );
  await rig.query(`UPDATE rpc_command SET state = 'failed', finished_at = clock_timestamp() WHERE id = ${failed}`);
  await rig.query("ANALYZE rpc_command");
  for (const setting of ["enable_seqscan = off", "enable_sort = off"]) await rig.query(`SET ${setting}`);
  const { session, plans } = planning();
  const list = listStatements((text) => ({ text, name: "" }));
  const listed = async (filter: CommandFilter): Promise<string[]> => {
    plans.length = 0;
    const rows = await listCommands(session, list, filter);
    return rows.map(({ method }) => method);
  };
  // Those of others that are newest are looked through first, and were few.
  const vain = (): number => mostInVain(plans.at(-2) ?? "") + mostInVain(plans.at(-1) ?? "");
  expect(await listed({ address: ADDRESS, limit: 10 })).toEqual(["build", "failed", "build"]);
  expect(vain()).toBeLessThan(10);
  expect(await listed({ parentId: id })).toEqual(["build"]);
  expect(vain()).toBeLessThan(10);
  expect(await listed({ states: ["failed", "expired"] })).toEqual(["failed"]);
  expect(vain()).toBeLessThan(10);
  expect(await listed({ states: ["queued", "waiting", "claimed", "failed"], method: "build" })).toEqual([
    "build",
    "build",
  ]);
  expect(vain()).toBeLessThan(10);
  expect(await listed({ beforeId: failed + 1, limit: 1 })).toEqual(["failed"]);
  expect(plans).toHaveLength(1);
  expect(vain()).toBeLessThan(10);
});

it("Q03 removes an address without a walk through the commands of others, piece by piece", async () => {
  await rig.store.ensureAddress("other");
  await inserted(rig.store, ...Array.from({ length: 500 }, () => ({ address: "other" })));
  await rig.query("UPDATE rpc_command SET state = 'done', finished_at = clock_timestamp()");
  const [id = 0] = await inserted(rig.store, {}, { orderingKey: "k" }, { delayMs: 1000 }, { broadcast: true });
  await rig.query(`UPDATE rpc_command SET state = 'failed', finished_at = clock_timestamp() WHERE id = ${id}`);
  await rig.query("ANALYZE rpc_command");
  for (const setting of ["enable_seqscan = off", "enable_sort = off"]) await rig.query(`SET ${setting}`);
  const [address] = await rig.query(`DELETE FROM rpc_address WHERE name = '${ADDRESS}' RETURNING id`);
  const { removeCommands } = storeStatements("public", "app").addresses;
  await rig.query(`PREPARE remove AS ${removeCommands.text}`);
  const rows = await rig.query(
    `EXPLAIN (ANALYZE, BUFFERS OFF) EXECUTE remove(${String(address?.["id"])}, '${ADDRESS}', '-infinity')`,
  );
  expect(mostInVain(rows.map((row) => String(row["QUERY PLAN"])).join("\n"))).toBeLessThan(10);
  expect(await rig.query("SELECT count(*)::int AS left FROM rpc_command")).toEqual([{ left: 500 }]);
});

it("Q03 removes an address of more commands than one statement deletes", { timeout: 60_000 }, async () => {
  for (let thousand = 0; thousand < 11; thousand += 1)
    await inserted(rig.store, ...Array.from({ length: 1000 }, () => ({})));
  // Most have finished, many of them at the same instant.
  await rig.query(
    "UPDATE rpc_command SET state = 'done', finished_at = created_at - (id % 7) * interval '1 hour' WHERE id % 9 > 0",
  );
  expect(await rig.store.removeAddress(ADDRESS)).toBe(true);
  expect(await rig.query("SELECT count(*)::int AS left FROM rpc_command")).toEqual([{ left: 0 }]);
});

it("lives with instants that never come, of a program that writes by itself, on servers of all versions", async () => {
  const [plain, endless, ancient] = await inserted(rig.store, {}, {}, {}, { delayMs: 1000 });
  await rig.query(`UPDATE rpc_command SET expires_at = 'infinity' WHERE id = ${endless ?? 0}`);
  await rig.query(`UPDATE rpc_command SET not_before = '-infinity' WHERE id = ${ancient ?? 0}`);
  await rig.query("UPDATE rpc_command SET not_before = 'infinity' WHERE delayed");
  expect(await rig.store.stats()).toMatchObject([{ readyCount: 3, delayedCount: 1 }]);
  const claims = await claimed(rig.store, "a");
  expect(claims.map(({ id, remainingMs }) => [id, remainingMs])).toEqual([
    [plain, undefined],
    [endless, undefined],
    [ancient, undefined],
  ]);
  const [empty] = await rig.store.claim([{ address: ADDRESS, agent: "a", incarnation: "a-1", max: 1, leaseMs: 1000 }]);
  expect(empty).toEqual({ claims: [], nextDueMs: undefined });
  await rig.store.settle(claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" })));
  expect(await rig.store.stats()).toMatchObject([{ finished: { done: 3 } }]);
  expect(await rig.store.list()).toHaveLength(4);
  expect(await rig.store.reap({ agentLostMs: 1000 })).toMatchObject({ expired: 0 });
});
