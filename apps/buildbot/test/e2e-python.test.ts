// The program of the README: Python with nothing but its standard library wishes for a build, waits for it, and reads what came of it.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { createDatabase } from "../../../packages/db-queue/test/postgres-database.ts";
import { House } from "./e2e-rig.ts";
import { DATABASES } from "./store-rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const README = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
const TAP = String.raw`printf 'TAP version 14\n1..2\nok 1 - stands\nnot ok 2 - falls\n'`;

test.each(DATABASES)("a Python script triggers a build and reads its result, on %s", async (kind) => {
  const databaseUrl = kind === "postgres" ? await createDatabase() : undefined;
  await using house = await House.start({ databaseUrl });
  await house.configure({ tests: { steps: [{ name: "test", command: TAP, tests: "tap" }] } });
  await house.startBot("one");
  const [, program = ""] = /```python\n([\s\S]*?)```/.exec(README) ?? [];
  const script = program.replace("127.0.0.1:8010", new URL(house.pageUrl).host);
  expect(script).not.toBe(program);
  const { stdout } = await promisify(execFile)("python3", ["-c", script], {
    env: { ...process.env, BUILDBOT_TOKEN: house.admin },
  });
  expect(stdout.split("\n")).toEqual(["failure", "stands pass", "falls fail", ""]);
});
