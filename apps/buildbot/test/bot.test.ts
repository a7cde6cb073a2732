import { readdirSync } from "node:fs";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { CommandFailure } from "@rpc/db-queue";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DeskRig, until } from "./bot-rig.ts";

let rig: DeskRig;
let head = "";
beforeEach(async () => {
  rig = new DeskRig();
  await rig.open();
  head = rig.repository?.commit("first", { "a.txt": "a", "sub/b.txt": "b" }) ?? "";
});
afterEach(() => rig.close());

describe("a build", () => {
  it("is checked out, run and told of", async () => {
    await rig.start();
    const build = rig.order([
      { name: "list", command: "ls; ls sub; echo oops >&2" },
      { name: "where", command: ["pwd"], workdir: "sub" },
    ]);
    const told = await rig.finished(build);
    expect(told).toMatchObject({ results: "success", revision: head, properties: { got_revision: head } });
    expect(rig.log(build, 0, "head")).toContain(`${head} first`);
    expect(rig.log(build, 1, "out")).toBe("a.txt\nsub\nb.txt\n");
    expect(rig.log(build, 1, "err")).toBe("oops\n");
    expect(rig.log(build, 1, "head")).toMatch(/^\$ ls; ls sub; echo oops >&2\nsuccess \(\d+\.\d s\)\n$/);
    expect(rig.log(build, 2, "out")).toMatch(/\/work\/1\/sub\n$/);
    expect([...told.steps.values()].map(({ name, results, exitCode }) => [name, results, exitCode])).toEqual([
      ["checkout", "success", undefined],
      ["list", "success", 0],
      ["where", "success", 0],
    ]);
    await until(
      () =>
        readdirSync(join(rig.folder, "bot", "work")).length + readdirSync(join(rig.folder, "bot", "spool")).length ===
        0,
    );
  });

  it("halts, runs what always runs, and weighs failures", async () => {
    await rig.start();
    const halted = rig.order([
      { name: "warns", command: "exit 1", haltOnFailure: false, flunkOnFailure: false, warnOnFailure: true },
      { name: "fails", command: "exit 2" },
      { name: "left out", command: "true" },
      { name: "always", command: "true", alwaysRun: true },
    ]);
    expect(await rig.finished(halted)).toMatchObject({ results: "failure", summary: "fails: exit code 2" });
    expect([...rig.told(halted).steps.values()].map(({ results }) => results)).toEqual([
      "success",
      "failure",
      "failure",
      "skipped",
      "success",
    ]);
    const warned = rig.order([
      { name: "warns", command: "exit 1", haltOnFailure: false, flunkOnFailure: false, warnOnFailure: true },
    ]);
    expect(await rig.finished(warned)).toMatchObject({ results: "warnings", summary: "warns: exit code 1" });
    const fine = rig.order([{ name: "nothing", command: "exit 1", flunkOnFailure: false }]);
    expect(await rig.finished(fine)).toMatchObject({ results: "success" });
  });

  it("says what it cannot do, and goes on", async () => {
    await rig.start();
    const noBranch = rig.order([{ name: "x", command: "true" }], { branch: "gone" });
    expect(await rig.finished(noBranch)).toMatchObject({
      results: "failure",
      summary: "checkout: there is no branch gone in the repository (any more)",
    });
    const noRepository = rig.order([{ name: "x", command: "true" }], { repositoryUrl: join(rig.folder, "nowhere") });
    expect((await rig.finished(noRepository)).summary).toContain("does not appear to be a git repository");
    const noFolder = rig.order([{ name: "x", command: "true", workdir: "../.." }]);
    expect(await rig.finished(noFolder)).toMatchObject({
      results: "failure",
      summary: "x: there is no folder ../.. in the work tree",
    });
    const noProgram = rig.order([{ name: "x", command: ["/no/such/program"] }]);
    expect((await rig.finished(noProgram)).summary).toContain("x: it cannot be started");
    const nul = rig.order([{ name: "x", command: "echo ${p}" }], { properties: { p: "a\0b" } });
    expect((await rig.finished(nul)).summary).toContain("x: it cannot be started");
    const quiet = rig.order([{ name: "x", command: "sleep 100", noOutputTimeoutSeconds: 1 }]);
    expect((await rig.finished(quiet)).summary).toBe("x: no output for 1 s");
  });

  it("has properties that no shell reads, an environment of its own, and no secrets in its log", async () => {
    const env = { ...process.env, KEY: "s3cret-key", JAVA_HOME: "/java", BUILDBOT_TOKEN: "one:x" };
    await rig.start({ env });
    const build = rig.order(
      [
        {
          name: "say",
          command: 'echo "${evil}" $TOKEN $JAVA_HOME $KEY ${HOME:+home} ${unknown:-none} $GONE.',
          env: { JAVA_HOME: "${JAVA_HOME}/8" },
        },
        { name: "list", command: ["echo", "${branch} ${evil} ${other}"] },
        { name: "split", command: "printf s3cr; sleep 0.4; printf 'et-key\\n'; env" },
      ],
      {
        properties: { evil: "$(touch evil); `touch evil`" },
        env: { TOKEN: "${KEY}", GONE: "x", HOME: null, STOLEN: "${BUILDBOT_TOKEN}" },
        secrets: ["KEY", "UNSET"],
      },
    );
    await rig.finished(build);
    expect(rig.log(build, 1, "out")).toBe("$(touch evil); `touch evil` ***** /java/8 none x.\n");
    expect(rig.log(build, 1, "head")).toContain("${BUILDBOT_TOKEN} is not set at this bot");
    expect(rig.log(build, 2, "out")).toBe("main $(touch evil); `touch evil` ${other}\n");
    expect(rig.log(build, 3, "out")).toMatch(/^\*\*\*\*\*\n/);
    expect(rig.log(build, 3, "out")).not.toMatch(/s3cret|the secret of the bot|BUILDBOT_(?!FOLDER=)/);
  });

  it("runs beside others, as many as it may", async () => {
    await rig.start();
    const builds = [1, 2, 3, 4].map((at) => rig.order([{ name: "x", command: `echo ${at}; sleep 0.2` }]));
    await Promise.all(builds.map((build) => rig.finished(build)));
    expect(builds.map((build) => rig.log(build, 1, "out"))).toEqual(["1\n", "2\n", "3\n", "4\n"]);
  });

  it("tells much, of both pipes, in order", async () => {
    await rig.start();
    const build = rig.order([
      { name: "x", command: 'for i in $(seq 1 20000); do echo "line $i ü日本"; done; echo end >&2' },
    ]);
    await rig.finished(build);
    const lines = rig.log(build, 1, "out").split("\n");
    expect(lines.length).toBe(20_001);
    expect(lines.every((line, at) => line === (at === 20_000 ? "" : `line ${at + 1} ü日本`))).toBe(true);
  });
});

