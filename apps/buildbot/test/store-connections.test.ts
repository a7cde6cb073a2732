import { sql } from "kysely";
import { Pool } from "pg";
import { expect, it } from "vitest";
import { openRig } from "./store-rig.ts";

it("a connection that breaks between two statements of a transaction fails the next one, and ends no process", async () => {
  await using rig = await openRig("postgres");
  const admin = new Pool({ connectionString: rig.place, max: 1 });
  try {
    const broken = rig.store.transaction(async (tx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx.db);
      await admin.query("select pg_terminate_backend($1, 10000)", [rows[0]?.pid]);
      // Its last words are read, by whoever listens.
      await new Promise((resolve) => void setImmediate(() => void setImmediate(resolve)));
      await sql`select 1`.execute(tx.db);
    });
    await expect(broken).rejects.toThrow(/terminat|not queryable|closed/iu);
  } finally {
    await admin.end();
  }
  const { rows } = await sql<{ one: number }>`select 1 as one`.execute(rig.store.db);
  expect(rows).toEqual([{ one: 1 }]);
});
