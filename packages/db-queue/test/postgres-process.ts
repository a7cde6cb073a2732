// Another process for tests: `migrate <url>`, or `drain <url> <agent>`, which claims and answers until there is nothing left.
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
const ADDRESS = "software_dev.buildbot:7";

const [, , order, url = "", agent = ""] = process.argv;
const store = createPostgresStore({ connection: url, maxConnections: 2 });

async function drain(): Promise<number[]> {
  const ref = { address: ADDRESS, agent, incarnation: `${agent}-1` };
  await store.subscribe(ref);
  const ids: number[] = [];
  for (;;) {
    const [answer] = await store.claim([{ ...ref, max: 10, leaseMs: 60_000 }]);
    if (answer === undefined || !("claims" in answer)) throw answer ?? new Error("no answer");
    if (answer.claims.length === 0) return ids;
    await store.settle(answer.claims.map(({ id, token }) => ({ id, token, outcome: "done", result: "1" })));
    ids.push(...answer.claims.map(({ id }) => id));
  }
}

process.send?.(order === "migrate" ? await store.migrate() : await drain());
await store.close();
process.disconnect();
