/**
 * Ours on either database. All options are defaults but the agent's `concurrency`: the default, 1, is for work that wants to run alone, and
 * 100 is what pg-boss is given. Typed at both ends, input and output validated.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createRouter, defineContract, unary } from "@rpc/core";
import {
  createDbQueue,
  createPostgresStore,
  createSqliteStore,
  type DbQueueAgent,
  type QueueStore,
  serveDbQueue,
} from "@rpc/db-queue";
import { Client } from "pg";
import { z } from "zod";
import type { QueueEntrant } from "../harness/entrant.ts";
import { filesFolder, postgresUrl } from "../harness/queue-database.ts";

const Message = z.object({ id: z.int32(), text: z.string() });
const Work = defineContract("bench.Work", { echo: unary({ input: Message, output: Message }) });

const CONCURRENCY = 100;

interface Past {
  /** Commands that lie finished in the table. */
  readonly finished: number;
}

/** Where the tables are, and the address: one of its own for each measurement, so that what an earlier one has left is not in its way. */
interface Place {
  readonly tables: string;
  readonly address: string;
}

export function queueOnPostgres(past: Past): QueueEntrant {
  const storeOf = (schema: string): QueueStore => createPostgresStore({ connection: postgresUrl(), schema });
  return queueOn(storeOf, async () => {
    const isFresh = past.finished === 0;
    const schema = isFresh ? "queue_fresh" : "queue_past";
    const client = new Client(postgresUrl());
    await client.connect();
    if (isFresh) await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    const { rows } = await client.query(`SELECT 1 FROM pg_namespace WHERE nspname = '${schema}'`);
    if (rows.length === 0) {
      const store = storeOf(schema);
      await store.migrate();
      const { id } = await store.ensureAddress("past");
      await store.close();
      await client.query(pastOnPostgres(schema, id, past.finished));
      await client.query(`VACUUM (ANALYZE) ${schema}.rpc_command`);
      // What it has written is not to be written out while somebody is measured.
      await client.query("CHECKPOINT");
    }
    await client.end();
    return schema;
  });
}

export function queueOnSqlite(past: Past): QueueEntrant {
  const storeOf = (file: string): QueueStore => createSqliteStore({ file });
  return {
    ...queueOn(storeOf, async () => {
      const isFresh = past.finished === 0;
      const file = join(filesFolder(), isFresh ? `${randomUUID()}.db` : "past.db");
      const store = storeOf(file);
      await store.migrate();
      const { id } = await store.ensureAddress("past");
      await store.close();
      const database = new DatabaseSync(file);
      const { count } = database.prepare("SELECT count(*) AS count FROM rpc_command").get() as { count: number };
      if (count < past.finished) {
        database.exec(pastOnSqlite(id, past.finished));
        database.exec("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)");
      }
      database.close();
      return file;
    }),
    callsInOneProcess: true,
  };
}

function queueOn(storeOf: (tables: string) => QueueStore, makeTables: () => Promise<string>): QueueEntrant {
  const agentOf = (place: Place, handle: (id: number) => void): Promise<DbQueueAgent> => {
    const router = createRouter(Work, {
      echo: ({ id, text }) => {
        handle(id);
        return { id, text };
      },
    });
    return serveDbQueue(router, {
      store: sharedStore(storeOf, place.tables),
      address: place.address,
      name: "bench",
      concurrency: CONCURRENCY,
      onError: (error) => console.error(error),
    });
  };
  return {
    prepare: async () => {
      const place: Place = { tables: await makeTables(), address: `bench:${randomUUID()}` };
      const store = storeOf(place.tables);
      await store.ensureAddress(place.address);
      await store.close();
      return JSON.stringify(place);
    },
    openIssuer: async (text) => {
      const place = JSON.parse(text) as Place;
      const queue = createDbQueue(sharedStore(storeOf, place.tables));
      const { echo } = queue.proxy(Work, place.address);
      return {
        call: async (message) => (await echo(message)).id,
        issueAll: async (messages) => {
          await Promise.all(messages.map((message) => queue.issue(place.address, Work.echo, message).accepted));
        },
      };
    },
    openAgent: (text, handle) => agentOf(JSON.parse(text) as Place, handle),
    drain: async (text, count) => {
      let began = 0;
      let handled = 0;
      const allHandled = Promise.withResolvers<void>();
      const agent = await agentOf(JSON.parse(text) as Place, () => {
        if (handled === 0) began = performance.now();
        if (++handled === count) allHandled.resolve();
      });
      await allHandled.promise;
      while (unanswered(agent) > 0) await new Promise((resolve) => setImmediate(resolve));
      return { elapsedMs: performance.now() - began };
    },
  };
}

function unanswered(agent: DbQueueAgent): number {
  return agent.read().find(({ name }) => name === "rpc_queue_agent_unanswered")?.value ?? 0;
}

const stores = new Map<string, QueueStore>();

/** One for a process, as users have it. */
function sharedStore(storeOf: (tables: string) => QueueStore, tables: string): QueueStore {
  const store = stores.get(tables) ?? storeOf(tables);
  stores.set(tables, store);
  return store;
}

const ARGS = JSON.stringify([{ id: 7, text: "x".repeat(100) }]);
const RESULT = JSON.stringify({ id: 7, text: "x".repeat(100) });

/** Of the last hours: the default retention keeps it. */
function pastOnPostgres(schema: string, address: number, count: number): string {
  return `INSERT INTO ${schema}.rpc_command (address_id, method, args, meta, state, attempts, claim_token, agent_name, agent_incarnation,
    not_before, created_at, created_by, claimed_at, finished_at, result)
  SELECT ${address}, 'echo', '${ARGS}', '{"contract":"bench.Work"}', 'done', 1, gen_random_uuid(), 'bench', 'bench-1', t, t, 'bench', t, t, '${RESULT}'
    FROM generate_series(1, ${count}) AS n, LATERAL (SELECT clock_timestamp() - (${count} - n) * interval '10 ms' AS t) AS at`;
}

function pastOnSqlite(address: number, count: number): string {
  return `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${count})
  INSERT INTO rpc_command (address_id, method, args, meta, state, attempts, claim_token, agent_name, agent_incarnation,
    not_before, created_at, created_by, claimed_at, finished_at, result)
  SELECT ${address}, 'echo', '${ARGS}', '{"contract":"bench.Work"}', 'done', 1, lower(hex(randomblob(16))), 'bench', 'bench-1', t, t, 'bench', t, t, '${RESULT}'
    FROM (SELECT ${Date.now()} - (${count} - n) * 10 AS t FROM n)`;
}
