import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ProcessEnd, type ProcessOptions, runProcess } from "../src/bot/step/process-group.ts";
import { ProcessGroups } from "../src/bot/step/process-groups.ts";
import { TestClock } from "./test-clock.ts";

let folder = "";
let clock = new TestClock();
let output = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-process-"));
  clock = new TestClock();
  output = "";
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(command: string | string[], more: Partial<ProcessOptions> = {}): Promise<ProcessEnd> {
  return runProcess({
    command,
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "" },
    noOutputMs: 0,
    maxMs: 0,
    killAfterMs: 10_000,
    clock,
    signal: new AbortController().signal,
    write: (_stream, bytes) => {
      output += Buffer.from(bytes).toString();
      return undefined;
    },
    ...more,
  });
}

async function said(text: string): Promise<void> {
  while (!output.includes(text)) await new Promise((resolve) => void setTimeout(resolve, 2));
}

/** Lets the clock go while something real comes to its end. */
async function passing<T>(wait: Promise<T>): Promise<T> {
  const ticking = setInterval(() => clock.advance(50), 2);
  try {
    return await wait;
  } finally {
    clearInterval(ticking);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie has ended, though nobody may have come for it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("process group", () => {
  it("runs a text by the shell and a list as it is, with its environment alone", async () => {
    expect(await passing(start("echo one; echo two >&2; exit 3"))).toEqual({ kind: "exit", code: 3 });
    expect(output).toContain("one\n");
    expect(output).toContain("two\n");
    output = "";
    expect(await passing(start(["echo", "$HOME; `id`"]))).toEqual({ kind: "exit", code: 0 });
    expect(output).toBe("$HOME; `id`\n");
    output = "";
    await passing(start(["env"], { env: { PATH: process.env["PATH"] ?? "", ONLY: "this" } }));
    expect(output.split("\n").filter((line) => !/^(PATH|PWD|SHLVL|_)=/.test(line))).toEqual(["ONLY=this", ""]);
  });

  it("says what cannot be started, and what a signal has ended", async () => {
    expect(await start(["/no/such/program"])).toMatchObject({ kind: "unstarted" });
    expect(await start(["true", "a\0b"])).toMatchObject({ kind: "unstarted" });
    expect(await passing(start("kill -9 $$"))).toEqual({ kind: "killed", by: "SIGKILL" });
  });

  it("stops after silence, not while something is said", async () => {
    const end = start("echo begun; sleep 1000", { noOutputMs: 5_000 });
    await said("begun");
    clock.advance(4_999);
    clock.advance(5_000);
    expect(await passing(end)).toEqual({ kind: "stopped", why: "no output" });
  });

  it("does not take for silence that nobody takes its output", async () => {
    let go: (() => void) | undefined;
    const end = start("echo begun; head -c 300000 /dev/zero; exec cat", {
      noOutputMs: 1_000,
      write: (_stream, bytes) => {
        output += Buffer.from(bytes).toString();
        return new Promise((resolve) => (go = resolve));
      },
    });
    await said("begun");
    clock.advance(100_000);
    go?.();
    const ticking = setInterval(() => go?.(), 1);
    expect(await passing(end)).toEqual({ kind: "exit", code: 0 });
    clearInterval(ticking);
    expect(output.length).toBe(300_006);
  });

  it("stops what takes too long: SIGTERM, then SIGKILL, to all of the group", async () => {
    const end = start(
      `trap '' TERM; sh -c 'trap "" TERM; echo $$ > child; echo begun; while true; do sleep 0.05; done' & wait; while true; do sleep 0.05; done`,
      { maxMs: 60_000 },
    );
    await said("begun");
    clock.advance(60_000);
    await new Promise((resolve) => void setTimeout(resolve, 100));
    const pid = Number(await readFile(join(folder, "child"), "utf8"));
    expect(isAlive(pid)).toBe(true);
    clock.advance(9_999);
    expect(isAlive(pid)).toBe(true);
    clock.advance(1);
    expect(await passing(end)).toEqual({ kind: "stopped", why: "too long" });
    while (isAlive(pid)) await new Promise((resolve) => void setTimeout(resolve, 2));
  });

  it("lets a process end by itself after SIGTERM, with its children", async () => {
    const abort = new AbortController();
    const end = start(
      `sh -c 'trap "sleep 0.3; echo tidy > tidy; exit 0" TERM; echo begun; while true; do sleep 0.02; done' & wait`,
      {
        signal: abort.signal,
      },
    );
    await said("begun");
    abort.abort();
    const ticking = setInterval(() => clock.advance(1), 2);
    expect(await end).toEqual({ kind: "stopped", why: "signal" });
    clearInterval(ticking);
    expect(existsSync(join(folder, "tidy"))).toBe(true);
  });

  it("ends what a step leaves behind, also when it has kept the pipes", async () => {
    expect(await passing(start("(trap '' TERM; sleep 1000) & echo $! > left; echo done"))).toEqual({
      kind: "exit",
      code: 0,
    });
    expect(output).toBe("done\n");
    const left = Number(await readFile(join(folder, "left"), "utf8"));
    while (isAlive(left)) await new Promise((resolve) => void setTimeout(resolve, 2));
    // Out of the group: it lives, and nobody waits for it.
    expect(await passing(start("setsid sleep 3 & echo done; sleep 0.1"))).toEqual({ kind: "exit", code: 0 });
  });

  it("stops at once what was to be stopped before it began", async () => {
    expect(await passing(start("sleep 1000", { signal: AbortSignal.abort() }))).toEqual({
      kind: "stopped",
      why: "signal",
    });
  });
});

describe("groups of a bot that was killed", () => {
  const groups = (): ProcessGroups => new ProcessGroups(join(folder, "processes"));
  const noted = (): string[] => readdirSync(join(folder, "processes"));
  const spawned: ChildProcess[] = [];
  /** As a bot starts it, and does not live to see its end. */
  const leave = (
    command: string,
    env: Readonly<Record<string, string>> = {},
  ): { readonly leader: number; readonly ended: Promise<unknown> } => {
    const child = spawn("/bin/sh", ["-c", command], {
      cwd: folder,
      detached: true,
      stdio: "ignore",
      env: { PATH: process.env["PATH"], ...env },
    });
    spawned.push(child);
    return { leader: child.pid ?? 0, ended: once(child, "exit") };
  };
  afterEach(() => {
    for (const { pid = 0 } of spawned.splice(0)) {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  });
  const written = async (name: string): Promise<number> => {
    while (!existsSync(join(folder, name))) await new Promise((resolve) => void setTimeout(resolve, 2));
    return Number(await readFile(join(folder, name), "utf8"));
  };

  it("are noted while they live, and killed by the next bot", async () => {
    const end = start("echo begun; sleep 1000", { groups: groups() });
    await said("begun");
    const [leader = ""] = noted();
    expect(await groups().endFormer(systemClock)).toEqual([Number(leader)]);
    expect(await passing(end)).toEqual({ kind: "killed", by: "SIGKILL" });
    expect(noted()).toEqual([]);
    await passing(start("true", { groups: groups() }));
    expect(noted()).toEqual([]);
    expect(await groups().endFormer(systemClock)).toEqual([]);
  });

  it("are found without their leader", async () => {
    const before = groups();
    const { leader, ended } = leave("sleep 1000 & echo $! > child.new; mv child.new child", before.marks);
    before.began(leader);
    const child = await written("child");
    await ended;
    expect(isAlive(child)).toBe(true);
    expect(await groups().endFormer(systemClock)).toEqual([leader]);
    expect(isAlive(child)).toBe(false);
  });

  it("are left alone when their number is another's by now", async () => {
    const later = groups();
    const { leader: other } = leave("sleep 1000");
    const orphaned = leave("sleep 1000 & echo $! > child.new; mv child.new child");
    const child = await written("child");
    await orphaned.ended;
    for (const leader of [other, orphaned.leader])
      writeFileSync(join(folder, "processes", String(leader)), "a former start:123");
    for (const name of ["1", "0", "-1", "rubbish", String(process.pid)]) {
      writeFileSync(join(folder, "processes", name), "a former start:123");
    }
    expect(await later.endFormer(systemClock)).toEqual([]);
    expect([isAlive(other), isAlive(child)]).toEqual([true, true]);
    expect(noted()).toEqual([]);
  });
});
