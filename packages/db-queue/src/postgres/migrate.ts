import { type AppliedMigration, pendingMigrations, readMigrations } from "../migrations.ts";
import type { MigrationReport } from "../store/store-words.ts";
import type { ClientSession, Connections, Statement } from "./connections.ts";
import type { PostgresSettings } from "./options.ts";

const TRIGGERS = `
CREATE TRIGGER rpc_command_inserted AFTER INSERT ON rpc_command
  REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION rpc_command_inserted();
CREATE TRIGGER rpc_command_changed AFTER UPDATE ON rpc_command
  REFERENCING OLD TABLE AS before_so NEW TABLE AS now_so FOR EACH STATEMENT EXECUTE FUNCTION rpc_command_changed();`;
const NO_TRIGGERS = `
DROP TRIGGER IF EXISTS rpc_command_inserted ON rpc_command;
DROP TRIGGER IF EXISTS rpc_command_changed ON rpc_command;`;

/** One transaction under a lock of the database: of many processes one does it, and the others find it done. Killed half-way, it has done nothing. */
export function migrate(
  connections: Connections,
  settings: PostgresSettings,
  folder: URL | undefined,
): Promise<MigrationReport> {
  const { schema } = settings;
  return connections.transaction(
    async (session) => {
      const ask = (text: string, ...values: string[]): ReturnType<ClientSession["rows"]> =>
        session.rows(unnamed(text), values);
      // Whoever comes second waits for as long as the first takes.
      await session.raw("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
      await ask("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", `rpc db-queue ${schema}`);
      const [there] = await ask("SELECT to_regnamespace($1) IS NOT NULL", schema);
      // Asked first: IF NOT EXISTS alone wants the right to make schemas even where there is nothing to make.
      if (there?.[0] !== true) await session.raw(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await session.raw(`SET LOCAL search_path TO "${schema}", pg_temp`);
      await session.raw(
        "CREATE TABLE IF NOT EXISTS rpc_migration (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
      );
      const rows = (await ask("SELECT number, checksum FROM rpc_migration")) as readonly (readonly [number, string])[];
      const applied: readonly AppliedMigration[] = rows.map(([number, checksum]) => ({ number, checksum }));
      const pending = pendingMigrations(readMigrations("postgres", folder), applied);
      for (const { number, name, sql, checksum } of pending) {
        await session.raw(sql);
        await ask(
          "INSERT INTO rpc_migration (number, name, checksum) VALUES ($1::int, $2, $3)",
          String(number),
          name,
          checksum,
        );
      }
      const [has] = await ask(
        "SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass('rpc_command') AND tgname = 'rpc_command_changed')",
      );
      const wants = settings.notify === "trigger";
      if (has?.[0] !== wants) await session.raw(wants ? TRIGGERS : NO_TRIGGERS);
      const numbers = pending.map((migration) => migration.number);
      return { applied: numbers, version: Math.max(0, ...numbers, ...applied.map((row) => row.number)) };
    },
    { timeoutMs: "any" },
  );
}

function unnamed(text: string): Statement {
  return { text, name: "" };
}
