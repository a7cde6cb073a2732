import { Pool } from "pg";
import { expect, it } from "vitest";
import { connectionConfig } from "../src/postgres/connections.ts";
import { postgresSettings } from "../src/postgres/options.ts";

it("logs in with the password of a pool that was given to it, on every connection of its own", async () => {
  const connection = new Pool({ host: "127.0.0.1", user: "ada", password: "secret", ssl: { ca: "…" } });
  const config = connectionConfig(postgresSettings({ connection }));
  expect({ ...config, max: 1 }).toMatchObject({ user: "ada", password: "secret", ssl: { ca: "…" } });
  await connection.end();
});
