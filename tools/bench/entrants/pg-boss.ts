/** pg-boss, asked for 100 jobs at a time, completed together: its quickest way. */
import { Client } from "pg";
import { PgBoss } from "pg-boss";
import type { QueueEntrant } from "../harness/entrant.ts";
import { postgresUrl } from "../harness/queue-database.ts";

const SCHEMA = "pgboss";
const NAME = "echo";
const BATCH = 100;

async function started(): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: postgresUrl(), schema: SCHEMA });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}

export const queue: QueueEntrant = {
  isOneWay: true,
  prepare: async () => {
    const client = new Client(postgresUrl());
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    await client.end();
    const boss = await started();
    await boss.createQueue(NAME);
    await boss.stop();
    return SCHEMA;
  },
  openIssuer: async () => {
    const boss = await started();
    return {
      call: async (message) => {
        await boss.send(NAME, message);
        return message.id;
      },
      issueAll: async (messages) => {
        await boss.insert(
          NAME,
          messages.map((data) => ({ data: { ...data } })),
        );
      },
    };
  },
  openAgent: async (_place, handle) => {
    const boss = await started();
    await boss.work<{ id: number }>(NAME, { batchSize: BATCH }, async (jobs) => {
      for (const { data } of jobs) handle(data.id);
    });
    return { close: () => boss.stop() };
  },
  drain: async (_place, count) => {
    const boss = await started();
    let began = 0;
    let completed = 0;
    while (completed < count) {
      const jobs = await boss.fetch<{ id: number }>(NAME, { batchSize: BATCH });
      if (began === 0) began = performance.now();
      await boss.complete(
        NAME,
        jobs.map(({ id }) => id),
      );
      completed += jobs.length;
    }
    return { elapsedMs: performance.now() - began };
  },
};
