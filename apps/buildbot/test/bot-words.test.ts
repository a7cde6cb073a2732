import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { environmentOf, shellCommand, withProperties } from "../src/bot/build/interpolate.ts";
import { meaningOf, worseOf } from "../src/bot/build/outcome.ts";
import { emptyFolder, freeBytes, lockFolder, removeTree } from "../src/bot/disk.ts";
import { KeyedLock } from "../src/bot/keyed-lock.ts";
import { bornAt } from "../src/bot/step/processes.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-words-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("words of a step", () => {
  it("take properties, and nothing that only looks like one", () => {
    const properties = { branch: "main", "a-b": "x", loop: "${branch}" };
    expect(withProperties("${branch} ${a-b} ${loop} ${toString} ${__proto__} ${} $branch", properties)).toBe(
      "main x ${branch} ${toString} ${__proto__} ${} $branch",
    );
    expect(shellCommand('echo "${branch}" ${HOME} ${branch} ${a-b}', properties)).toEqual({
      command: 'echo "${BUILDBOT_PROPERTY_1}" ${HOME} ${BUILDBOT_PROPERTY_1} ${BUILDBOT_PROPERTY_2}',
      variables: { BUILDBOT_PROPERTY_1: "main", BUILDBOT_PROPERTY_2: "x" },
    });
  });

  it("get an environment in layers", () => {
    const bot = { PATH: "/bin", HOME: "/home/ada", LC_ALL: "C", KEY: "k", BUILDBOT_TOKEN: "t", GIT_DIR: "/x" };
    const layers = [
      { A: "${KEY}-${branch}", HOME: null, B: "builder" },
      { B: "step", PATH: "/mine:${PATH}", C: "${NONE}${BUILDBOT_TOKEN}${constructor}" },
    ];
    expect(environmentOf(bot, layers, { branch: "main", PATH: "/evil" })).toEqual({
      env: { PATH: "/mine:/bin", LC_ALL: "C", CI: "true", A: "k-main", B: "step", C: "" },
      missing: ["NONE", "BUILDBOT_TOKEN", "constructor"],
    });
  });

  it("weigh results", () => {
    const step = { haltOnFailure: true, flunkOnFailure: true, warnOnFailure: false };
    expect(meaningOf("failure", step)).toEqual({ build: "failure", halts: true });
    expect(meaningOf("failure", { haltOnFailure: false, flunkOnFailure: false, warnOnFailure: true })).toEqual({
      build: "warnings",
      halts: false,
    });
    expect(meaningOf("warnings", step)).toEqual({ build: "warnings", halts: false });
    expect(meaningOf("exception", { ...step, haltOnFailure: false })).toEqual({ build: "exception", halts: true });
    expect(meaningOf("skipped", step)).toEqual({ build: "success", halts: false });
    expect(worseOf("warnings", "failure")).toBe("failure");
    expect(worseOf("exception", "failure")).toBe("exception");
  });
});

describe("disk", () => {
  it("removes what a build has made read-only, and follows no link", async () => {
    const other = join(folder, "other");
    mkdirSync(other);
    writeFileSync(join(other, "kept"), "");
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "a", "b"), { recursive: true });
    writeFileSync(join(tree, "a", "b", "file"), "");
    symlinkSync(other, join(tree, "a", "link"));
    chmodSync(join(tree, "a", "b"), 0o500);
    chmodSync(join(tree, "a"), 0o000);
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
    expect(existsSync(join(other, "kept"))).toBe(true);
    await removeTree(join(folder, "nothing"));
    mkdirSync(join(folder, "7"));
    mkdirSync(join(folder, "8"));
    // What is begun while another one is removed stays.
    const begun = new Set<string>();
    const keeps = (name: string): boolean => {
      const kept = begun.has(name);
      for (const each of ["7", "8", "other"]) if (each !== name) begun.add(each);
      return kept;
    };
    expect(await emptyFolder(folder, keeps)).toEqual([]);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(await emptyFolder(folder)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    expect(await freeBytes(folder)).toBeGreaterThan(0);
    expect(await freeBytes(join(folder, "nothing"))).toBeUndefined();
  });

  it("gives a folder to one process; what a killed one has left does not count", async () => {
    const unlock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow("give this one another folder");
    await unlock();
    writeFileSync(join(folder, "bot.lock"), `${process.pid} 1`);
    await (
      await lockFolder(folder)
    )();
    // One that has ended and that its parent never fetches, as in many a container.
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 100"], { stdio: ["ignore", "pipe", "ignore"] });
    const [told] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(String(told));
    while (!readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "))
      await new Promise((resolve) => void setTimeout(resolve, 2));
    writeFileSync(join(folder, "bot.lock"), `${pid} ${bornAt(pid)}`);
    await (
      await lockFolder(folder)
    )();
    parent.kill("SIGKILL");
    writeFileSync(join(folder, "bot.lock"), "rubbish");
    await (
      await lockFolder(folder)
    )();
  });

  it("gives a folder to one of many that ask at the same time", async () => {
    for (const left of [undefined, `${process.pid} 1`]) {
      if (left !== undefined) writeFileSync(join(folder, "bot.lock"), left);
      const asked = await Promise.allSettled(Array.from({ length: 12 }, () => lockFolder(folder)));
      const given = asked.filter((one) => one.status === "fulfilled");
      expect(given).toHaveLength(1);
      await given[0]?.value();
    }
  });
});

describe("keyed lock", () => {
  it("gives turns to each key, also after failures", async () => {
    const lock = new KeyedLock();
    const done: string[] = [];
    const first = lock.run("a", async () => {
      await new Promise((resolve) => void setTimeout(resolve, 10));
      done.push("a1");
      throw new Error("harm");
    });
    const rest = [lock.run("a", async () => void done.push("a2")), lock.run("b", async () => void done.push("b1"))];
    await expect(first).rejects.toThrow("harm");
    await Promise.all(rest);
    expect(done).toEqual(["b1", "a1", "a2"]);
    await new Promise((resolve) => void setTimeout(resolve, 1));
    expect(lock.has("a")).toBe(false);
  });
});
