import { sql } from "kysely";
import { expect, test } from "vitest";
import { insertRequest, listBuilds } from "../src/server/store/index.ts";
import { configure, openRig } from "./store-rig.ts";

test("text is looked for in the newest 100,000 builds, or in those before the one that was shown last", async () => {
  await using rig = await openRig("sqlite");
  const { db } = rig.store;
  await configure(rig.store, { pack: {} });
  await insertRequest(db, { builder: "pack", reason: "", by: "ada", at: 1 });
  for (const id of [1, 90_000, 150_000]) {
    await sql`insert into builds (id, request_id, builder_id, number, bot, incarnation, branch, revision, subject, author,
      reason, state, summary, started_at, properties_json, order_json)
      values (${id}, 1, 1, ${id}, 'one', 'x', 'main', '', 'The needle', '', '', 'finished', '', 1, '{}', '')`.execute(
      db,
    );
  }
  const found = async (before?: number): Promise<number[]> =>
    (await listBuilds(db, { search: "NEEDLE", before, limit: 10 })).map(({ id }) => id);
  expect(await found()).toEqual([150_000, 90_000]);
  expect(await found(90_000)).toEqual([1]);
  expect((await listBuilds(db, { limit: 10 })).map(({ id }) => id)).toEqual([150_000, 90_000, 1]);
});
