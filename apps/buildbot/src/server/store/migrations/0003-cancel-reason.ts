import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Why a request was taken out of the queue. */
export const cancelReason: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table requests add column cancel_reason text`.execute(db);
  },
};
