// The command as people and scripts use it: its exit codes, what it prints, and how it ends.
import { spawn } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { House, type Program, until } from "./e2e-rig.ts";

// Processes start slowly where many others run.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let house: House;
beforeAll(async () => {
  house = await House.start();
  await house.startBot("one");
});
afterAll(() => house[Symbol.asyncDispose]());

async function done(program: Program): Promise<{ code: number; out: string; err: string }> {
  const code = await program.ended;
  return { code, out: program.out, err: program.err };
}

test("builds are triggered, waited for and read by the command", async () => {
  const file = join(house.folder, "buildbot.yaml");
  writeFileSync(
    file,
    house.configuration({
      tests: {
        steps: [{ name: "say", command: 'printf "\\033[31m%s\\033[0m\\n" "${what}"; exit ${code}' }],
        properties: { what: "hello", code: "0" },
      },
    }),
  );
  expect(await done(house.command("config", "check", file))).toMatchObject({
    code: 0,
    out: expect.stringContaining("+  tests:") as string,
  });
  expect(await done(house.command("config", "save", file, "--note", "first"))).toMatchObject({
    code: 0,
    out: "saved as version 1\n",
  });
  expect((await done(house.command("config", "get"))).out).toContain("tests:");
  const good = await done(house.command("trigger", "tests", "--property", "what=a=b", "--wait"));
  expect(good).toMatchObject({ code: 0 });
  expect(good.out).toMatch(/^request \d+ of tests on main\n/);
  expect(good.out).toContain("say: success");
  const bad = await done(house.command("trigger", "tests", "--property", "code=7", "--wait"));
  expect(bad).toMatchObject({ code: 1, out: expect.stringContaining("failure") as string });
  const log = await done(house.command("log", "tests#1", "--step", "say"));
  expect(log.code).toBe(0);
  expect(log.out).toMatch(/^--- say\n/);
  expect(log.out.split("\n")).toContain("a=b");
  const whole = await done(house.command("log", "-f", "tests"));
  expect(whole.code).toBe(0);
  expect(whole.out).toContain("hello");
  const status = await done(house.command("status"));
  expect(status.out).toContain("one here");
  expect(status.out).toContain("tests failure, 0 running, 0 waiting");
  const { bots } = JSON.parse((await done(house.command("status", "--json"))).out) as { bots: unknown[] };
  expect(bots).toHaveLength(1);
});

test("what the server keeps is for nobody else on its machine to read", () => {
  const names = readdirSync(house.data, { recursive: true, encoding: "utf8" });
  expect(names).toContain("buildbot.db");
  expect(names.filter((name) => (statSync(join(house.data, name)).mode & 0o077) !== 0)).toEqual([]);
});

test("a configuration that is wrong is told with its lines, and not saved", async () => {
  const file = join(house.folder, "wrong.yaml");
  writeFileSync(
    file,
    "repositories: {}\nbuilders:\n  tests:\n    repository: nowhere\n    steps: [{ name: a, command: b }]\n",
  );
  const check = await done(house.command("config", "check", file));
  expect(check.code).toBe(1);
  expect(check.err).toMatch(/^buildbot: .*wrong\.yaml:4: .*nowhere/m);
  const { version } = await house.people.settings.get();
  expect((await done(house.command("config", "save", file))).code).toBe(1);
  expect((await house.people.settings.get()).version).toBe(version);
});

test("what cannot be done is told in one line, without a stack", async () => {
  const cases: [Program, number, RegExp][] = [
    [house.command("trigger", "nothing"), 3, /nothing/],
    [house.command("trigger"), 2, /missing required argument/],
    [house.command("log", "999"), 3, /999/],
    [house.run(["status"], { BUILDBOT_URL: "tcp://127.0.0.1:1" }), 3, /nobody listens on tcp:\/\/127.0.0.1:1/],
    [house.run(["status"], { BUILDBOT_URL: "ftp://nowhere" }), 2, /is no address of a server/],
    [house.run(["status"], { BUILDBOT_URL: house.tcpUrl, BUILDBOT_TOKEN: "a guess" }), 3, /does not know this token/],
    [house.run(["trigger", "tests"], { BUILDBOT_URL: house.pageUrl }), 3, /may not/],
    [house.run(["bot", "--server", house.tcpUrl]), 2, /--token/],
    [house.run(["bot", "--token", "one:x", "--claim-seconds", "0"]), 2, /no whole number from 1/],
    [house.run(["bot", "--server", house.tcpUrl, "--token", "one:wrong", "--dir", "bots/x"]), 3, /./],
    [house.run(["server", "--http", house.pageUrl, "--tcp", ":0", "--data", "other"]), 3, /is taken/],
  ];
  for (const [program, code, message] of cases) {
    const { err, ...ended } = await done(program);
    expect([ended.code, err]).toEqual([code, err]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/^\s+at /m);
    expect(err).not.toContain(house.admin);
  }
});

test("Ctrl-C ends what follows and what waits, and the build goes on", async () => {
  await house.configure({ slow: { steps: [{ name: "slow", command: `echo started; ${house.gate("over")}` }] } });
  const waiting = house.command("trigger", "slow", "--wait");
  await waiting.says(/began on (one)/);
  const following = house.command("log", "-f", "slow");
  await following.says(/^(started)$/m);
  expect(await following.end("SIGINT")).toBe(130);
  expect(await waiting.end("SIGINT")).toBe(130);
  expect(following.err + waiting.err).not.toMatch(/^\s+at /m);
  const last = async () => (await house.people.builds.list({ limit: 1 }))[0];
  expect(await last()).toMatchObject({ builder: "slow", state: "running" });
  house.open("over");
  await until(async () => (await last())?.results === "success");
});

test("a reader that has seen enough ends the log without a word", async () => {
  await house.configure({ tests: { steps: [{ name: "many", command: "seq 200000" }] } });
  await house.ended(await house.force("tests"));
  const main = join(import.meta.dirname, "..", "src", "cli", "main.ts");
  const shell = spawn("sh", ["-c", `"${process.execPath}" "${main}" log tests | head -3`], {
    env: { ...process.env, BUILDBOT_URL: house.pageUrl, BUILDBOT_TOKEN: house.admin },
  });
  let out = "";
  let err = "";
  shell.stdout.on("data", (chunk) => (out += String(chunk)));
  shell.stderr.on("data", (chunk) => (err += String(chunk)));
  await new Promise((resolve) => shell.on("close", resolve));
  expect(out.split("\n")).toHaveLength(4);
  expect(err).toBe("");
});
