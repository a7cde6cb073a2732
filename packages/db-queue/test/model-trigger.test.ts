import { afterEach, describe, expect, it } from "vitest";
import { modelTrigger } from "../src/postgres/model-trigger.ts";
import { updatedModelTopic } from "../src/store/store.ts";
import { openPostgresRig } from "./postgres-rig.ts";
import { openSqliteRig } from "./sqlite-rig.ts";
import { Listener, type StoreRig } from "./store-rig.ts";

const rigs: StoreRig[] = [];

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

async function opened<R extends StoreRig>(rig: Promise<R>): Promise<R> {
  rigs.push(await rig);
  return rig;
}

const ODD = `o"rders'; DROP TABLE x --\\ ✓`;
const odd = `"${ODD.replaceAll('"', '""')}"`;

describe("Q22 updated_model: on PostgreSQL", () => {
  it("is heard by whoever watches, in each process, when rows are written or deleted", async () => {
    const rig = await opened(openPostgresRig({}, { schema: "calls" }));
    await rig.admin.query(`CREATE SCHEMA shop; CREATE TABLE shop.${odd} (item text)`);
    const trigger = modelTrigger({ table: ODD, tableSchema: "shop", schema: "calls" });
    // Twice: it replaces itself.
    for (const _ of [1, 2]) await rig.admin.query(trigger.create);
    const topic = updatedModelTopic(ODD);
    for (const change of [
      `INSERT INTO shop.${odd} VALUES ('tea')`,
      `UPDATE shop.${odd} SET item = 'coffee'`,
      `DELETE FROM shop.${odd}`,
      `TRUNCATE shop.${odd}`,
    ]) {
      const listeners = [await Listener.on(rig), await Listener.on(rig, rig.another())];
      await rig.admin.query(change);
      for (const listener of listeners) expect([change, await listener.isWoken(topic)]).toEqual([change, true]);
    }
    await rig.admin.query(trigger.drop);
    const late = await Listener.on(rig);
    await rig.admin.query(`INSERT INTO shop.${odd} VALUES ('tea')`);
    expect(await late.isWoken(topic)).toBe(false);
  });

  it("comes with the commit, not with a rollback, under the model's own name, from writers without rights of the queue", async () => {
    const rig = await opened(openPostgresRig());
    const writer = `${new URL(rig.url).pathname.slice(1)}_writer`;
    await rig.admin.query(
      `CREATE TABLE orders (item text); CREATE ROLE ${writer}; GRANT INSERT ON orders TO ${writer}`,
    );
    await rig.admin.query(modelTrigger({ table: "orders", model: "shop.order" }).create);
    const listener = await Listener.on(rig);
    await rig.admin.query(`SET ROLE ${writer}; BEGIN; INSERT INTO orders VALUES ('tea'); ROLLBACK; RESET ROLE`);
    expect(await listener.isWoken("updated_model:shop.order")).toBe(false);
    await rig.admin.query(`SET ROLE ${writer}; BEGIN; INSERT INTO orders VALUES ('tea'); COMMIT; RESET ROLE`);
    expect(await listener.isWoken("updated_model:shop.order")).toBe(true);
  });

  it("refuses names that are none", () => {
    expect(() => modelTrigger({ table: "" })).toThrow(/table must be/);
    expect(() => modelTrigger({ table: "t", model: "m".repeat(201) })).toThrow(/model must be/);
    expect(() => modelTrigger({ table: "t", tableSchema: "" })).toThrow(/tableSchema must be/);
    expect(() => modelTrigger({ table: "t", schema: 'a"b' })).toThrow(/schema must be/);
  });
});

it("Q22 on SQLite each commit in the file is heard, without a trigger", async () => {
  const rig = await opened(openSqliteRig());
  const listener = await Listener.on(rig);
  const own = await rig.begin();
  (own.handle as import("node:sqlite").DatabaseSync).exec("CREATE TABLE orders (item TEXT) STRICT");
  await own.commit();
  expect(await listener.isWoken(updatedModelTopic("orders"))).toBe(true);
});
