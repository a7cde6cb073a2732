// Databases of their own for tests, on the run's PostgreSQL.
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import pg from "pg";
import { inject } from "vitest";

interface Answer {
  readonly url?: string;
  readonly error?: string;
}

/** URL of the run's server, with its maintenance database. */
export async function serverUrl(): Promise<string> {
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
export async function query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
  url: string,
  statement: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(statement, values)).rows;
  } finally {
    await client.end();
  }
}
