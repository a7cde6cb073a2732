import type { Handler, RpcError } from "@rpc/core";
import type { FakeClock } from "@rpc/testkit";
import type { DbQueueAgentOptions } from "../src/agent/agent-options.ts";
import { type DbQueueAgent, serveDbQueue } from "../src/agent/serve-db-queue.ts";
import type { SqliteStoreOptions } from "../src/sqlite/options.ts";
import type { CommandRow, NewCommand } from "../src/store/store-words.ts";
import type { QueueStore } from "../src/store/store.ts";
import { openSqliteRig } from "./sqlite-rig.ts";

export const AGENT_ADDRESS = "software_dev.buildbot:7";
export const LEASE_MS = 30_000;

export interface AgentRig {
  readonly store: QueueStore;
  readonly clock: FakeClock;
  readonly file: string;
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
  close(): Promise<void>;
}

export async function openAgentRig(
  options: { readonly address?: boolean } = {},
  storeOptions: Partial<SqliteStoreOptions> = {},
): Promise<AgentRig> {
  const sqlite = await openSqliteRig({}, storeOptions);
  const { store, clock } = sqlite;
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
    file: sqlite.file,
    errors,
    another: () => sqlite.another(),
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
    advance: async (ms, stepMs = 1000) => {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(left, stepMs));
        await turns(6);
      }
    },
    close: async () => {
      const open = (await Promise.allSettled(agents)).flatMap((each) =>
        each.status === "fulfilled" ? [each.value] : [],
      );
      await Promise.all(open.map((agent) => agent.close()));
      await sqlite.close();
    },
  };
}

const MAX_TURNS = 2000;

export async function until(holds: () => boolean | Promise<boolean>, what: string = "it"): Promise<void> {
  for (let count = 0; count < MAX_TURNS; count++) {
    if (await holds()) return;
    await turns(1);
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
