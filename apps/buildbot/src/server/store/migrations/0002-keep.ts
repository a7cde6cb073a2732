import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** How many builds stay, and for how long. */
export const keep: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table builders add column keep_builds bigint not null default 0`.execute(db);
    await sql`alter table builders add column keep_days bigint not null default 0`.execute(db);
  },
};
