import type { PoolClient } from "pg";
import type { DatabaseSync } from "node:sqlite";

export type Kind = "sqlite" | "postgres";

/** What the command queue's `inTransaction` takes. */
export type Handle = DatabaseSync | PoolClient;
