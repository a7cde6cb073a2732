/** The build bot with bots that are killed at random: whether each request is built once, and none is lost. A wrong option prints all. */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type as osType } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../../packages/db-queue/test/embedded-postgres.ts";
import { CROWD_BUILDER, type CrowdReport, runCrowd } from "../../apps/buildbot/test/e2e-crowd.ts";
import { House } from "../../apps/buildbot/test/e2e-rig.ts";
import { randomOf } from "../../apps/buildbot/test/random.ts";

const USAGE = `node tools/soak/buildbot.ts [options]
    --requests 1000
    --bots 8          processes
    --kills 40        SIGKILLs of bots
    --server-kills 3  SIGKILLs of the server
    --seed n          by default another one each time
    --store s         postgres or sqlite; both by default
    --out path        writes <path>.json and <path>.md`;
const STORES = ["sqlite", "postgres"] as const;
const PATIENCE_MS = 3_600_000;
const LIVELY_MS = 15_000;

interface Run extends CrowdReport {
  readonly store: string;
  readonly bots: number;
  readonly seed: number;
}

const values = options();
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const runs: Run[] = [];
for (const store of STORES) {
  if ((values.store ?? store) !== store) continue;
  const run = await soak(store);
  runs.push(run);
  console.log(JSON.stringify(run));
}
if (values.out !== undefined) {
  writeFileSync(`${values.out}.json`, `${JSON.stringify({ machine: machine(), runs }, undefined, 2)}\n`);
  writeFileSync(`${values.out}.md`, markdown(basename(values.out).slice(0, 10)));
}
for (const { store, violations } of runs) for (const violation of violations) console.log(`  ${store}: ${violation}`);
if (runs.some(({ violations }) => violations.length > 0)) process.exitCode = 1;

async function soak(store: (typeof STORES)[number]): Promise<Run> {
  const postgres = store === "postgres" ? await startPostgres() : undefined;
  try {
    await using house = await House.start({ databaseUrl: postgres?.url(), patienceMs: PATIENCE_MS });
    await house.configure({ crowd: CROWD_BUILDER });
    const bots = Number(values.bots);
    const alive = setInterval(() => console.error(`${store}: still building`), LIVELY_MS);
    try {
      const report = await runCrowd(house, {
        requests: Number(values.requests),
        bots,
        botKills: Number(values.kills),
        serverKills: Number(values["server-kills"]),
        random: randomOf(seed),
        waitMs: PATIENCE_MS,
      });
      return { store, bots, seed, ...report };
    } finally {
      clearInterval(alive);
    }
  } finally {
    await postgres?.stop();
  }
}

function markdown(date: string): string {
  const { cpu, cores, memoryGigabytes, os, node } = machine();
  const head = [
    "store",
    "requests",
    "bots",
    "kills of bots",
    "of the server",
    "builds",
    "put back",
    "took, s",
    "seed",
    "broken",
  ];
  const rows = runs.map((run) => [
    run.store,
    run.requests,
    run.bots,
    run.botKills,
    run.serverKills,
    run.builds,
    run.retries,
    run.seconds,
    run.seed,
    run.violations.length === 0 ? "nothing" : run.violations.join("; "),
  ]);
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `# Build bot: bots that are killed at random, ${date}

${cpu}, ${cores} cores, ${memoryGigabytes} GB · ${os} · Node ${node}
Written by \`node tools/soak/buildbot.ts\`.

Server and bots are processes of their own, started by the command as a user would, on SQLite and on PostgreSQL of embedded-postgres with fsync. Each build
checks out a repository of git and runs a shell for up to a second, and each bot builds one at a time. Bots, and the server, are ended by SIGKILL at
random moments and started anew. Checked at the end: each request is complete with success, by exactly one build that counts; every other build of it was
put back, because its bot had been killed; no build runs on; the builds' numbers have neither gaps nor doubles.

${table}
`;
}

function machine() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    os: `${osType()} ${release()}, ${process.arch}`,
    node: process.version,
  };
}

function options() {
  try {
    return parseArgs({
      options: {
        requests: { type: "string", default: "1000" },
        bots: { type: "string", default: "8" },
        kills: { type: "string", default: "40" },
        "server-kills": { type: "string", default: "3" },
        seed: { type: "string" },
        store: { type: "string" },
        out: { type: "string" },
      },
    }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return process.exit(2);
  }
}
