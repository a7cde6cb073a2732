import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { RpcError } from "@rpc/core";

/** One numbered file. Files are only ever added: what is in a database is never changed under it. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  /** Of the file's text, kept in the database, so that a file which was changed afterwards is noticed. */
  readonly checksum: string;
}

/** What a database says it has. */
export interface AppliedMigration {
  readonly number: number;
  readonly checksum: string;
}

/** The files of one database, by number. They lie beside `dist` as well as beside `src`. */
export function readMigrations(database: "sqlite" | "postgres", folder?: URL): readonly Migration[] {
  const from = folder ?? new URL(`../migrations/${database}/`, import.meta.url);
  const found = readdirSync(from).flatMap((file) => {
    const match = /^(\d{4})-(.+)\.sql$/.exec(file);
    if (match === null) return [];
    const sql = readFileSync(new URL(file, from), "utf8");
    const checksum = createHash("sha256").update(sql).digest("hex");
    return [{ number: Number(match[1]), name: match[2] ?? "", sql, checksum }];
  });
  return found.toSorted((a, b) => a.number - b.number);
}

/** What is still to be done. FAILED_PRECONDITION when a file is not the one that was applied. */
export function pendingMigrations(
  all: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const checksums = new Map(applied.map((row) => [row.number, row.checksum]));
  return all.filter((migration) => {
    const checksum = checksums.get(migration.number);
    if (checksum === undefined) return true;
    if (checksum === migration.checksum) return false;
    throw new RpcError(
      "FAILED_PRECONDITION",
      `migration ${migration.number} (${migration.name}) is not the file that this database was made with: add a new file instead of changing an old one`,
      { reason: "MIGRATION_CHANGED" },
    );
  });
}

/** A schema's or a prefix's name, which stands in SQL as it is. INVALID_ARGUMENT for any that would have to be quoted. */
export function checkedIdentifier(option: string, text: string): string {
  if (/^[a-z_][a-z0-9_]{0,39}$/.test(text)) return text;
  throw new RpcError(
    "INVALID_ARGUMENT",
    `${option} must be 1 to 40 of a-z, 0-9 and _, no digit first, got ${JSON.stringify(text.slice(0, 60))}`,
  );
}
