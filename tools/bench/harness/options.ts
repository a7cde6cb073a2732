import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isLoad, LOADS, type Load } from "./figures.ts";
import { ROSTER, type RosterEntry } from "./roster.ts";

export const REPOSITORY_FOLDER: string = fileURLToPath(new URL("../../../", import.meta.url));

export const USAGE = `node tools/bench/main.ts [options]
  --only a,b            only these entrants (${ROSTER.map((entry) => entry.name).join(", ")})
  --loads a,b           only these loads (${LOADS.join(", ")}, install)
  --runs 5              rounds of the timed loads; the median counts
  --seconds 2           measured window of each load
  --memory-runs 3       rounds of the idle and heap loads
  --idle-connections 10000
  --heap-calls 1000000
  --subscribers 100     of the load fanout
  --sessions 1000       of the load resume
  --backlog 20000       commands of the load queue-backlog
  --quick               1 round of half a second, 1000 connections, 100 000 calls, 100 sessions: to see that all of it works
  --out folder          where the report goes; default docs/benchmarks for a complete run, nowhere for a partial one
  --check               exit 1 when a "must reach" is missed, and print which`;

export interface BenchOptions {
  readonly entries: readonly RosterEntry[];
  readonly loads: readonly Load[];
  readonly measuresInstall: boolean;
  readonly runs: number;
  readonly memoryRuns: number;
  readonly windowMs: number;
  readonly idleConnections: number;
  readonly heapCalls: number;
  readonly subscribers: number;
  readonly sessions: number;
  readonly backlog: number;
  readonly outFolder: string | undefined;
  readonly checks: boolean;
}

export class UsageError extends Error {}

export function optionsFrom(args: readonly string[]): BenchOptions {
  const values = parsed(args);
  const quick = values.quick === true;
  const entries = values.only === undefined ? ROSTER : words(values.only).map(entryCalled);
  const loadWords = values.loads === undefined ? [...LOADS, "install"] : words(values.loads);
  const unknown = loadWords.find((word) => word !== "install" && !isLoad(word));
  if (unknown !== undefined) throw new UsageError(`no load is called "${unknown}"`);
  const isComplete = values.only === undefined && values.loads === undefined && !quick;
  return {
    entries,
    loads: loadWords.filter(isLoad),
    measuresInstall: loadWords.includes("install"),
    runs: positive("runs", values.runs ?? (quick ? "1" : "5")),
    memoryRuns: positive("memory-runs", values["memory-runs"] ?? (quick ? "1" : "3")),
    windowMs: positive("seconds", values.seconds ?? (quick ? "0.5" : "2")) * 1000,
    idleConnections: positive("idle-connections", values["idle-connections"] ?? (quick ? "1000" : "10000")),
    heapCalls: positive("heap-calls", values["heap-calls"] ?? (quick ? "100000" : "1000000")),
    subscribers: positive("subscribers", values.subscribers ?? "100"),
    sessions: positive("sessions", values.sessions ?? (quick ? "100" : "1000")),
    backlog: positive("backlog", values.backlog ?? (quick ? "2000" : "20000")),
    outFolder: outFolderFrom(values.out, isComplete),
    checks: values.check === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        only: { type: "string" },
        loads: { type: "string" },
        runs: { type: "string" },
        seconds: { type: "string" },
        "memory-runs": { type: "string" },
        "idle-connections": { type: "string" },
        "heap-calls": { type: "string" },
        subscribers: { type: "string" },
        sessions: { type: "string" },
        backlog: { type: "string" },
        quick: { type: "boolean" },
        out: { type: "string" },
        check: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A relative folder is meant from where the user stands, also when a package script changed the folder. */
function outFolderFrom(out: string | undefined, isComplete: boolean): string | undefined {
  if (out !== undefined) return resolve(process.env["INIT_CWD"] ?? process.cwd(), out);
  return isComplete ? resolve(REPOSITORY_FOLDER, "docs/benchmarks") : undefined;
}

function entryCalled(name: string): RosterEntry {
  const entry = ROSTER.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new UsageError(`no entrant is called "${name}"`);
  return entry;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new UsageError(`--${option} wants a positive number, not "${text}"`);
  return value;
}

function words(list: string): string[] {
  return list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
