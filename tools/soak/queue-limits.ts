/** What the database queue bears: what a claim costs with much in the table, and what operators' verbs do. Prints two tables. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { createPostgresStore, createSqliteStore, type QueueStore } from "../../packages/db-queue/src/index.ts";
import { execute } from "../../packages/db-queue/test/chaos-sql.ts";
import { startPostgres, type TestServer } from "../../packages/db-queue/test/embedded-postgres.ts";
import { freshDatabase } from "./queue-postgres.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, store: { type: "string" }, only: { type: "string" } },
});
const ROWS = Number(values.rows);
const ADDRESS = "bot:7";
const AGENT = { address: ADDRESS, agent: "seven", incarnation: "seven-1" };
const CLAIMS = 100;
const TEXT = "x".repeat(100);

/** A database that can be filled with SQL: `n` counts from 1, `at` is an instant of long ago. */
interface Ground {
  readonly name: string;
  readonly store: QueueStore;
  fill(count: number, columns: Readonly<Record<string, string>>): Promise<void>;
  run(sql: string): Promise<void>;
  /** After it has been filled. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

interface Load {
  readonly what: string;
  readonly fill: (ground: Ground) => Promise<void>;
}

const queued = { state: "'queued'", method: "'waits'", args: `'["${TEXT}"]'` };
const done = {
  ...queued,
  state: "'done'",
  method: "'done'",
  finished_at: "at",
  claimed_at: "at",
  result: `'"${TEXT}"'`,
};
const TENTH = ROWS / 10;
const FIFTIETH = ROWS / 50;

const LOADS: readonly Load[] = [
  { what: "nothing", fill: async () => undefined },
  { what: `${count(ROWS)} finished ones`, fill: (ground) => ground.fill(ROWS, done) },
  { what: `${count(ROWS)} that could start`, fill: (ground) => ground.fill(ROWS, queued) },
  {
    what: `${count(TENTH)} delayed by an hour`,
    fill: (ground) => ground.fill(TENTH, { ...queued, delayed: "true", not_before: "later" }),
  },
  {
    what: `${count(TENTH)} for an agent that is away`,
    fill: (ground) => ground.fill(TENTH, { ...queued, target_agent: "'away'" }),
  },
  {
    what: `${count(FIFTIETH)} of one ordering key`,
    fill: (ground) => ground.fill(FIFTIETH, { ...queued, ordering_key: "'k'" }),
  },
  {
    what: `${count(FIFTIETH)} of as many ordering keys`,
    fill: (ground) => ground.fill(FIFTIETH, { ...queued, ordering_key: "'k' || n" }),
  },
  {
    what: `${count(FIFTIETH)} addresses, with a command each`,
    fill: async (ground) => {
      await ground.run(
        `INSERT INTO rpc_address (name, created_at) SELECT 'other:' || n, at FROM (${numbers(ground, FIFTIETH)}) AS numbers`,
      );
      await ground.fill(FIFTIETH, { ...queued, address_id: "n + 1" });
    },
  },
];

function count(rows: number): string {
  return rows.toLocaleString("en");
}

function numbers(ground: Ground, most: number): string {
  return ground.name === "PostgreSQL"
    ? `SELECT n, clock_timestamp() - interval '1 day' AS at, clock_timestamp() + interval '1 hour' AS later FROM generate_series(1, ${most}) AS n`
    : `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${most}) SELECT n, ${Date.now() - 86_400_000} AS at, ${Date.now() + 3_600_000} AS later FROM c`;
}

async function openGround(store: "postgres" | "sqlite", server: TestServer | undefined): Promise<Ground> {
  const insert = (ground: Ground, most: number, columns: Readonly<Record<string, string>>): string => {
    const all: Readonly<Record<string, string>> = { address_id: "1", not_before: "at", created_at: "at", ...columns };
    return `INSERT INTO rpc_command (${Object.keys(all).join(", ")}) SELECT ${Object.values(all).join(", ")} FROM (${numbers(ground, most)}) AS numbers`;
  };
  const ready = async (ground: Ground): Promise<Ground> => {
    await ground.store.migrate();
    await ground.store.ensureAddress(ADDRESS);
    return ground;
  };
  if (server !== undefined) {
    const url = await freshDatabase(server.url());
    const opened = createPostgresStore({ connection: url, statementTimeoutMs: 300_000 });
    const ground: Ground = {
      name: "PostgreSQL",
      store: opened,
      run: async (sql) => void (await execute(url, sql)),
      fill: (most, columns) => ground.run(insert(ground, most, columns)),
      settle: async () => {
        await ground.run("VACUUM (ANALYZE)");
        await ground.run("CHECKPOINT");
      },
      close: () => opened.close(),
    };
    return ready(ground);
  }
  const folder = mkdtempSync(join(tmpdir(), "rpc-limits-"));
  const file = join(folder, "queue.db");
  const opened = createSqliteStore({ file });
  const ground: Ground = {
    name: "SQLite",
    store: opened,
    run: async (sql) => {
      const database = new DatabaseSync(file);
      database.exec(`PRAGMA busy_timeout = 10000; ${sql}`);
      database.close();
    },
    fill: (most, columns) => ground.run(insert(ground, most, columns)),
    settle: () => ground.run("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)"),
    close: async () => {
      await opened.close();
      rmSync(folder, { recursive: true });
    },
  };
  return ready(ground);
}

/** Half of them are quicker, in milliseconds. */
async function claims({ store }: Ground): Promise<number> {
  const took: number[] = [];
  for (let claim = 0; claim < CLAIMS; claim += 1) {
    await store.insert([{ address: ADDRESS, method: "new" }]);
    const began = performance.now();
    const [answer] = await store.claim([{ ...AGENT, max: 1, leaseMs: 30_000 }]);
    took.push(performance.now() - began);
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error("no answer");
    const answers = answer.claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" }) as const);
    if (answers.length !== 1) throw new Error(`${answers.length} claims`);
    await store.settle(answers);
  }
  return took.toSorted((a, b) => a - b)[CLAIMS / 2] ?? Number.NaN;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

/** With as many finished commands, of which a tenth are of the one address, failed and old. */
async function verbs(ground: Ground): Promise<readonly (readonly [what: string, ms: number])[]> {
  const { store } = ground;
  await store.ensureAddress("other");
  await ground.fill(ROWS - TENTH, { ...done, address_id: "2" });
  await ground.fill(TENTH, { ...done, state: "'failed'", method: "'failed'" });
  await ground.settle();
  const taken: [string, number][] = [];
  const take = async (what: string, run: () => Promise<unknown>): Promise<void> => {
    taken.push([what, await timed(run)]);
  };
  await take("list: 100 of the address", () => store.list({ address: ADDRESS }));
  await take("list: 100 that have failed", () => store.list({ states: ["failed"] }));
  await take("list: what is claimed", () => store.list({ states: ["claimed"] }));
  await take("list: a method that there is not, through all", () => store.list({ method: "nothing" }));
  await take("stats", () => store.stats());
  await take(`prune: ${count(TENTH / 10)} of the failed, by 500`, async () => {
    for (let gone = 0; gone < TENTH / 10; gone += 500) await store.prune({ doneMs: 1e11, othersMs: 0, limit: 500 });
  });
  await take(`removeAddress, with the other ${count(TENTH - TENTH / 10)}`, () => store.removeAddress(ADDRESS));
  return taken;
}

const tables = { claims: new Map<string, string[]>(), verbs: new Map<string, string[]>() };
const note = (table: Map<string, string[]>, what: string, ms: number): void => {
  table.set(what, [...(table.get(what) ?? []), ms < 10 ? ms.toFixed(1) : ms.toFixed(0)]);
};
for (const store of ["postgres", "sqlite"] as const) {
  if ((values.store ?? store) !== store) continue;
  const server = store === "postgres" ? await startPostgres({ settings: ["shared_buffers=128MB"] }) : undefined;
  try {
    for (const { what, fill } of values.only === "verbs" ? [] : LOADS) {
      const ground = await openGround(store, server);
      await fill(ground);
      await ground.settle();
      await ground.store.subscribe(AGENT);
      const ms = await claims(ground);
      console.log(`${ground.name}, ${what}: a claim takes ${ms.toFixed(2)} ms`);
      note(tables.claims, what, ms);
      await ground.close();
    }
    const ground = await openGround(store, server);
    for (const [what, ms] of await verbs(ground)) {
      console.log(`${ground.name}, ${what}: ${ms.toFixed(1)} ms`);
      note(tables.verbs, what, ms);
    }
    await ground.close();
  } finally {
    await server?.stop();
  }
}
for (const [title, table] of Object.entries(tables)) {
  console.log(
    `\n| ${title} |${(values.store === undefined ? ["PostgreSQL, ms", "SQLite, ms"] : [values.store]).map((name) => ` ${name} |`).join("")}`,
  );
  for (const [what, ms] of table) console.log(`| ${what} | ${ms.join(" | ")} |`);
}
