import type { Handler, RpcError } from "@rpc/core";
import { createFakeClock, type FakeClock } from "@rpc/testkit";
import type { DbQueueAgentOptions } from "../src/agent/agent-options.ts";
import { type DbQueueAgent, serveDbQueue } from "../src/agent/serve-db-queue.ts";
import type { SqliteStoreOptions } from "../src/sqlite/options.ts";
import type { CommandRow, NewCommand } from "../src/store/store-words.ts";
import type { QueueStore } from "../src/store/store.ts";
import { openPostgresRig } from "./postgres-rig.ts";
import { openSqliteRig } from "./sqlite-rig.ts";
import type { StoreRig } from "./store-rig.ts";

export const AGENT_ADDRESS = "software_dev.buildbot:7";
export const LEASE_MS = 30_000;

export interface AgentRig {
  readonly store: QueueStore;
  readonly clock: FakeClock;
  /** All that agents have reported. */
  readonly errors: RpcError[];
  /** One more on the same file, as another process would have it. */
  another(): QueueStore;
  serve(handler: Handler, options?: Partial<DbQueueAgentOptions>): Promise<DbQueueAgent>;
  /** Starts one whose promise may wait for what the test does next. */
  begin(handler: Handler, options?: Partial<DbQueueAgentOptions>): Promise<DbQueueAgent>;
  /** The new command's id. */
  insert(method: string, command?: Partial<NewCommand>): Promise<number>;
  row(id: number): Promise<CommandRow>;
  /** Waits for it by turns of the loop, time standing still. */
  until(holds: () => boolean | Promise<boolean>, what?: string): Promise<void>;
  /** The row once it has come to its end. */
  ended(id: number): Promise<CommandRow>;
  /** Time goes on in steps, so that what one timer begins has its turns before the next one. */
  advance(ms: number, stepMs?: number): Promise<void>;
  /** Time goes on, however slow the machine is, until it holds. */
  advanceUntil(holds: () => boolean | Promise<boolean>, stepMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function openAgentRig(
  options: { readonly address?: boolean } = {},
  storeOptions: Partial<SqliteStoreOptions> = {},
): Promise<AgentRig & { readonly file: string }> {
  const sqlite = await openSqliteRig({}, storeOptions);
  const { clock } = sqlite;
  const rig = await agentRigOn(sqlite, clock, {
    address: options.address,
    advance: async (ms, stepMs) => {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs));
        await turns(6);
      }
    },
  });
  return { ...rig, file: sqlite.file };
}

/** Beyond them a test is not made any better. */
const MAX_STEPS = 60;
/** What the server is given for what follows from one step. */
const STEP_WAITS = 12;

/** Two clocks go on: that of the agent, and, by making all that is stored older, that of the server. */
export async function openPostgresAgentRig(): Promise<AgentRig> {
  const postgres = await openPostgresRig();
  const clock = createFakeClock();
  return agentRigOn(postgres, clock, {
    look: () => postgres.tick(),
    advance: async (ms, stepMs) => {
      const longMs = Math.max(stepMs, ms / MAX_STEPS);
      for (let left = ms; left > 0; left -= longMs) {
        await postgres.advance(Math.min(left, longMs));
        clock.advance(Math.min(left, longMs));
        for (let wait = 0; wait < STEP_WAITS; wait++) {
          await postgres.tick();
          await turns(2);
        }
      }
    },
  });
}

interface RigOptions {
  readonly address?: boolean | undefined;
  readonly advance: (ms: number, stepMs: number) => Promise<void>;
  /** Between two looks: a turn of the loop, unless it says otherwise. */
  readonly look?: () => Promise<void>;
}

async function agentRigOn(database: StoreRig, clock: FakeClock, options: RigOptions): Promise<AgentRig> {
  const { store } = database;
  const until: AgentRig["until"] = (holds, what) => comesAbout(holds, what, options.look);
  if (options.address !== false) await store.ensureAddress(AGENT_ADDRESS);
  const errors: RpcError[] = [];
  const agents: Promise<DbQueueAgent>[] = [];
  const begin = (handler: Handler, given: Partial<DbQueueAgentOptions> = {}): Promise<DbQueueAgent> => {
    const agent = serveDbQueue(handler, {
      store,
      address: AGENT_ADDRESS,
      name: "bot",
      clock,
      random: () => 0.5,
      leaseMs: LEASE_MS,
      onError: (error) => errors.push(error),
      ...given,
    });
    agents.push(agent);
    agent.catch(() => undefined);
    return agent;
  };
  const row = async (id: number): Promise<CommandRow> => {
    const [found] = await store.read([id]);
    if (found === undefined) throw new Error(`no row ${id}`);
    return found;
  };
  return {
    store,
    clock,
    errors,
    another: () => database.another(),
    serve: begin,
    begin,
    insert: async (method, command = {}) => {
      const [inserted] = await store.insert([{ address: AGENT_ADDRESS, method, ...command }]);
      if (inserted === undefined || inserted instanceof Error) throw inserted ?? new Error("not inserted");
      return inserted.id;
    },
    row,
    until,
    ended: async (id) => {
      await until(async () => (await row(id)).finishedAt !== undefined, `the end of ${id}`);
      return row(id);
    },
    advance: (ms, stepMs = 1000) => options.advance(ms, stepMs),
    advanceUntil: (holds, stepMs = 1000) =>
      comesAbout(holds, "it", async () => {
        await options.advance(stepMs, stepMs);
      }),
    close: async () => {
      const open = (await Promise.allSettled(agents)).flatMap((each) =>
        each.status === "fulfilled" ? [each.value] : [],
      );
      await Promise.all(open.map((agent) => agent.close()));
      await database.close();
    },
  };
}

const MAX_TURNS = 2000;

export function until(holds: () => boolean | Promise<boolean>, what?: string): Promise<void> {
  return comesAbout(holds, what);
}

async function comesAbout(
  holds: () => boolean | Promise<boolean>,
  what = "it",
  look: () => Promise<void> = () => turns(1),
): Promise<void> {
  for (let count = 0; count < MAX_TURNS; count++) {
    if (await holds()) return;
    await look();
  }
  throw new Error(`${what} did not come about`);
}

export async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++)
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}

/** A promise to hold a handler by. */
export function gate<T = void>(): { readonly promise: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, open: resolve };
}
