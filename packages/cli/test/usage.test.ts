import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRig, type Rig, run, runWithoutReader, start } from "./rig.ts";

const SECRET = "hunter2-sec/ret";
const URL = `postgres://user:${SECRET}@127.0.0.1:1/db`;
let rig: Rig;

beforeAll(async () => {
  rig = await openRig("sqlite");
  await rig.queue.ensureAddress("bot:7");
  await Promise.all(Array.from({ length: 50 }, () => rig.queue.send("bot:7", "build").accepted));
});

afterAll(() => rig.close());

test.each([
  [["lss"], "unknown command 'lss' (Did you mean ls?)"],
  [["ls", "--stat", "failed"], "unknown option '--stat'"],
  [["ls", "--state", "lost"], "It is one of queued, waiting"],
  [["ls", "--limit", "0"], "whole number from 1"],
  [["ls", "--older-than", "5"], "number and its unit"],
  [["show", "main"], "whole number above 0"],
  [["show"], "missing required argument 'id'"],
  [["cancel"], "missing required argument 'id'"],
  [["ls"], "no database"],
  [
    ["ls", "--database", "mysql://user:secret@host/db"],
    "must be sqlite:<file> or postgres://user@host/database, got mysql:…",
  ],
  [["ls", "--database", "sqlite::memory:"], "needs a file"],
  [["ls", "--database", "sqlite:x", "--schema", "s"], "--schema is for PostgreSQL only"],
  [["ls", "--database", "postgres://h/db", "--table-prefix", "p_"], "--table-prefix is for SQLite only"],
])("%j: exit code 2, and one line that says what is wrong", async (args, text) => {
  const { code, out, error } = await run(args);
  expect([code, out]).toEqual([2, ""]);
  expect(error).toContain(text);
  expect(error).toMatch(/^rpc-queue: [^\n]+\n$/);
});

test("without a verb it says which there are", async () => {
  expect(await run([])).toMatchObject({ code: 2, out: "", error: expect.stringMatching(/^Usage: rpc-queue/) });
});

test("--help and --version are no mistakes", async () => {
  expect(await run(["--help"])).toMatchObject({ code: 0, out: expect.stringContaining("Exit codes: 0") });
  expect(await run(["ls", "--help"])).toMatchObject({ code: 0, out: expect.stringContaining("--database") });
  expect(await run(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test("a file that is not there is not made by looking", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rpc-queue-cli-"));
  try {
    const database = `sqlite:${join(folder, "queue.db")}`;
    expect(await run(["ls"], { DATABASE_URL: database })).toMatchObject({
      code: 1,
      error: expect.stringContaining("make it with `rpc-queue migrate`"),
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(await run(["migrate", "--database", database])).toMatchObject({ code: 0 });
    expect(await run(["ls", "--database", database], { RPC_QUEUE_DATABASE: "sqlite:other" })).toEqual({
      code: 0,
      out: "",
      error: "",
    });
    expect(await run(["ls", "--database", database, "--table-prefix", "other_"])).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^rpc-queue: [^\n]*make the tables with `rpc-queue migrate`\n$/),
    });
    writeFileSync(join(folder, "text"), "no database, but longer than a header of one would be, by far ".repeat(20));
    expect(await run(["ls", "--database", `sqlite:${join(folder, "text")}`])).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^rpc-queue: [^\n]*no SQLite database\n$/),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  [["ls", "--database", URL]],
  [["ls", "--debug", "--database", URL]],
  [["ls", "--databse", URL]],
  [["ls", `--databse=${URL}`]],
  [["ls", URL]],
  [[URL]],
  [["ls", "--debug", "--database", `postgres://user:${SECRET}@no such host/db`]],
  [["ls", "--debug", "--database", `postgres://127.0.0.1:1/db?user=u&password=${SECRET}`]],
])("%j: no password is printed", async (args) => {
  const { code, out, error } = await run(args);
  expect(code).toBeGreaterThan(0);
  expect(error).not.toBe("");
  expect(out + error).not.toContain("hunter2");
});

test("a stack is for --debug alone", async () => {
  expect((await rig.run("show", "999")).error).toMatch(/^[^\n]+\n$/);
  expect((await rig.run("show", "999", "--debug")).error).toMatch(/\n +at /);
});

test("whoever stops reading makes no error of it", async () => {
  const env = { RPC_QUEUE_DATABASE: rig.url };
  expect(await runWithoutReader(["ls", "--json"], env)).toMatchObject({ code: 0, error: "" });
  expect(await runWithoutReader(["tail"], env)).toMatchObject({ code: 0, error: "" });
  expect(await runWithoutReader(["stats", "--watch", "--every", "100ms"], env)).toMatchObject({ code: 0, error: "" });
});

test("colours are for a terminal, or for who asks", async () => {
  const env = { RPC_QUEUE_DATABASE: rig.url };
  const isColoured = async (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<boolean> =>
    (await run(["show", "1", ...args], { ...env, ...more })).out.includes("\u001b[");
  expect(await isColoured([])).toBe(false);
  expect(await isColoured(["--color"])).toBe(true);
  expect(await isColoured(["--color"], { NO_COLOR: "1" })).toBe(true);
  expect(await isColoured(["--no-color"], { FORCE_COLOR: "1" })).toBe(false);
  expect(await isColoured([], { FORCE_COLOR: "1" })).toBe(true);
});

test("stats --watch looks again and again until it is ended", async () => {
  const watch = start(["stats", "--watch", "--every", "100ms", "--json"], { RPC_QUEUE_DATABASE: rig.url });
  await watch.line('"readyCount":50');
  await rig.queue.cancel(1);
  expect(JSON.parse(await watch.line('"readyCount":49'))).toMatchObject([{ address: "bot:7" }]);
  watch.signal("SIGINT");
  expect(await watch.ended).toMatchObject({ code: 0, error: "" });
});
