/** Harm to the database queue, longer than a test may take: how soon it is well again, and whether every promise held. A wrong option prints all. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mountSmallDisk } from "../../packages/db-queue/test/chaos-disk.ts";
import { runInvariants } from "../../packages/db-queue/test/chaos-invariants.ts";
import { POSTGRES_SCENARIOS, runScenario, SQLITE_SCENARIOS } from "../../packages/db-queue/test/chaos-scenarios.ts";
import { startPostgres, type TestServer } from "../../packages/db-queue/test/embedded-postgres.ts";
import { GROUNDS, hunt } from "./queue-hunt.ts";
import { QueueReport } from "./queue-report.ts";
import { freshDatabase } from "./queue-postgres.ts";

const USAGE = `node tools/soak/queue.ts recovery | invariants | hunt [options]
  recovery      each kind of harm once, with the product's own settings, and how long it takes until all is well
    --seconds 10    how long the harm goes on
    --agents 8      processes
  invariants    commands of all kinds; agents are killed and frozen at random
    --commands 20000
    --agents 8
    --seed n        by default another one each time
  hunt          commands inserted when their agent has found nothing and is about to wait
    --times 100000
  all
    --store s       postgres or sqlite; both by default
    --only id       one kind of harm, or one ground of the hunt
    --out path      writes <path>.json and <path>.md; sections that are there already stay, but for what has run now`;

const { values, positionals } = options();
const [what = ""] = positionals;
const report = new QueueReport(values.out);
const violations: string[] = [];
const isWanted = (store: string, id: string): boolean =>
  (values.store ?? store) === store && (values.only ?? id) === id;

switch (what) {
  case "recovery":
    await recovery();
    break;
  case "invariants":
    await invariants();
    break;
  case "hunt":
    await hunts();
    break;
  default:
    console.error(USAGE);
    process.exitCode = 2;
}
report.write();
for (const violation of violations) console.log(`  ${violation}`);
if (violations.length > 0) process.exitCode = 1;

async function recovery(): Promise<void> {
  const scale = {
    agents: Number(values.agents),
    harmMs: Number(values.seconds) * 1000,
    agentOptions: { concurrency: 2, leaseMs: 30_000, reaper: {} },
  };
  for (const scenario of POSTGRES_SCENARIOS) {
    if (!isWanted("postgres", scenario.id)) continue;
    await withServer(async (server) => {
      const at = { server, url: await freshDatabase(server.url()) };
      keep("postgres", await runScenario(scenario, scale, at), scale);
    });
  }
  for (const scenario of SQLITE_SCENARIOS) {
    if (!isWanted("sqlite", scenario.id)) continue;
    const disk = scenario.id === "disk-full" ? mountSmallDisk(32) : undefined;
    await withFile(disk?.folder, async (file) => {
      keep("sqlite", await runScenario(scenario, scale, { file, disk }), scale);
    });
    disk?.unmount();
  }
}

function keep(
  store: string,
  result: Awaited<ReturnType<typeof runScenario>>,
  scale: { readonly agents: number; readonly harmMs: number },
): void {
  report.add("recovery", `${store} ${result.id}`, { store, ...scale, ...result });
  console.log(JSON.stringify({ store, ...result }));
  violations.push(...result.violations);
}

async function invariants(): Promise<void> {
  const agents = Number(values.agents);
  const commands = Number(values.commands);
  const seed = Number(values.seed ?? 1 + Math.floor(Math.random() * 999_999));
  const run = async (store: string, at: Parameters<typeof runInvariants>[0]["at"]): Promise<void> => {
    const started = performance.now();
    console.log(`invariants: ${store}, seed ${seed}, ${commands} commands, ${agents} agents`);
    const verdict = await runInvariants({ seed, commands, agents, at });
    const seconds = Math.round((performance.now() - started) / 1000);
    report.add("invariants", `${store} ${seed}`, { store, seed, agents, seconds, ...verdict });
    console.log(JSON.stringify({ store, seed, seconds, ...verdict }));
    violations.push(...verdict.violations);
  };
  if (isWanted("postgres", "invariants"))
    await withServer(async (server) => run("postgres", { url: await freshDatabase(server.url()) }));
  if (isWanted("sqlite", "invariants")) await withFile(undefined, (file) => run("sqlite", { file }));
}

async function hunts(): Promise<void> {
  const times = Number(values.times);
  for (const ground of GROUNDS) {
    if (!isWanted(ground.store, ground.id)) continue;
    const run = async (place: string): Promise<void> => {
      const result = await hunt(ground, place, times);
      report.add("hunt", ground.id, result);
      console.log(JSON.stringify(result));
      violations.push(...result.violations);
    };
    // Nothing is to be durable here, and a commit that waits for a disk is no wake-up that is late.
    if (ground.store === "sqlite") await withFile(undefined, run, existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
    else await withServer(async (server) => run(await freshDatabase(server.url())), ["fsync=off"]);
  }
}

async function withServer(run: (server: TestServer) => Promise<void>, settings: readonly string[] = []): Promise<void> {
  const server = await startPostgres({ settings: ["max_connections=100", ...settings] });
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

async function withFile(
  folder: string | undefined,
  run: (file: string) => Promise<void>,
  among: string = tmpdir(),
): Promise<void> {
  const own = folder ?? mkdtempSync(join(among, "rpc-queue-soak-"));
  try {
    await run(join(own, "queue.db"));
  } finally {
    if (folder === undefined) rmSync(own, { recursive: true, force: true });
  }
}

function options() {
  try {
    return parsed();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return process.exit(2);
  }
}

function parsed() {
  return parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "10" },
      agents: { type: "string", default: "8" },
      commands: { type: "string", default: "20000" },
      times: { type: "string", default: "100000" },
      seed: { type: "string" },
      store: { type: "string" },
      only: { type: "string" },
      out: { type: "string" },
    },
  });
}
