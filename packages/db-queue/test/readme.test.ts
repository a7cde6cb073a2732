import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { blocksOf, programsOf, runProgram } from "../../../tools/readme/programs.ts";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { createDatabase } from "./postgres-database.ts";

const HOME = join(import.meta.dirname, "..");
const programs = programsOf(join(HOME, "README.md"));
const page = readFileSync(join(HOME, "README.md"), "utf8");
const before = process.cwd();
let folder = "";

// Where the programs make their files, and the database that they find in the environment.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rpc-queue-readme-"));
  process.chdir(folder);
  process.env["DATABASE_URL"] = await createDatabase();
}, 60_000);

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

test("the README begins with a program of at most twelve lines", () => {
  expect(programs[0]?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
});

test.each(programs)("$place prints what the README says", (program) => {
  expect(runProgram(program, HOME)).toBe(program.output);
});

test.each([
  ["sqlite/options.ts", "SqliteStoreOptions", "Of `createSqliteStore`"],
  ["postgres/options.ts", "PostgresStoreOptions", "Of `createPostgresStore`"],
  ["issuer/db-queue.ts", "DbQueueOptions", "Of `createDbQueue`"],
  ["issuer/reaper.ts", "ReaperOptions", "Of `createDbQueue`"],
  ["issuer/options.ts", "SendOptions", "Of a command"],
  ["agent/agent-options.ts", "DbQueueAgentOptions", "Of `serveDbQueue`"],
  ["service/create-command-service.ts", "CommandServiceOptions", "Of `createCommandService`"],
  ["service/rights.ts", "CallerRights", "Of `createCommandService`"],
  ["remote/create-remote-store.ts", "RemoteStoreOptions", "Of `createRemoteStore`"],
  ["agent/with-target.ts", "Target", "Of `serveDbQueue`"],
  ["store/store-words.ts", "CommandFilter", "Of `list`, `stats`, `prune`"],
  ["store/store-words.ts", "Retention", "Of `list`, `stats`, `prune`"],
])("%s: the README has every member of %s", (file, name, heading) => {
  const source = readFileSync(join(HOME, "src", file), "utf8");
  const [, members = ""] = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([^]*?)^\\}`, "m").exec(source) ?? [];
  const names = [...members.matchAll(/^ {2}readonly (\w+)/gm)].map(([, member]) => member ?? "");
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((member) => !section.includes(`\`${member}\``))).toEqual([]);
});

test("Q39 nothing of the package listens: both ends are clients of the database, or call a service that others serve", () => {
  const sources = globSync("src/**/*.ts", { cwd: HOME }).map((file) => [file, readFileSync(join(HOME, file), "utf8")]);
  const listening = /node:(?:net|http|https|http2|dgram|tls)\b|\bcreateServer\b|\bWebSocketServer\b/;
  expect(sources.filter(([, text = ""]) => listening.test(text)).map(([file]) => file)).toEqual([]);
  expect(page).toContain("It opens no port, and nobody connects to it.");
});

test("Q60 the README has every metric, and each is a metric of the queue", () => {
  const sources = ["issuer/gauges.ts", "agent/serve-db-queue.ts"].map((file) =>
    readFileSync(join(HOME, "src", file), "utf8"),
  );
  const names = sources.flatMap((source) =>
    [...source.matchAll(/["`](rpc_[\w${}]+)["`]/g)].flatMap(([, name = ""]) =>
      name.includes("${what}") ? ["wait", "run"].map((what) => name.replace("${what}", what)) : [name],
    ),
  );
  const section = page.split(/^#+ /m).find((part) => part.startsWith("Metrics\n")) ?? "";
  const documented = [...section.matchAll(/`(rpc_\w+)`/g)].map(([, name]) => name);
  expect(new Set(documented)).toEqual(new Set(names));
  expect(names.every((name) => name.startsWith("rpc_queue_"))).toBe(true);
});

test("the SQL on the page about operating PostgreSQL runs", { timeout: 60_000 }, async () => {
  const connection = await createDatabase();
  const store = createPostgresStore({ connection });
  await store.migrate();
  await store.close();
  const client = new Client({ connectionString: connection });
  await client.connect();
  try {
    const texts = blocksOf(join(HOME, "../../docs/concepts/db-queue.md")).filter(({ language }) => language === "sql");
    expect(texts.length).toBeGreaterThan(1);
    for (const { text } of texts) await client.query(text);
    await client.query("REINDEX INDEX CONCURRENTLY rpc_command_ready");
  } finally {
    await client.end();
  }
});

test(
  "the SQL on the wire's page issues, and claims: one of an ordering key, and what has fallen due",
  { timeout: 60_000 },
  async () => {
    const connection = await createDatabase();
    const store = createPostgresStore({ connection });
    const queue = createDbQueue(store);
    const foreign = new Client({ connectionString: connection });
    await foreign.connect();
    try {
      await store.migrate();
      const { id } = await queue.ensureAddress("bot:7");
      await store.subscribe({ address: "bot:7", agent: "sql", incarnation: "sql-1" });
      await Promise.all(
        [
          { orderingKey: "a" },
          { orderingKey: "a" },
          { delay: 1 },
          { delay: "1h" },
          { priority: 1 },
          { targetAgent: "another" },
        ].map((options) => queue.send("bot:7", "run", [], {}, options).accepted),
      );
      await foreign.query("SELECT pg_sleep(0.01)");
      const [issuing = "", claiming = ""] = blocksOf(join(HOME, "../../docs/wire/db-queue.md"))
        .filter(({ language }) => language === "sql")
        .map(({ text }) => text);
      const woken: string[] = [];
      const watch = store.watch({ wake: (topic) => woken.push(topic), wakeAll: () => undefined });
      await watch.ready;
      await foreign.query(issuing);
      await vi.waitFor(() => expect(woken).toContain("command on: bot:7"));
      watch.close();
      expect((await queue.list({ limit: 1 }))[0]).toMatchObject({
        id: 7,
        method: "add",
        args: "[2, 3]",
        createdBy: "nightly.sh",
      });
      const [due = "", claim = ""] = claiming.split(/;\n+/);
      await foreign.query(due, [id]);
      const { rows } = await foreign.query<{ id: string }>(claim, [id, 10, "sql", "sql-1", "30 s"]);
      expect(rows.map((row) => Number(row.id)).toSorted((a, b) => a - b)).toEqual([1, 3, 5, 7]);
      const states = (await queue.list({ address: "bot:7" })).map((row) => row.state).toReversed();
      expect(states).toEqual(["claimed", "queued", "claimed", "queued", "claimed", "queued", "claimed"]);
    } finally {
      await foreign.end();
      await queue.close();
      await store.close();
    }
  },
);
