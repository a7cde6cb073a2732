import { Pool, type PoolClient } from "pg";
import { expect, it } from "vitest";
import { ClientSession, connectionConfig, statementIn } from "../src/postgres/connections.ts";
import { postgresSettings } from "../src/postgres/options.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import { openPostgresRig } from "./postgres-rig.ts";
import { ADDRESS, claimed, inserted, subscribed } from "./store-rig.ts";

it("logs in with the password of a pool that was given to it, on every connection of its own", async () => {
  const connection = new Pool({ host: "127.0.0.1", user: "ada", password: "secret", ssl: { ca: "…" } });
  const config = connectionConfig(postgresSettings({ connection }));
  expect({ ...config, max: 1 }).toMatchObject({ user: "ada", password: "secret", ssl: { ca: "…" } });
  await connection.end();
});

it("makes its settings after connecting, where a pooler would refuse them before", async () => {
  const rig = await openPostgresRig();
  const options = { connection: rig.url, pooler: "session", statementTimeoutMs: 200 } as const;
  expect(connectionConfig(postgresSettings(options))).not.toHaveProperty("options");
  expect(connectionConfig(postgresSettings(options))).not.toHaveProperty("statement_timeout");
  const store = createPostgresStore(options);
  await subscribed(store, "a");
  await inserted(store, {});
  expect(await claimed(store, "a")).toHaveLength(1);
  const lock = await rig.begin();
  const held = rig.store.inTransaction(lock.handle);
  await held.removeAddress(ADDRESS);
  // By the server, which answers; without the setting it would be this end that gives up, a second later.
  await expect(store.ensureAddress(ADDRESS)).resolves.toMatchObject({ name: ADDRESS });
  await expect(store.subscribe({ address: ADDRESS, agent: "b", incarnation: "b-1" })).rejects.toMatchObject({
    reason: "STATEMENT_TIMEOUT",
    cause: { code: "57014" },
  });
  await lock.rollback();
  await store.close();
  await rig.close();
});

it("names statements, but for a pooler that does not keep them", async () => {
  const names: unknown[] = [];
  const client = {
    query: async ({ name }: { readonly name?: string }) => {
      names.push(name === undefined ? "none" : "named");
      return { rows: [] };
    },
  };
  for (const options of [
    {},
    { pooler: "session" },
    { pooler: "transaction" },
    { pooler: "transaction", namedStatements: true },
  ] as const) {
    const settings = postgresSettings({ connection: "postgres://localhost/x", ...options });
    // Nothing else of a client is asked for.
    const session = new ClientSession(client as unknown as Pick<PoolClient, "query">, settings);
    await session.rows(statementIn("public")("SELECT 1"), []);
  }
  expect(names).toEqual(["named", "named", "none", "named"]);
});
