import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pendingMigrations, readMigrations } from "../src/migrations.ts";
import { Connection } from "../src/sqlite/connection.ts";
import { migrate } from "../src/sqlite/migrate.ts";
import { Work } from "../src/sqlite/work.ts";
import { type SqliteRig, openSqliteRig } from "./sqlite-rig.ts";
import { ADDRESS, claimedIds, inserted, rejection, subscribed } from "./store-rig.ts";

const OURS = new URL("../migrations/sqlite/", import.meta.url);
const FILES = readdirSync(OURS)
  .filter((file) => /^\d{4}-/.test(file))
  .toSorted();

let folder: string;
let rig: SqliteRig;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rpc-migrations-"));
  rig = await openSqliteRig({ migrated: false });
});
afterEach(async () => {
  await rig.close();
  rmSync(folder, { recursive: true });
});

/** As a package would that has only these files. */
function migrateWith(files: readonly string[]): readonly number[] {
  for (const file of files) copyFileSync(new URL(file, OURS), join(folder, file));
  const database = new DatabaseSync(rig.file);
  try {
    const work = new Work(new Connection(database, "rpc_"), { wallClock: () => 1, random: () => 0 });
    return migrate(work, pathToFileURL(`${folder}/`)).applied;
  } finally {
    database.close();
  }
}

it("Q62 makes the schema that is written down (vitest -u writes it)", async () => {
  const other = await openSqliteRig();
  const rows = await other.query(
    "SELECT tbl_name, type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY tbl_name, type DESC, name",
  );
  await other.close();
  const text = `${rows.map(({ sql }) => `${String(sql)};`).join("\n\n")}\n`;
  await expect(text).toMatchFileSnapshot("../migrations/sqlite/schema.sql");
});

it("Q62 brings a database of the first version up to date, with what is in it", async () => {
  const [first = "", ...others] = FILES;
  expect(migrateWith([first])).toEqual([1]);
  const handle = new DatabaseSync(rig.file);
  handle.exec(`INSERT INTO rpc_address (name, created_at) VALUES ('${ADDRESS}', 1)`);
  handle.exec("INSERT INTO rpc_command (address_id, method, not_before, created_at) VALUES (1, 'old', 1, 1)");
  handle.close();
  const report = await rig.store.migrate();
  expect(report.applied).toHaveLength(others.length);
  await subscribed(rig.store, "bot");
  expect(await claimedIds(rig.store, "bot")).toEqual([1]);
});

it("Q62 makes the same tables at once and step by step", async () => {
  for (const file of FILES) migrateWith([file]);
  const stepwise = await rig.query("SELECT name, sql FROM sqlite_master ORDER BY name");
  const other = await openSqliteRig();
  expect(await other.query("SELECT name, sql FROM sqlite_master ORDER BY name")).toEqual(stepwise);
  await other.close();
});

it("Q62 applies a new file once, and notices an old one that was changed", async () => {
  const next = FILES.length + 1;
  const file = join(folder, `${String(next).padStart(4, "0")}-note.sql`);
  migrateWith(FILES);
  writeFileSync(file, "ALTER TABLE rpc_command ADD COLUMN note TEXT;");
  expect(migrateWith([])).toEqual([next]);
  expect(migrateWith([])).toEqual([]);
  // An older package finds a newer database, and works with it.
  const report = await rig.store.migrate();
  expect(report).toEqual({ applied: [], version: next });
  await subscribed(rig.store, "bot");
  expect(await inserted(rig.store, {})).toHaveLength(1);
  writeFileSync(file, "ALTER TABLE rpc_command ADD COLUMN other TEXT;");
  expect(() => migrateWith([])).toThrow(
    expect.objectContaining({ code: "FAILED_PRECONDITION", reason: "MIGRATION_CHANGED" }),
  );
});

it("leaves a database as it was when a migration fails in its middle", async () => {
  const other = await openSqliteRig({ migrated: false });
  const handle = new DatabaseSync(other.file);
  // In the way of the last table.
  handle.exec("CREATE TABLE rpc_wake (x)");
  expect(await rejection(other.store.migrate())).toBe("INTERNAL");
  expect(handle.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()).toEqual([{ name: "rpc_wake" }]);
  handle.exec("DROP TABLE rpc_wake");
  handle.close();
  expect((await other.store.migrate()).applied).toEqual(readMigrations("sqlite").map(({ number }) => number));
  await other.close();
});

it("numbers its files without gaps, for both databases", () => {
  for (const database of ["sqlite", "postgres"] as const) {
    const migrations = readMigrations(database);
    expect(migrations.map((migration) => migration.number)).toEqual(migrations.map((_, index) => index + 1));
    expect(pendingMigrations(migrations, [])).toEqual(migrations);
    expect(pendingMigrations(migrations, migrations)).toEqual([]);
  }
  expect(readFileSync(new URL("0001-commands.sql", OURS), "utf8")).toContain("STRICT");
});
