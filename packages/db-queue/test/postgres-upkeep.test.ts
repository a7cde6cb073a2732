import { afterEach, beforeEach, expect, it } from "vitest";
import { storeStatements } from "../src/postgres/statements.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";
import { inserted, subscribed } from "./store-rig.ts";

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
