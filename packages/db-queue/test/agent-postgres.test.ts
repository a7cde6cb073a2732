import { type DynamicRouter, dynamicRouter, type HandlerContext, RpcError } from "@rpc/core";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DbQueueAgentOptions } from "../src/agent/agent-options.ts";
import { type DbQueueAgent, serveDbQueue } from "../src/agent/serve-db-queue.ts";
import type { CommandRow, NewCommand } from "../src/store/store-words.ts";
import { gate, openPostgresAgentRig } from "./agent-rig.ts";
import { agentSuite } from "./agent-suite.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";

describe("over PostgreSQL", () => {
  agentSuite(openPostgresAgentRig);
});

const ADDRESS = "software_dev.buildbot:7";
const LEASE_MS = 30_000;

let rig: PostgresRig;
let clock: FakeClock;
let agents: DbQueueAgent[];
let errors: RpcError[];
beforeEach(async () => {
  rig = await openPostgresRig();
  clock = createFakeClock();
  agents = [];
  errors = [];
  await rig.store.ensureAddress(ADDRESS);
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await rig.close();
});

async function serve(
  run: (context: HandlerContext, input: unknown) => unknown,
  options: Partial<DbQueueAgentOptions> = {},
): Promise<DbQueueAgent> {
  const router: DynamicRouter = dynamicRouter();
  router.register(run, { name: "run", passContext: true });
  const agent = await serveDbQueue(router, {
    store: rig.another(),
    address: ADDRESS,
    name: "bot",
    clock,
    leaseMs: LEASE_MS,
    reaper: false,
    onError: (error) => errors.push(error),
    ...options,
  });
  agents.push(agent);
  return agent;
}

async function insert(commands: readonly Partial<NewCommand>[]): Promise<readonly number[]> {
  const inserted = await rig.store.insert(commands.map((each) => ({ address: ADDRESS, method: "run", ...each })));
  return inserted.map((each) => {
    if (each instanceof RpcError) throw each;
    return each.id;
  });
}

/** Each look is a query: whoever has something to do has its turn meanwhile. */
async function rows(
  ids: readonly number[],
  holds: (row: CommandRow | undefined) => boolean,
  meanwhile: () => void = () => undefined,
): Promise<readonly (CommandRow | undefined)[]> {
  for (let looks = 0; looks < 5000; looks++) {
    const found = await rig.store.read(ids);
    if (found.every(holds)) return found;
    meanwhile();
  }
  throw new Error("it did not come about");
}

const hasEnded = (row: CommandRow | undefined): boolean => row?.finishedAt !== undefined;
const isClaimed = (row: CommandRow | undefined): boolean => row?.state === "claimed";

it("runs each command of a backlog once, with two agents at it, and what comes later by its wake-up", async () => {
  const ids = await insert(Array.from({ length: 300 }, (_, index) => ({ args: `[${index}]` })));
  const seen: unknown[] = [];
  const run = (_context: HandlerContext, input: unknown): unknown => {
    seen.push(input);
    return input;
  };
  await serve(run, { concurrency: 8, prefetch: 8 });
  await serve(run, { name: "other", concurrency: 8 });
  const late = await insert([{ args: "[300]" }]);
  const ended = await rows([...ids, ...late], hasEnded);
  expect(ended.map((row) => row?.result)).toEqual(Array.from({ length: 301 }, (_, index) => String(index)));
  expect(seen).toHaveLength(301);
});

it("hears of a cancellation at once, and says what its handlers say before their answers", async () => {
  await serve(
    (context) =>
      new Promise((_resolve, reject) => {
        context.log("begun");
        context.signal.addEventListener("abort", () => {
          context.progress("stopping");
          reject(context.signal.reason as Error);
        });
      }),
  );
  const ids = await insert([{}]);
  await rows(ids, isClaimed);
  await rig.store.cancel([{ id: ids[0] ?? 0, reason: "enough" }]);
  const [row] = await rows(ids, hasEnded);
  expect(row).toMatchObject({ state: "cancelled", progress: '"stopping"' });
  expect((await rig.store.readEvents(ids[0] ?? 0)).map(({ kind }) => kind)).toEqual(["log", "progress"]);
});

it("gives a lost command to the next incarnation, and refuses what the first one makes of it", async () => {
  const open = gate();
  const first = await serve(async () => {
    await open.promise;
    return "stale";
  });
  const ids = await insert([{ maxAttempts: 2 }]);
  await rows(ids, isClaimed);
  await serve(() => "fresh");
  await rig.store.reap();
  await rig.advance(5000);
  const [row] = await rows(ids, hasEnded, () => clock.advance(1000));
  expect(row).toMatchObject({ state: "done", result: '"fresh"', attempts: 2 });
  // Busy as it is, its next sign of life tells.
  clock.advance(LEASE_MS / 2);
  expect(await first.closed).toMatchObject({ reason: "FENCED" });
  open.open();
  await rig.tick();
  expect((await rig.store.read(ids))[0]?.result).toBe('"fresh"');
});

it("goes on after all its connections were killed", async () => {
  const agent = await serve((_context, input) => input);
  const before = await insert([{ args: "[1]" }]);
  await rows(before, hasEnded);
  await rig.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  let ids: readonly number[] = [];
  while (ids.length === 0) ids = await insert([{ args: "[2]" }]).catch(() => []);
  const [row] = await rows(ids, hasEnded, () => clock.advance(1000));
  expect(row?.result).toBe("2");
  expect(agent.running).toBe(0);
});

it("writes a result with NUL, which PostgreSQL's texts have no place for, as it is", async () => {
  await serve(() => "a\u0000b");
  const ids = await insert([{}]);
  const [row] = await rows(ids, hasEnded);
  expect(row).toMatchObject({ state: "done", result: JSON.stringify("a\u0000b") });
});
