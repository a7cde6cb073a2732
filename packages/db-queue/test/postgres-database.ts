// Databases of their own for tests, on the run's PostgreSQL.
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Client, type QueryResultRow } from "pg";
import { inject } from "vitest";

interface Answer {
  readonly url?: string;
  readonly error?: string;
}

/** URL of the run's server, with its maintenance database; another one's, of another version say, by RPC_POSTGRES_URL. */
async function serverUrl(): Promise<string> {
  const given = process.env["RPC_POSTGRES_URL"];
  if (given !== undefined) return given;
  const answer = JSON.parse(await text(connect(inject("postgresDoor")))) as Answer;
  if (answer.url === undefined) throw new Error(`PostgreSQL did not start: ${answer.error ?? "no answer"}`);
  return answer.url;
}

let count = 0;

/** URL of a new, empty database; it goes with the server. */
export async function createDatabase(server?: string): Promise<string> {
  const maintenance = server ?? (await serverUrl());
  count += 1;
  const name = `t${process.pid.toString(36)}_${count.toString(36)}`;
  await query(maintenance, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(maintenance);
  url.pathname = `/${name}`;
  return url.href;
}

/** One statement on a connection of its own. */
export async function query<Row extends QueryResultRow = QueryResultRow>(
  url: string,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(statement, values)).rows;
  } finally {
    await client.end();
  }
}
