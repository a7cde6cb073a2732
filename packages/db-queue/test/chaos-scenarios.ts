import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { ChaosAgentOrder } from "./chaos-agent.ts";
import type { SmallDisk } from "./chaos-disk.ts";
import { type BlackHole, openBlackHole } from "./chaos-hole.ts";
import { journalNow } from "./chaos-journal.ts";
import type { PlannedCommand } from "./chaos-plan.ts";
import type { ChaosStore } from "./chaos-store.ts";
import { ChaosWorld } from "./chaos-world.ts";
import type { TestServer } from "./embedded-postgres.ts";

/** How large, and how long. */
export interface ChaosScale {
  readonly agents: number;
  readonly harmMs: number;
  /** As the product has them, when left out. */
  readonly store?: Partial<ChaosStore>;
  readonly agentOptions?: Partial<ChaosAgentOrder["options"]>;
}

/** What a harm is done to. */
interface ChaosScene {
  readonly world: ChaosWorld;
  readonly scale: ChaosScale;
  readonly server: TestServer;
  /** Of the database; of the file, for SQLite. */
  readonly place: string;
  readonly hole: BlackHole | undefined;
  /** On which the file is, when it can be filled. */
  readonly disk: SmallDisk | undefined;
}

export interface ChaosScenario {
  readonly id: string;
  /** Of the tables of requirements and of hostile inputs. */
  readonly rows: string;
  readonly what: string;
  readonly through?: "hole";
  readonly skewMs?: (agent: number) => number;
  /** Settles when it is over: from then on the database can be used again. */
  readonly harm: (scene: ChaosScene) => Promise<void>;
}