describe("commands", () => {
  it("answer, wake, pause and tell", async () => {
    await rig.start({ claimMs: 60_000 });
    expect(await rig.bot.ping()).toBe("pong");
    const first = rig.order([{ name: "x", command: "true" }]);
    await rig.bot.triggerMasterRequests();
    await rig.finished(first);
    await until(() => rig.said.some((message) => message.includes("has ended")));
    await rig.bot.pause();
    const second = rig.order([{ name: "wait", command: "sleep 100" }]);
    await rig.bot.triggerMasterRequests();
    expect(await rig.bot.status()).toMatchObject({ paused: true, running: [], about: { node: process.version } });
    await rig.bot.resume();
    await until(() => rig.builds.get(second)?.steps.get(1) !== undefined);
    expect((await rig.bot.status()).running).toEqual([{ build: second, builder: "tests", step: "wait" }]);
    expect(await rig.bot.stopBuild({ build: 77, reason: "x" })).toEqual({ stopped: false });
    expect(await rig.bot.stopBuild({ build: second, reason: "not needed" })).toEqual({ stopped: true });
    expect(await rig.finished(second)).toMatchObject({ results: "cancelled", summary: "not needed" });
    expect(rig.told(second).steps.get(1)?.results).toBe("cancelled");
    expect(await rig.bot.rebuild({ build: second })).toEqual({ request: 1000 + second });
    await rig.bot.triggerAllReconfig();
    expect(rig.hellos.length).toBe(2);
  });

  it("stops a build but for what always runs; a second time that as well", async () => {
    await rig.start();
    const build = rig.order([
      { name: "long", command: "sleep 100" },
      { name: "tidy", command: "echo tidy; sleep 100", alwaysRun: true },
      { name: "more", command: "true", alwaysRun: true },
    ]);
    await until(() => rig.builds.get(build)?.steps.get(1) !== undefined);
    await rig.bot.stopBuild({ build, reason: "enough" });
    await until(() => rig.told(build).steps.get(2) !== undefined && rig.log(build, 2, "out") === "tidy\n");
    await rig.bot.stopBuild({ build, reason: "really" });
    await rig.finished(build);
    expect([...rig.told(build).steps.values()].map(({ results }) => results)).toEqual([
      "success",
      "cancelled",
      "cancelled",
      "skipped",
    ]);
  });

  it("stop a build that was given to the bot and has not come yet", async () => {
    let isLost = true;
    rig.trouble = (method, when) => {
      if (isLost && method === "claim" && when === "after") throw new RpcError("UNAVAILABLE", "the answer is lost");
    };
    await rig.start();
    const build = rig.order([{ name: "x", command: "sleep 100" }]);
    await until(() => rig.builds.has(build));
    expect(await rig.bot.stopBuild({ build, reason: "not this one" })).toEqual({ stopped: false });
    isLost = false;
    expect(await rig.finished(build)).toMatchObject({ results: "cancelled", summary: "not this one" });
  });

  it("stop a build that has ended where the server has forgotten that", async () => {
    await rig.start();
    const build = rig.order([{ name: "x", command: "true" }]);
    const told = await rig.finished(build);
    await until(() => rig.said.some((message) => message.includes("has ended")));
    delete told.results;
    expect(await rig.bot.stopBuild({ build, reason: "it runs for ever" })).toEqual({ stopped: false });
    expect(await rig.finished(build)).toMatchObject({ results: "exception" });
  });

  it("look for commits: the head first, then what is new, by branch", async () => {
    const { repository } = rig;
    await rig.start();
    expect(await rig.bot.pollAllSources()).toEqual({ commits: 1 });
    expect(await rig.bot.pollAllSources()).toEqual({ commits: 0 });
    const two = repository?.commit("two") ?? "";
    const three = repository?.commit("three — ü") ?? "";
    repository?.git("branch", "release/1");
    repository?.git("branch", "other");
    expect(await rig.bot.pollSources({ repositories: ["source"] })).toEqual({ commits: 3 });
    expect(rig.commits.map(({ branch, hash, subject }) => [branch, hash, subject])).toEqual([
      ["main", head, "first"],
      ["main", two, "two"],
      ["main", three, "three — ü"],
      ["release/1", three, "three — ü"],
    ]);
    await Promise.all([rig.bot.pollAllSources(), rig.bot.pollAllSources()]);
    expect(rig.commits.length).toBe(4);
    const unknown = await rig.bot.pollSources({ repositories: ["nowhere"] }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(CommandFailure);
    expect(unknown).toMatchObject({ title: "Unknown repository" });
  });

  it("fetch single commits, and say which are not there", async () => {
    await rig.start();
    const rescan = (repository: string, commits: string[]) =>
      rig.bot.rescanCommits({ repository, commits, branch: "other" });
    expect(await rescan("source", [head])).toEqual({ commits: 1 });
    expect(rig.commits).toMatchObject([{ hash: head, branch: "other" }]);
    expect(await rescan("source", [head, "f".repeat(40), "--all"]).catch((error: unknown) => error)).toMatchObject({
      title: "Unknown commits",
    });
    expect(await rescan("nowhere", [head]).catch((error: unknown) => error)).toMatchObject({
      title: "Unknown repository",
    });
  });

  it("shut it down after its builds, or at once for another bot to take them", async () => {
    const bot = await rig.start();
    const build = rig.order([{ name: "x", command: "sleep 0.5; echo done" }]);
    await until(() => rig.builds.get(build)?.steps.get(1) !== undefined);
    await rig.bot.shutdown({ graceful: true });
    expect(await bot.closed).toBeUndefined();
    expect(rig.told(build)).toMatchObject({ results: "success" });

    const next = await rig.start();
    const long = rig.order([
      { name: "x", command: "sleep 100" },
      { name: "always", command: "sleep 100", alwaysRun: true },
    ]);
    await until(() => rig.builds.get(long)?.steps.get(1) !== undefined);
    await rig.bot.shutdown({ graceful: false });
    expect(await next.closed).toBeUndefined();
    expect(rig.told(long)).toMatchObject({ results: "retry" });
  });
});

describe("results of tests, and artefacts", () => {
  it("are told of, and decide", async () => {
    await rig.start({ env: { ...process.env, KEY: "hunter2" } });
    const build = rig.order(
      [
        {
          name: "tap",
          command: "printf 'TAP version 14\\nok 1 - a\\nnot ok 2 - hunter2\\n1..2\\n'",
          tests: "tap",
          haltOnFailure: false,
          flunkOnFailure: false,
        },
        {
          name: "junit",
          command: `mkdir out; echo '<testsuite name="s"><testcase name="j"/></testsuite>' > out/r.xml`,
          tests: "junit",
          report: "out/*.xml",
        },
        { name: "none", command: "true", tests: "vitest", report: "nothing.json" },
        {
          name: "keep",
          command:
            "mkdir dist; head -c 300000 /dev/urandom > dist/big; echo x > dist/ü.txt; ln -s /etc/passwd dist/link",
          artefacts: ["dist"],
        },
        { name: "keep nothing", command: "true", artefacts: ["nothing-${branch}"] },
      ],
      { secrets: ["KEY"] },
    );
    const told = await rig.finished(build);
    expect([...told.tests.values()].flat().map(({ step, suite, name, state }) => [step, suite, name, state])).toEqual([
      [1, "", "a", "pass"],
      [1, "", "*****", "fail"],
      [2, "s", "j", "pass"],
    ]);
    expect([...told.steps.values()].map(({ results, summary }) => [results, summary]).slice(1)).toEqual([
      ["failure", "1 of 2 tests failed"],
      ["success", "1 test"],
      ["warnings", "the step has written no report nothing.json"],
      ["success", ""],
      ["warnings", "no file fits nothing-main"],
    ]);
    expect(told).toMatchObject({ results: "warnings" });
    expect([...told.artefacts].map(([name, bytes]) => [name, bytes.length])).toEqual([
      ["dist/big", 300_000],
      ["dist/ü.txt", 2],
    ]);
  });

  it("are read from what ran into its time as well", async () => {
    await rig.start();
    const build = rig.order([
      { name: "x", command: "printf '1..2\\nok 1 - a\\n'; sleep 100", tests: "tap", maxSeconds: 1 },
    ]);
    expect(await rig.finished(build)).toMatchObject({
      results: "failure",
      summary: "x: 1 of 2 tests failed; stopped after 1 s",
    });
  });
});
