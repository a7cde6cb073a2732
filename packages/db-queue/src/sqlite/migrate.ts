import { type AppliedMigration, pendingMigrations, readMigrations } from "../migrations.ts";
import type { MigrationReport } from "../store/store-words.ts";
import type { Work } from "./work.ts";

/** In the transaction that holds the database's only right to write: of many processes one does it, and the others find it done. */
export function migrate(work: Work, folder: URL | undefined): MigrationReport {
  const { connection } = work;
  connection.database.exec(
    connection.named(
      "CREATE TABLE IF NOT EXISTS rpc_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
    ),
  );
  const applied = connection.all<AppliedMigration>("SELECT number, checksum FROM rpc_migration");
  const pending = pendingMigrations(readMigrations("sqlite", folder), applied);
  for (const { number, name, sql, checksum } of pending) {
    connection.database.exec(connection.named(sql));
    connection.run("INSERT INTO rpc_migration VALUES (?, ?, ?, ?)", number, name, checksum, work.now());
  }
  const numbers = pending.map((migration) => migration.number);
  return { applied: numbers, version: Math.max(0, ...numbers, ...applied.map((row) => row.number)) };
}
