import type { Work } from "./work.ts";

export function bumpWake(work: Work, topics: readonly string[]): void {
  if (topics.length === 0) return;
  work.connection.run("UPDATE rpc_wake SET published = published + 1");
  for (const topic of topics) work.topics.set(topic, undefined);
}
