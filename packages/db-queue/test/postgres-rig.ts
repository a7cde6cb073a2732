import { Client } from "pg";
import type { PostgresStoreOptions } from "../src/postgres/options.ts";
import { createPostgresStore } from "../src/postgres/postgres-store.ts";
import type { QueueStore } from "../src/store/store.ts";
import { createDatabase } from "./postgres-database.ts";
import type { StoreRig } from "./store-rig.ts";

export interface PostgresRig extends StoreRig {
  readonly url: string;
  readonly schema: string;
  /** A connection beside the stores'. */
  readonly admin: Client;
}

const AGE = `DO $$ BEGIN
  UPDATE rpc_command SET not_before = not_before - ms, expires_at = expires_at - ms, lease_until = lease_until - ms,
    cancel_requested_at = cancel_requested_at - ms, created_at = created_at - ms, claimed_at = claimed_at - ms, finished_at = finished_at - ms;
  UPDATE rpc_agent SET started_at = started_at - ms, last_seen = last_seen - ms;
  UPDATE rpc_address SET created_at = created_at - ms;
  UPDATE rpc_command_event SET at = at - ms;
END $$`;

/** A database of its own. The server's clock cannot be moved: all that is stored grows older instead. */
export async function openPostgresRig(
  { migrated = true }: { readonly migrated?: boolean } = {},
  options: Partial<PostgresStoreOptions> = {},
): Promise<PostgresRig> {
  const url = await createDatabase();
  const schema = options.schema ?? "public";
  const stores: QueueStore[] = [];
  const clients: Client[] = [];
  const another = (): QueueStore => {
    const store = createPostgresStore({ connection: url, ...options });
    stores.push(store);
    return store;
  };
  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: url, options: `-c search_path=${schema}` });
    client.on("error", () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const store = another();
  if (migrated) await store.migrate();
  const admin = await connect();
  return {
    store,
    url,
    schema,
    admin,
    another,
    advance: async (ms) => {
      // Without triggers: nothing has happened.
      await admin.query("SET session_replication_role = replica");
      await admin.query(AGE.replaceAll(/\bms\b/g, `interval '${ms} ms'`));
      await admin.query("SET session_replication_role = DEFAULT");
    },
    // Whatever was sent before has arrived when a question of the same kind is answered.
    tick: async () => {
      await admin.query("SELECT 1");
    },
    begin: async () => {
      const handle = await connect();
      await handle.query("BEGIN");
      return {
        handle,
        commit: async () => void (await handle.query("COMMIT")),
        rollback: async () => void (await handle.query("ROLLBACK")),
      };
    },
    query: async (sql) => (await admin.query<Record<string, unknown>>(sql)).rows,
    close: async () => {
      await Promise.all(stores.map((each) => each.close()));
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
