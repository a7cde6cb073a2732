import type { PostgresStoreOptions } from "../src/postgres/options.ts";
import type { SqliteStoreOptions } from "../src/sqlite/options.ts";

/** Where a process finds its store: options that survive JSON. */
export type ChaosStore =
  | (Omit<SqliteStoreOptions, "clock" | "wallClock" | "random"> & { readonly file: string })
  | (Omit<PostgresStoreOptions, "clock" | "connection"> & { readonly connection: string });
