import { Client, type QueryResultRow } from "pg";

/** One statement on a connection of its own, outside of any test. */
export async function execute<Row extends QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Two connections outside of any test: one says, the other one hears. */
export async function listening(
  url: string,
  channel: string,
): Promise<{ readonly notified: () => Promise<void>; readonly end: () => Promise<void> }> {
  const [speaker, listener] = [new Client({ connectionString: url }), new Client({ connectionString: url })];
  await Promise.all([speaker.connect(), listener.connect()]);
  await listener.query(`LISTEN ${channel}`);
  return {
    notified: async () => {
      const arrival = new Promise<void>((resolve) => void listener.once("notification", () => resolve()));
      await speaker.query(`NOTIFY ${channel}`);
      await arrival;
    },
    end: async () => {
      await Promise.all([speaker.end(), listener.end()]);
    },
  };
}
