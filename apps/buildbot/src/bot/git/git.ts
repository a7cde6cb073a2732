import type { Clock } from "@rpc/core";
import { type ProcessEnd, runProcess } from "../step/process-group.ts";
import type { ProcessGroups } from "../step/process-groups.ts";

/** What git has said of a failure. */
export class GitError extends Error {
  override readonly name = "GitError";
}

export interface GitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The bot's environment: ssh agents, proxies and credential helpers are found there. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly groups?: ProcessGroups | undefined;
  readonly cwd?: string;
  /** Default: an hour. */
  readonly maxMs?: number;
  /** Gets what git says beside its result, by line. */
  readonly say?: ((line: string) => void) | undefined;
}

const HOUR_MS = 3_600_000;
/** A list of commits or of references is no larger. */
const MOST_OUTPUT = 64 * 1024 * 1024;
const MOST_COMPLAINT = 4_000;

/** No questions, no pager, no hooks, no tidying up while a build borrows objects. */
const SETTINGS = ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false"];

/** Runs git and gives what it writes. Rejects with a GitError. */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const out: Uint8Array[] = [];
  let outBytes = 0;
  let complaint = "";
  const decoder = new TextDecoder();
  const full = new AbortController();
  const end = await runProcess({
    command: ["git", ...SETTINGS, ...args],
    cwd: options.cwd ?? "/",
    env: gitEnvironment(options.env),
    noOutputMs: 0,
    maxMs: options.maxMs ?? HOUR_MS,
    killAfterMs: 5_000,
    clock: options.clock,
    groups: options.groups,
    signal: AbortSignal.any([options.signal, full.signal]),
    write: (stream, bytes) => {
      if (stream === "out") {
        outBytes += bytes.length;
        if (outBytes > MOST_OUTPUT) full.abort();
        else out.push(bytes);
      } else {
        complaint = (complaint + decoder.decode(bytes, { stream: true })).slice(-MOST_COMPLAINT);
      }
      return undefined;
    },
  });
  const lines = complaint.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  for (const line of lines) options.say?.(line);
  if (end.kind === "exit" && end.code === 0) return Buffer.concat(out).toString("utf8");
  throw new GitError(`git ${args[0] ?? ""}: ${outBytes > MOST_OUTPUT ? "too much output" : whyOf(end, lines)}`);
}

function whyOf(end: ProcessEnd, lines: readonly string[]): string {
  const said = lines.filter((line) => /^(fatal|error|remote: error)/.test(line)).join("; ") || lines.at(-1);
  switch (end.kind) {
    case "exit":
      return said ?? `exit code ${end.code}`;
    case "killed":
      return `killed by ${end.by}`;
    case "stopped":
      return end.why === "signal" ? "stopped" : "it took too long";
    default:
      return `cannot be started: ${end.why}`;
  }
}

function gitEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    // `GIT_DIR` and its like would lead into whatever repository the bot was started from.
    if (value !== undefined && (!name.startsWith("GIT_") || name.startsWith("GIT_SSH"))) own[name] = value;
  }
  return {
    ...own,
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSH_COMMAND: own["GIT_SSH_COMMAND"] ?? "ssh -o BatchMode=yes",
    LC_ALL: "C",
  };
}
