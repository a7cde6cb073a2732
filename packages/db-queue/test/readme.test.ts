import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { programsOf, runProgram } from "../../../tools/readme/programs.ts";
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
