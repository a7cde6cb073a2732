// The demo as somebody starts it, ends it by Ctrl-C, and starts it again.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { processesWith, until } from "./e2e-rig.ts";

// It builds one of our packages, with its tests, twice.
vi.setConfig({ testTimeout: 400_000 });

const MAIN = join(import.meta.dirname, "..", "demo", "main.ts");
const GREEN_MS = 300_000;

const folder = mkdtempSync(join(tmpdir(), "buildbot-demo-test-"));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

function start(): { said: () => string; end: () => Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN, "--data", folder, "--port", "0"], {
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let text = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe?.setEncoding("utf8").on("data", (more: string) => (text += more));
  const ended = new Promise<number | null>((resolve) => void child.once("close", (code) => resolve(code)));
  return {
    said: () => text,
    end: () => {
      child.kill("SIGINT");
      return ended;
    },
  };
}

const lineOf = (text: string, name: string): string => new RegExp(`^${name}\\s+(.*)$`, "m").exec(text)?.[1] ?? "";

test("the demo becomes green, ends by Ctrl-C without leaving anything, and goes on where it was", async () => {
  const first = start();
  await until(() => /^(?:not )?all builders are green/m.test(first.said()), first.said, GREEN_MS);
  expect(first.said()).toMatch(/^all builders are green/m);
  expect(first.said()).toMatch(/^sample #1 /m);
  expect((await fetch(`${lineOf(first.said(), "page")}/health`)).status).toBe(200);
  expect(await first.end()).toBe(0);
  expect(first.said()).toContain(`what was built stays in ${folder}`);
  expect(processesWith(folder)).toEqual([]);

  const second = start();
  await until(() => /^sample #2: success|^sample #2 .*success/m.test(second.said()), second.said, GREEN_MS);
  expect(lineOf(second.said(), "log in")).toBe(lineOf(first.said(), "log in"));
  // Whatever it does just then.
  expect(await second.end()).toBe(0);
  expect(processesWith(folder)).toEqual([]);
});
