import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createDbQueue, createPostgresStore, createSqliteStore, type DbQueue, type QueueStore } from "@rpc/db-queue";
import { createDatabase } from "../../db-queue/test/postgres-database.ts";

const PROGRAM = join(import.meta.dirname, "..", "bin", "rpc-queue.js");

/** What a run has come to. */
export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** A run that goes on. */
export interface LiveRun {
  /** Settles with the next line that has the text; lines before it are passed over. Rejects when the run ends without one. */
  line(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Run>;
}

type Env = Readonly<Record<string, string>>;

/** The command as a user has it, with nothing of this process's own settings. */
function spawnProgram(args: readonly string[], env: Env): ChildProcess {
  const { PATH = "", HOME = "" } = process.env;
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export function run(args: readonly string[], env: Env = {}): Promise<Run> {
  return endOf(spawnProgram(args, env));
}

/** Its reader goes away before anything was written. */
export function runWithoutReader(args: readonly string[], env: Env = {}): Promise<Run> {
  const child = spawnProgram(args, env);
  child.stdout?.destroy();
  return endOf(child);
}

export function start(args: readonly string[], env: Env = {}): LiveRun {
  const child = spawnProgram(args, env);
  const waiting: string[] = [];
  let wake: (() => void) | undefined;
  let isOver = false;
  const ended = endOf(child).finally(() => {
    isOver = true;
    wake?.();
  });
  if (child.stdout === null) throw new Error("no pipe");
  createInterface({ input: child.stdout }).on("line", (line) => {
    waiting.push(line);
    wake?.();
  });
  return {
    line: async (text) => {
      const passed: string[] = [];
      for (;;) {
        for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
          if (line.includes(text)) return line;
          passed.push(line);
        }
        if (isOver) throw new Error(`no line with ${text}: ${passed.join("\n")}\n${(await ended).error}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    signal: (name) => void child.kill(name),
    ended,
  };
}

function endOf(child: ChildProcess): Promise<Run> {
  let out = "";
  let error = "";
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (error += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, error }));
  });
}

/** A database with its tables, the command on it, and a queue of this process. */
export interface Rig {
  readonly url: string;
  readonly store: QueueStore;
  readonly queue: DbQueue;
  readonly run: (...args: string[]) => Promise<Run>;
  readonly start: (...args: string[]) => LiveRun;
  readonly close: () => Promise<void>;
}

export type Engine = "sqlite" | "postgres";

/** `server`: another PostgreSQL than the run's. */
export async function openRig(engine: Engine, server?: string): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "rpc-queue-cli-"));
  const file = join(folder, "queue.db");
  const url = engine === "sqlite" ? `sqlite:${file}` : await createDatabase(server);
  const store = engine === "sqlite" ? createSqliteStore({ file }) : createPostgresStore({ connection: url });
  await store.migrate();
  const queue = createDbQueue(store, { reaper: false });
  const env = { RPC_QUEUE_DATABASE: url };
  return {
    url,
    store,
    queue,
    run: (...args) => run(args, env),
    start: (...args) => start(args, env),
    close: async () => {
      await queue.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
