// Runs one PostgreSQL for a test run and ends it when whoever started it is gone, killed or not: its standard input closes then.
// Commands on standard input, one a line: `restart` (fast), `crash` (no checkpoint, recovery at the start after it), `stop`; in two steps, for
// who wants it to be away for a while: `down` or `kill` (the postmaster, by SIGKILL: its children find out by themselves), then `up`.
// Each is answered by a line: `ready`, `stopped` or `failed <what happened>`.
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import type { GuardOrder } from "./embedded-postgres.ts";

const order = JSON.parse(process.argv[2] ?? "") as GuardOrder;
let server: ChildProcess | undefined;
let output = "";

// Ctrl-C in a terminal reaches the whole group; what decides is standard input.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

function launch(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, {
    cwd: order.folder,
    env: order.env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(order.uid === undefined ? {} : { uid: order.uid, gid: order.gid }),
  });
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-8_000);
  };
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  return child;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("close", resolve));
}

async function start(): Promise<void> {
  output = "";
  const child = launch(order.postgres, order.serverArgs);
  server = child;
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", () => {
      if (output.includes("ready to accept connections")) resolve();
    });
    child.once("close", () => {
      reject(new Error(`postgres ended: ${output}`));
    });
    child.once("error", reject);
  });
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const child = server;
  server = undefined;
  if (child === undefined) return;
  const over = ended(child);
  child.kill(signal);
  // A child in uninterruptible wait, or a backend that hangs: nothing of the run may be left behind.
  const impatience = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await over;
  clearTimeout(impatience);
}

async function obey(command: string): Promise<string> {
  if (command === "begin") {
    const child = launch(order.initdb, order.initdbArgs);
    const code = await ended(child);
    if (code !== 0) throw new Error(`initdb ended with ${String(code)}: ${output}`);
    await start();
    return "ready";
  }
  if (command === "restart" || command === "crash") {
    // SIGQUIT is the server's immediate shutdown: no checkpoint, the next start recovers from the log.
    await end(command === "restart" ? "SIGINT" : "SIGQUIT");
    await start();
    return "ready";
  }
  if (command === "up") {
    await start();
    return "ready";
  }
  await end(command === "kill" ? "SIGKILL" : "SIGINT");
  return "stopped";
}

const lines = createInterface({ input: process.stdin });
let turn: Promise<void> = Promise.resolve();
const say = (line: string): void => {
  // Nobody may be there any more to read it.
  process.stdout.write(`${line.replaceAll("\n", " ")}\n`);
};
process.stdout.on("error", () => undefined);
lines.on("line", (line) => {
  turn = turn
    .then(() => obey(line))
    .then(say, (error: unknown) => {
      say(`failed ${String(error)}`);
    });
});
lines.on("close", () => {
  void turn.then(async () => {
    await end("SIGQUIT");
    rmSync(order.folder, { recursive: true, force: true });
    process.exit(0);
  });
});
