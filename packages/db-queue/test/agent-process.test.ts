import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RpcError } from "@rpc/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { QueueStore } from "../src/store/store.ts";

const PROGRAM = fileURLToPath(new URL("agent-program.ts", import.meta.url));
const ADDRESS = "software_dev.buildbot:7";

let folder: string;
let file: string;
let store: QueueStore;
const children: ChildProcessWithoutNullStreams[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rpc-agent-"));
  file = join(folder, "queue.db");
  store = createSqliteStore({ file });
  await store.migrate();
  await store.ensureAddress(ADDRESS);
});
afterEach(async () => {
  for (const child of children.splice(0))
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

interface AgentProcess {
  /** Settles when it has said so. */
  said(line: string): Promise<void>;
  kill(): Promise<void>;
  /** Ends it as one should. */
  end(): Promise<void>;
}

function startAgent(incarnation: string): AgentProcess {
  const child = spawn(process.execPath, ["--experimental-strip-types", PROGRAM, file, ADDRESS, incarnation], {
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  children.push(child);
  child.stderr.pipe(process.stderr);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const gone = once(child, "exit");
  return {
    said: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!lines.includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void gone.then(() => reject(new Error(`the agent ended without having said ${wanted}: ${lines.join(", ")}`)));
      }),
    kill: async () => {
      child.kill("SIGKILL");
      await gone;
    },
    end: async () => {
      child.stdin.end();
      await gone;
    },
  };
}

it("kill -9 in mid-command: the next incarnation takes over, and the dead one's answer is refused", async () => {
  const [inserted] = await store.insert([{ address: ADDRESS, method: "build", maxAttempts: 3 }]);
  if (inserted === undefined || inserted instanceof RpcError) throw new Error("not inserted");
  const first = startAgent("bot-1");
  await first.said("running 1");
  // What the dead one would answer with.
  const token = await tokenOf(inserted.id);
  await first.kill();
  const second = startAgent("bot-2");
  await second.said("ready");
  // The successor's subscription has ended the lease: any process's reaper may give the command back.
  const { requeued } = await store.reap();
  expect(requeued).toBeLessThanOrEqual(1);
  const [late] = await store.settle([{ id: inserted.id, token, outcome: "done", result: '"stale"' }]);
  expect(late).toMatchObject({ reason: "LEASE_LOST" });
  await second.said("running 2");
  await finished(inserted.id);
  const [row] = await store.read([inserted.id]);
  expect(row).toMatchObject({ state: "done", result: '"bot-2"', attempts: 2, incarnation: "bot-2" });
  const [again] = await store.settle([{ id: inserted.id, token, outcome: "done", result: '"stale"' }]);
  expect(again).toMatchObject({ reason: "LEASE_LOST" });
  await second.end();
  expect(await store.listAgents()).toEqual([]);
}, 60_000);

it("an incarnation that still lives is told that another one has come, in another process", async () => {
  const first = startAgent("bot-1");
  await first.said("ready");
  const second = startAgent("bot-2");
  await second.said("ready");
  // Its next claim finds out; the command is the successor's.
  await store.insert([{ address: ADDRESS, method: "build" }]);
  await first.said("closed FENCED");
  await second.said("running 1");
  expect((await store.listAgents()).map(({ incarnation }) => incarnation)).toEqual(["bot-2"]);
  await second.kill();
}, 60_000);

async function finished(id: number): Promise<void> {
  const watch = store.watch({ wake: () => look(), wakeAll: () => look() });
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    void store.outcomes([id]).then(([outcome]) => {
      if (outcome?.state === "done") resolve();
    });
  };
  await watch.ready;
  look();
  await promise;
  watch.close();
}

async function tokenOf(id: number): Promise<string> {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(file);
  const row = database.prepare("SELECT claim_token FROM rpc_command WHERE id = ?").get(id);
  database.close();
  return String(row?.["claim_token"]);
}
