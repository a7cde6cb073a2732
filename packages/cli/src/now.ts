import type { DbQueue } from "@rpc/db-queue";

/** The database's clock, by the last sign of life of any agent; this machine's where there is none. */
export async function databaseNow(queue: DbQueue): Promise<number> {
  const [agent] = await queue.agents();
  return agent === undefined ? Date.now() : agent.lastSeenAt + agent.unseenMs;
}
