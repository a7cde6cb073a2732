// An agent in a process of its own, forked with an order in JSON. Notes in the journal what its handlers do, and says on the channel how it fares;
// ends when it is told `close`, or when whoever started it is gone.
import { setTimeout as sleep } from "node:timers/promises";
import { dynamicRouter, type HandlerContext, RpcError, systemClock } from "@rpc/core";
import type { DbQueueAgentOptions } from "../src/agent/agent-options.ts";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { ChaosStore } from "./chaos-store.ts";
import { JournalWriter } from "./chaos-journal.ts";

export interface ChaosAgentOrder {
  readonly store: ChaosStore;
  readonly journal: string;
  readonly address: string;
  readonly name: string;
  readonly incarnation: string;
  readonly options: Pick<DbQueueAgentOptions, "concurrency" | "prefetch" | "leaseMs" | "pollMs" | "reaper">;
  /** How far its clocks are off. */
  readonly skewMs: number;
}

export type ChaosAgentWord =
  | { readonly kind: "ready" }
  /** What it has reported, which is not its end. */
  | { readonly kind: "trouble"; readonly reason: string }
  | { readonly kind: "ended"; readonly reason: string };

const order = JSON.parse(process.argv[2] ?? "") as ChaosAgentOrder;
const { address, name, incarnation, skewMs } = order;
if (skewMs !== 0) skewClocks(skewMs);
const say = (word: ChaosAgentWord): void => {
  if (process.connected) process.send?.(word);
};
process.on("disconnect", () => process.exit(0));

const journal = new JournalWriter(order.journal, incarnation);
const router = dynamicRouter();
const run = async (context: HandlerContext, command: string, workMs: number): Promise<string> => {
  journal.write("start", command, context.attempt);
  try {
    if (workMs > 0) await sleep(workMs, undefined, { signal: context.signal });
    return `${incarnation}/${context.attempt}`;
  } finally {
    journal.write("end", command, context.attempt);
  }
};
router.register({ run }.run, { passContext: true });

const store = opened(order.store);
const agent = await serveDbQueue(router, {
  ...order.options,
  store,
  address,
  name,
  incarnation,
  onError: (error) => say({ kind: "trouble", reason: error.reason ?? error.code }),
  ...(skewMs === 0 ? {} : { clock: { ...systemClock, now: () => systemClock.now() + skewMs } }),
}).catch((thrown: unknown) => {
  say({ kind: "ended", reason: String(thrown) });
  throw thrown;
});
say({ kind: "ready" });
void agent.closed.then((error) => say({ kind: "ended", reason: error?.reason ?? "closed" }));
process.on("message", () => {
  void agent
    .close()
    .then(() => store.close())
    .then(() => process.disconnect());
});

function opened(where: ChaosStore): QueueStore {
  return "file" in where ? createSqliteStore(where) : createPostgresStore(where);
}

function skewClocks(ms: number): void {
  const { now } = Date;
  Date.now = () => now() + ms;
  if (Date.now() === now()) throw new RpcError("INTERNAL", "the clock cannot be moved");
}
