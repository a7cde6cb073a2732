import { defineContract, type HandlerContext, type ImplementationOf, createRouter, type RpcError } from "@rpc/core";
import { event, job, notification, unary } from "@rpc/core";
import { z } from "zod";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue, DbQueueOptions } from "../src/issuer/db-queue.ts";
import type { SqliteStoreOptions } from "../src/sqlite/options.ts";
import type { QueueStore } from "../src/store/store.ts";
import { AGENT_ADDRESS, type AgentRig, openAgentRig } from "./agent-rig.ts";

export const BOT: string = AGENT_ADDRESS;

const Build = z.object({ branch: z.string(), at: z.date().optional() });

export const Bot = defineContract("test.Bot", {
  ping: unary({ output: z.string() }),
  build: unary({
    input: Build,
    output: z.object({ number: z.bigint() }),
    progress: z.number(),
    errors: { Broken: z.object({ step: z.string() }) },
  }),
  echo: unary(),
  poke: notification(),
  later: job({ input: z.string(), output: z.string() }),
});

/** A contract that a table cannot carry. */
export const News = defineContract("test.News", { happened: event() });

/** What the bot does, unless a test says otherwise. */
export function botOf(own: Partial<ImplementationOf<typeof Bot>> = {}): ReturnType<typeof createRouter<typeof Bot>> {
  return createRouter(Bot, {
    ping: () => "pong",
    build: (_input: z.infer<typeof Build>, _context: HandlerContext) => ({ number: 7n }),
    echo: (input: unknown) => input,
    poke: () => undefined,
    later: { handle: (input: string) => `${input} later` },
    ...own,
  });
}

export interface IssuerRig extends AgentRig {
  readonly queue: DbQueue;
  /** What the store was asked for, by verb. */
  readonly asked: Map<string, number>;
  /** Errors that belong to no call. */
  readonly heard: RpcError[];
  /** A queue of another process on the same file. */
  elsewhere(options?: DbQueueOptions): DbQueue;
}

export async function openIssuerRig(
  options: DbQueueOptions = {},
  storeOptions: Partial<SqliteStoreOptions> = {},
): Promise<IssuerRig> {
  const rig = await openAgentRig({}, storeOptions);
  const queues: DbQueue[] = [];
  const heard: RpcError[] = [];
  const asked = new Map<string, number>();
  const made = (store: QueueStore, given: DbQueueOptions): DbQueue => {
    const queue = createDbQueue(store, { clock: rig.clock, random: () => 0.5, name: "issuer", ...given });
    queue.on("error", (error) => heard.push(error));
    queues.push(queue);
    return queue;
  };
  const queue = made(counted(rig.store, asked), options);
  return {
    ...rig,
    queue,
    asked,
    heard,
    elsewhere: (given = {}) => made(rig.another(), given),
    close: async () => {
      await Promise.all(queues.map((each) => each.close()));
      await rig.close();
    },
  };
}

/** The same store, with its verbs counted. */
function counted(store: QueueStore, asked: Map<string, number>): QueueStore {
  return new Proxy(store, {
    get(target, name, self) {
      const member: unknown = Reflect.get(target, name, self);
      if (typeof member !== "function" || typeof name !== "string") return member;
      return (...values: unknown[]): unknown => {
        asked.set(name, (asked.get(name) ?? 0) + 1);
        return Reflect.apply(member, target, values);
      };
    },
  });
}
