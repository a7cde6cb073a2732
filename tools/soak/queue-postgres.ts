import { execute } from "../../packages/db-queue/test/chaos-sql.ts";

let count = 0;

/** URL of a new database on the server. */
export async function freshDatabase(server: string): Promise<string> {
  count += 1;
  const name = `soak_${process.pid}_${count}`;
  await execute(server, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
