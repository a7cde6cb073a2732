import { fork } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "pg";
import { expect, it } from "vitest";
import { Connections, connectionConfig, createPool } from "../src/postgres/connections.ts";
import { migrate } from "../src/postgres/migrate.ts";
import { postgresSettings } from "../src/postgres/options.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import { createDatabase, query } from "./postgres-database.ts";
import { dumpSchema } from "./postgres-schema.ts";
import { ADDRESS, claimed, rejection, subscribed } from "./store-rig.ts";

const OURS = new URL("../migrations/postgres/", import.meta.url);

async function withStore<T>(
  options: Parameters<typeof createPostgresStore>[0],
  run: (store: QueueStore) => Promise<T>,
): Promise<T> {
  const store = createPostgresStore(options);
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

const migrated = (options: Parameters<typeof createPostgresStore>[0]): Promise<unknown> =>
  withStore(options, (store) => store.migrate());

it("Q62 makes the schema that is written down (vitest -u writes it)", async () => {
  const url = await createDatabase();
  await migrated({ connection: url, notify: "trigger" });
  await expect(await dumpSchema(url)).toMatchFileSnapshot("../migrations/postgres/schema.sql");
});

it("Q62 brings a database of the first version up to date, with what is in it", async () => {
  const url = await createDatabase();
  const folder = mkdtempSync(join(tmpdir(), "rpc-migrations-"));
  const settings = postgresSettings({ connection: url });
  const connections = new Connections(settings, createPool(connectionConfig(settings)), true);
  try {
    const [first = "", ...others] = readdirSync(OURS)
      .filter((file) => /^\d{4}-/.test(file))
      .toSorted();
    copyFileSync(new URL(first, OURS), join(folder, first));
    expect((await migrate(connections, settings, pathToFileURL(`${folder}/`))).applied).toEqual([1]);
    await query(url, `INSERT INTO rpc_address (name) VALUES ('${ADDRESS}')`);
    await query(
      url,
      `INSERT INTO rpc_command (address_id, method, not_before, ordering_key, state, finished_at, result) VALUES
         (1, 'plain', now(), NULL, 'queued', NULL, NULL), (1, 'keyed', now(), 'k', 'queued', NULL, NULL),
         (1, 'later', now() + interval '1 hour', NULL, 'queued', NULL, NULL), (1, 'over', now(), NULL, 'done', now(), '7')`,
    );
    await withStore({ connection: url, notify: "trigger" }, async (store) => {
      expect((await store.migrate()).applied).toHaveLength(others.length);
      await subscribed(store, "bot");
      const claims = await claimed(store, "bot");
      expect(claims.map(({ method }) => method)).toEqual(["plain", "keyed"]);
      expect(await store.stats()).toMatchObject([{ delayedCount: 1, claimedCount: 2, finished: { done: 1 } }]);
      expect((await store.list({ address: ADDRESS, states: ["done"] }))[0]).toMatchObject({
        method: "over",
        result: "7",
      });
    });
    // The same as from nothing.
    const schema = new URL("../migrations/postgres/schema.sql", import.meta.url);
    expect(await dumpSchema(url)).toBe(readFileSync(schema, "utf8"));
  } finally {
    await connections.close();
    rmSync(folder, { recursive: true });
  }
});

it("Q62 makes the same in a schema of its own, and leaves the others alone", async () => {
  const url = await createDatabase();
  await migrated({ connection: url, notify: "trigger", schema: "select" });
  const [row] = await query<{ count: string }>(
    url,
    "SELECT count(*) FROM pg_class WHERE relname LIKE 'rpc%' AND relnamespace <> to_regnamespace('\"select\"')",
  );
  expect(row?.count).toBe("0");
});

it("Q62 is done by one of eight processes that start at once", async () => {
  const url = await createDatabase();
  const reports = await Promise.all(
    Array.from(
      { length: 8 },
      () =>
        new Promise<{ applied: number[]; version: number }>((resolve, reject) => {
          const child = fork(new URL("postgres-process.ts", import.meta.url), ["migrate", url]);
          child.once("message", (message) => {
            resolve(message as { applied: number[]; version: number });
          });
          child.once("error", reject);
          child.once("exit", (code) => {
            reject(new Error(`exit ${String(code)}`));
          });
        }),
    ),
  );
  expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
  expect(new Set(reports.map(({ version }) => version)).size).toBe(1);
});

it("Q62 waits for another process that migrates for as long as that takes", async () => {
  const url = await createDatabase();
  const other = new Client({ connectionString: url });
  await other.connect();
  await other.query("SELECT pg_advisory_lock(hashtextextended('rpc db-queue public', 0))");
  const made = migrated({ connection: url, statementTimeoutMs: 100 });
  await other.query("SELECT pg_sleep(1.3)");
  await other.query("SELECT pg_advisory_unlock(hashtextextended('rpc db-queue public', 0))");
  expect(await made).toMatchObject({ applied: expect.arrayContaining([1]) });
  await other.end();
});

it("makes triggers where they are to wake, and removes them where they are not", async () => {
  const url = await createDatabase();
  const triggers = async (): Promise<number> =>
    (await query(url, "SELECT 1 FROM pg_trigger WHERE NOT tgisinternal")).length;
  for (const [notify, count] of [
    ["app", 0],
    ["trigger", 2],
    ["trigger", 2],
    ["off", 0],
  ] as const) {
    await migrated({ connection: url, notify });
    expect(await triggers()).toBe(count);
  }
});

it("says that a migration was changed after it was made", async () => {
  const url = await createDatabase();
  await migrated({ connection: url });
  await query(url, "UPDATE rpc_migration SET checksum = 'x' WHERE number = 1");
  expect(await rejection(migrated({ connection: url }))).toBe("FAILED_PRECONDITION MIGRATION_CHANGED");
});

it("H176 refuses a schema's name that would have to be quoted, and options that mean nothing", () => {
  const open = (options: object): unknown => createPostgresStore({ connection: "postgres://localhost/x", ...options });
  for (const options of [
    { schema: 'a"; DROP TABLE rpc_command; --' },
    { schema: "" },
    { schema: "Upper" },
    { notify: "loud" },
    { maxConnections: 0 },
    { keepAliveMs: Number.NaN },
  ]) {
    expect(() => open(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
  expect(() => open({ connection: "no url" })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

it("never tells a password", () => {
  const store = createPostgresStore({ connection: "postgres://me:secret@db.example:5433/queue?password=secret" });
  expect(store.endpoint).toBe("postgres://db.example:5433/queue/public");
});
