import type { Db } from "./open-store.ts";

/**
 * Asked for by itself, not in the query that wants it: a planner that knows the id knows how many rows there are of it, and does not look
 * through all that are newer for the few of a builder that is seldom built.
 */
export async function idOf(db: Db, table: "builders" | "repositories", name: string): Promise<number | undefined> {
  const row = await db.selectFrom(table).select("id").where("name", "=", name).executeTakeFirst();
  return row?.id;
}