export interface ChaosReport {
  readonly id: string;
  readonly what: string;
  /** Since the harm was over: until the first agent, and until the last one, had begun a command. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Until everybody who had issued a command by then had been told its outcome. */
  readonly toldMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly troubles: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const OTHERS =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

export const POSTGRES_SCENARIOS: readonly ChaosScenario[] = [
  {
    id: "server-restart",
    rows: "H190",
    what: "the server is stopped, and started again after a while",
    harm: async ({ server, scale }) => {
      await server.down();
      await sleep(scale.harmMs);
      await server.up();
    },
  },
  {
    id: "server-crash",
    rows: "H193",
    what: "the postmaster is killed by SIGKILL, and started again after a while: it recovers",
    harm: async ({ server, scale }) => {
      await server.kill();
      await sleep(scale.harmMs);
      await server.up();
    },
  },
  {
    id: "backend-kill",
    rows: "H191 H194",
    what: "all connections are killed by pg_terminate_backend, twice a second",
    harm: async ({ place, scale }) => {
      const client = await connected(place);
      for (let leftMs = scale.harmMs; leftMs > 0; leftMs -= 500) {
        await client.query(OTHERS);
        await sleep(Math.min(500, leftMs));
      }
      await client.query(OTHERS);
      await client.end();
    },
  },
  {
    id: "pool-exhaustion",
    rows: "H192",
    what: "others take each of the server's connections, those of agents and issuer included, and give them back after a while",
    harm: async ({ place, scale }) => {
      const hogs: Client[] = [];
      const endsAt = journalNow() + scale.harmMs;
      while (journalNow() < endsAt) {
        const hog = await connected(place).catch(() => undefined);
        if (hog !== undefined) hogs.push(hog);
        // There is no room any more: now those that were there before are sent away, and their places taken.
        else if ((await terminatedBut(hogs)) === 0) await sleep(20);
      }
      await Promise.all(hogs.map((hog) => hog.end()));
    },
  },
  {
    id: "agent-crash",
    rows: "Q50 H180",
    what: "an agent is killed by SIGKILL, and started again after a while",
    harm: async ({ world, scale }) => {
      await world.kill(0);
      await sleep(scale.harmMs);
      await world.start(0);
    },
  },
  {
    id: "repeated-kills",
    rows: "Q50 H194",
    what: "one agent after the other is killed by SIGKILL, and started again",
    harm: async ({ world, scale }) => {
      const endsAt = journalNow() + scale.harmMs;
      for (let round = 0; journalNow() < endsAt; round += 1) {
        await world.kill(round % scale.agents);
        await world.start(round % scale.agents);
      }
    },
  },
  {
    id: "half-open",
    rows: "H195",
    what: "all connections, LISTEN included, stay open and carry nothing any more; nobody is told; new ones work",
    through: "hole",
    harm: async ({ hole }) => hole?.swallow(),
  },
  {
    id: "black-hole",
    rows: "H195",
    what: "the same, and new ones carry nothing either for a while",
    through: "hole",
    harm: async ({ hole, scale }) => {
      hole?.swallow(true);
      await sleep(scale.harmMs);
      hole?.heal();
    },
  },
  {
    id: "clock-skew",
    rows: "H183",
    what: "the clocks of agents are five hours ahead and five hours behind; an agent is killed and started again",
    skewMs: (agent) => (((agent + 1) % 3) - 1) * 5 * 3_600_000,
    harm: async ({ world }) => {
      for (const agent of [1, 2]) {
        await world.kill(agent);
        await world.start(agent);
      }
    },
  },
];

export const SQLITE_SCENARIOS: readonly ChaosScenario[] = [
  {
    id: "disk-full",
    rows: "H196",
    what: "the disk is full for a while",
    harm: async ({ place, scale, world, disk }) => {
      const makeRoom = disk?.fill() ?? fillFile(place);
      await world.until(() => world.refusals.has("DISK_FULL"), "a full disk");
      await sleep(scale.harmMs);
      makeRoom();
    },
  },
  {
    id: "locked",
    rows: "H196",
    what: "another process holds the database's lock for longer than they wait for it",
    harm: async ({ place, scale, world }) => {
      const database = new DatabaseSync(place);
      database.exec("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE");
      await world.until(() => (world.troubles.get("DATABASE_LOCKED") ?? 0) > 0, "a locked database");
      await sleep(scale.harmMs);
      database.exec("ROLLBACK");
      database.close();
    },
  },
  ...POSTGRES_SCENARIOS.filter(({ id }) => id === "agent-crash" || id === "repeated-kills"),
];

/** How large the file may become where there is no small disk. */
const FILE_BYTES = 16 * 1024 * 1024;

/** Room for nothing but what is there. The limit belongs to a connection: this one has none. */
function fillFile(file: string): () => void {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA busy_timeout = 10000; CREATE TABLE ballast (b BLOB)");
  database.prepare("INSERT INTO ballast VALUES (zeroblob(?))").run(FILE_BYTES);
  return () => {
    database.exec("DROP TABLE ballast");
    database.close();
  };
}

/** Commands without end run at agents in processes of their own; then comes the harm; then it is measured when all is well again. */
export async function runScenario(
  scenario: ChaosScenario,
  scale: ChaosScale,
  at:
    | { readonly server: TestServer; readonly url: string }
    | { readonly file: string; readonly disk?: SmallDisk | undefined },
): Promise<ChaosReport> {
  const { skewMs, id, what } = scenario;
  const isSqlite = "file" in at;
  const place = isSqlite ? at.file : at.url;
  const hole = scenario.through === "hole" && !isSqlite ? await openBlackHole(at.url) : undefined;
  const where = {
    ...(isSqlite
      ? { file: at.file, ...(id === "disk-full" && at.disk === undefined ? { maxFileBytes: FILE_BYTES } : {}) }
      : { connection: hole?.url ?? at.url }),
    ...scale.store,
  } as ChaosStore;
  const store = opened(where);
  await store.migrate();
  const world = await ChaosWorld.open({
    store,
    agentStore: where,
    agents: scale.agents,
    ...(scale.agentOptions === undefined ? {} : { agentOptions: scale.agentOptions }),
    ...(skewMs === undefined ? {} : { skewMs }),
  });
  try {
    const stop = world.load(scale.agents * 8, plainCommand);
    await world.allRunAgain(journalNow());
    // Not in its first steps.
    await sleep(200);
    const server = isSqlite ? NO_SERVER : at.server;
    await scenario.harm({ world, scale, server, place, hole, disk: isSqlite ? at.disk : undefined });
    const overAtMs = journalNow();
    const { firstMs, lastMs } = await world.allRunAgain(overAtMs);
    await stop();
    await world.allTold();
    const toldMs = journalNow() - overAtMs;
    const { counts, violations } = await world.judge();
    return { id, what, firstMs, lastMs, toldMs, counts, troubles: Object.fromEntries(world.troubles), violations };
  } finally {
    await world.close();
    hole?.close();
  }
}

/** At most once and at least once by turns; some take a while, some have a key, some may come too late. */
function plainCommand(index: number): PlannedCommand {
  return {
    name: `c${index}`,
    maxAttempts: index % 2 === 0 ? 1 : 100,
    workMs: index % 16 === 5 ? 400 : 10,
    key: index % 5 === 4 ? `k${index % 3}` : undefined,
    expiresMs: index % 23 === 7 ? 60 : undefined,
    delayMs: index % 19 === 3 ? 50 : undefined,
    priority: 0,
  };
}

function opened(where: ChaosStore): QueueStore {
  return "file" in where ? createSqliteStore(where) : createPostgresStore(where);
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** How many connections were sent away that are none of these. */
async function terminatedBut(hogs: readonly Client[]): Promise<number> {
  const pids = await Promise.all(
    hogs.map(async (hog) => (await hog.query("SELECT pg_backend_pid() AS pid")).rows[0].pid),
  );
  const { rows } = await (hogs[0] as Client).query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND NOT pid = ANY ($1::int[])",
    [pids],
  );
  return rows.length;
}

const NO_SERVER = undefined as never;
