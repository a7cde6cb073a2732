/** What PostgreSQL allows through `pg`: a table, three commits per command, no wake-ups; idle, a NOTIFY there and one back. */
import { randomUUID } from "node:crypto";
import { Client, Pool } from "pg";
import type { QueueEntrant } from "../harness/entrant.ts";
import { postgresUrl } from "../harness/queue-database.ts";

const SCHEMA = "floor";
const CLAIM = "UPDATE floor.command SET state = 'claimed', token = $2 WHERE id = $1 RETURNING args";
const END = "UPDATE floor.command SET state = 'done', result = $2 WHERE id = $1";

export const queue: QueueEntrant = {
  prepare: async () => {
    const client = new Client(postgresUrl());
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE; CREATE SCHEMA ${SCHEMA};
      CREATE TABLE ${SCHEMA}.command (id bigserial PRIMARY KEY, args text, state text DEFAULT 'queued', token uuid, result text)`);
    await client.end();
    return SCHEMA;
  },
  openIssuer: async () => {
    const pool = new Pool({ connectionString: postgresUrl(), max: 10 });
    const listener = new Client(postgresUrl());
    await listener.connect();
    await listener.query("LISTEN floor_back");
    let answered: () => void = () => undefined;
    listener.on("notification", () => answered());
    await pool.query("SELECT 1");
    return {
      call: async (message) => {
        const args = JSON.stringify(message);
        const insert = {
          name: "insert",
          text: "INSERT INTO floor.command (args) VALUES ($1) RETURNING id",
          values: [args],
        };
        const { rows } = await pool.query<{ id: string }>(insert);
        const id = rows[0]?.id;
        await pool.query({ name: "claim", text: CLAIM, values: [id, randomUUID()] });
        await pool.query({ name: "end", text: END, values: [id, args] });
        return message.id;
      },
      callIdle: async ({ id }) => {
        const answer = new Promise<void>((resolve) => (answered = resolve));
        await pool.query({ name: "there", text: "SELECT pg_notify('floor_there', $1)", values: [String(id)] });
        await answer;
        return id;
      },
    };
  },
  openAgent: async (_place, handle) => {
    const client = new Client(postgresUrl());
    await client.connect();
    client.on("notification", ({ payload }) => {
      handle(Number(payload));
      void client.query("NOTIFY floor_back");
    });
    await client.query("LISTEN floor_there");
    return { close: () => client.end() };
  },
};
