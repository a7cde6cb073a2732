import { dynamicRouter } from "@rpc/core";
import {
  createPostgresStore,
  createSqliteStore,
  type QueueStore,
  serveDbQueue,
} from "../../packages/db-queue/src/index.ts";
import { stoppedAtPoints } from "../../packages/db-queue/test/hunt-points.ts";
import { watchedPostgres, watchedProcess } from "./queue-canary.ts";

export interface HuntGround {
  readonly id: string;
  readonly what: string;
  readonly store: "postgres" | "sqlite";
  /** No command may wait longer from its insert to its handler. */
  readonly limitMs: number;
  /** Agents that are hunted at the same time, each at its own address. */
  readonly lanes: number;
  readonly open: (place: string) => { readonly agents: QueueStore; readonly issuer: QueueStore };
}

export interface HuntResult {
  readonly id: string;
  readonly what: string;
  readonly limitMs: number;
  readonly times: number;
  readonly seconds: number;
  /** From before the insert until the handler starts, its commit included. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** The longest that the ground itself took at some moment, for a bare NOTIFY or a timer: no wake-up can be sooner. */
  readonly stallMs: number;
  readonly overLimit: number;
  /** Of them those that did not have the ground's own stalls in them. */
  readonly overLimitOfOwn: number;
  readonly violations: readonly string[];
}

/** Longer than any hunt: whoever is not woken is noticed. */
const POLL_MS = 3_600_000;
const POLL_INTERVAL_MS = 20;

export const GROUNDS: readonly HuntGround[] = [
  {
    id: "postgres-notify",
    what: "PostgreSQL, LISTEN and NOTIFY",
    store: "postgres",
    limitMs: 50,
    lanes: 2,
    open: (url) => ({
      agents: createPostgresStore({ connection: url }),
      issuer: createPostgresStore({ connection: url }),
    }),
  },
  {
    id: "postgres-off",
    what: `PostgreSQL without NOTIFY, polls every ${POLL_INTERVAL_MS} ms`,
    store: "postgres",
    limitMs: POLL_INTERVAL_MS + 50,
    lanes: 8,
    open: (url) => {
      const options = { connection: url, notify: "off", pollIntervalMs: POLL_INTERVAL_MS } as const;
      return { agents: createPostgresStore(options), issuer: createPostgresStore(options) };
    },
  },
  {
    id: "sqlite-one-process",
    what: "SQLite, agent and issuer share a store",
    store: "sqlite",
    limitMs: 50,
    lanes: 8,
    open: (file) => {
      const store = createSqliteStore({ file });
      return { agents: store, issuer: store };
    },
  },
  {
    id: "sqlite-two-stores",
    what: "SQLite, a store each, as two processes have it: the file is looked at every 5 ms",
    store: "sqlite",
    limitMs: 50,
    lanes: 8,
    open: (file) => ({ agents: createSqliteStore({ file }), issuer: createSqliteStore({ file }) }),
  },
];

/** A command is inserted whenever its agent has looked and found nothing: around the moment in which it begins to wait. */
export async function hunt(ground: HuntGround, place: string, times: number): Promise<HuntResult> {
  const { id, what, limitMs, lanes } = ground;
  const { agents, issuer } = ground.open(place);
  await agents.migrate();
  const canary = ground.store === "postgres" ? await watchedPostgres(place) : watchedProcess();
  const started = performance.now();
  const wakeUps: WakeUp[] = [];
  await Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      huntLane(agents, issuer, `hunt:${lane}`, Math.ceil(times / lanes), wakeUps),
    ),
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  await agents.close();
  await issuer.close();
  await canary.close();
  const latencies = wakeUps.map(({ from, until }) => until - from).sort((a, b) => a - b);
  const at = (share: number): number => round(latencies[Math.floor((latencies.length - 1) * share)] ?? 0);
  const late = wakeUps.filter(({ from, until }) => until - from > limitMs);
  const own = late.filter(({ from, until }) => until - from - canary.stalledMs(from, until) > limitMs);
  return {
    id,
    what,
    limitMs,
    times: latencies.length,
    seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    stallMs: round(canary.longestMs),
    overLimit: late.length,
    overLimitOfOwn: own.length,
    violations: own.map(({ from, until }) => {
      const stalledMs = round(canary.stalledMs(from, until));
      return `${id}: a wake-up took ${round(until - from)} ms, ${stalledMs} of them the ground's; allowed are ${limitMs}`;
    }),
  };
}

/** Instants of `performance.now()`. */
interface WakeUp {
  readonly from: number;
  readonly until: number;
}

async function huntLane(
  agents: QueueStore,
  issuer: QueueStore,
  address: string,
  times: number,
  wakeUps: WakeUp[],
): Promise<void> {
  await issuer.ensureAddress(address);
  let begunAt = 0;
  let count = 0;
  let isPending = false;
  const over = Promise.withResolvers<void>();
  const strike = async (): Promise<void> => {
    if (isPending || count >= times) return;
    isPending = true;
    // Sometimes before the agent has the empty answer, sometimes as it begins to wait, sometimes later.
    for (let turns = count % 7; turns > 0; turns -= 1) await new Promise((resolve) => void setImmediate(resolve));
    begunAt = performance.now();
    await issuer.insert([{ address, method: "run", notification: true }]);
  };
  const router = dynamicRouter();
  const run = (): void => {
    wakeUps.push({ from: begunAt, until: performance.now() });
    count += 1;
    isPending = false;
    if (count >= times) over.resolve();
  };
  router.register({ run }.run);
  const hunted = stoppedAtPoints(agents, async (point) => {
    // Not waited for: the agent goes on meanwhile.
    if (point === "after claim") strike().catch(over.reject);
  });
  const agent = await serveDbQueue(router, { store: hunted, address, name: "hunted", pollMs: POLL_MS, reaper: false });
  await over.promise;
  await agent.close();
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
