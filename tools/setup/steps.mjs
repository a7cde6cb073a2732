// Runs programs with the house's own tools first on the path, and shows that a long step is still alive.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const STILL_ALIVE_MS = 10_000;
const WORTH_A_LINE_S = 2;

/** The folders of the workspace, whether they are packages already or not. */
export function workspaceFolders() {
  const folders = ["examples"];
  for (const group of ["packages", "apps", "tools"]) {
    if (!existsSync(join(ROOT, group))) continue;
    const entries = readdirSync(join(ROOT, group), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    folders.push(...entries.map((entry) => `${group}/${entry.name}`).sort());
  }
  return folders;
}

export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** The Node 24 that the workspace installed for this machine; undefined where the registry has none (then the machine's own Node runs). */
export function nodeFolder() {
  const { platform, arch } = process;
  const os = platform === "win32" ? "win" : platform;
  const folder = join(ROOT, "node_modules", `node-${os}-${arch}`, "bin");
  return existsSync(join(folder, platform === "win32" ? "node.exe" : "node")) ? folder : undefined;
}

export function environment() {
  const folders = [nodeFolder(), join(ROOT, "node_modules", ".bin"), process.env.PATH].filter((folder) => folder);
  return {
    ...process.env,
    ...(process.stderr.isTTY ? {} : { NO_COLOR: "1" }),
    PATH: folders.join(delimiter),
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    TURBO_PRINT_VERSION_DISABLED: "1",
  };
}

/** The program and arguments of a turbo run. Its lines carry their task's name, which `ofFailedTasks` reads. */
export function turbo(task, flags = []) {
  return ["turbo", ["run", task, "--output-logs=new-only", "--log-order=stream", "--log-prefix=task", ...flags]];
}

/** What the failed tasks of a turbo run said, task by task; everything where turbo itself failed. */
function ofFailedTasks(output) {
  const failed = /^ ?Failed:\s+(.*)$/m.exec(output)?.[1]?.split(", ") ?? [];
  const lines = output.split("\n");
  const parts = failed.map((task) => {
    const prefix = `${task.replace("#", ":")}: `;
    const own = lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
    return `\n${task}\n${own.join("\n")}\n`;
  });
  return parts.length === 0 ? output : parts.join("");
}

/** Runs a program in front of the user; resolves with its exit code. */
export function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: environment(),
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    // Ctrl-C reaches it as well, and it ends by itself: the prompt comes back after its last word.
    const stay = () => undefined;
    process.on("SIGINT", stay);
    const ended = (code) => {
      process.off("SIGINT", stay);
      resolve(code);
    };
    child.on("error", (error) => (say(`${program} cannot be started: ${error.message}`), ended(1)));
    child.on("close", (code) => ended(code ?? 1));
  });
}

/** Runs a program out of sight: a line now and then while it runs, one when it is done, everything it said when it fails. */
export async function runQuietly(name, [program, args]) {
  const { code, output, seconds } = await captured(name, program, args);
  if (code !== 0) {
    process.stderr.write(program === "turbo" ? ofFailedTasks(output) : output);
    say(`${name}: failed after ${seconds} s`);
  } else if (seconds >= WORTH_A_LINE_S) say(`${name}: done in ${seconds} s`);
  return code;
}

export function captured(name, program, args, env = environment()) {
  const start = Date.now();
  const seconds = () => Math.round((Date.now() - start) / 100) / 10;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let output = "";
    let lastLine = "";
    const keep = (chunk) => {
      output += chunk;
      lastLine = String(chunk).trim().split("\n").at(-1)?.slice(0, 100) || lastLine;
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const alive = setInterval(() => say(`${name}: ${Math.round(seconds())} s ... ${lastLine}`), STILL_ALIVE_MS);
    const end = (code) => {
      clearInterval(alive);
      resolve({ code, output, seconds: seconds() });
    };
    child.on("error", (error) => ((output += `${program} cannot be started: ${error.message}\n`), end(1)));
    child.on("close", (code) => end(code ?? 1));
  });
}
