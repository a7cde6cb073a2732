import { randomUUID } from "node:crypto";
import type { Db } from "./open-store.ts";

/** What there is one of: `make` decides it when nobody has, and of two at the same time one wins. */
export async function factOf(db: Db, name: string, make: () => string): Promise<string> {
  const found = await findFact(db, name);
  if (found !== undefined) return found;
  await db
    .insertInto("facts")
    .values({ name, value: make() })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await findFact(db, name)) ?? "";
}

/** Of this database, whichever process asks: no other one has it, but for a copy. */
export function serverId(db: Db): Promise<string> {
  return factOf(db, "server", randomUUID);
}

async function findFact(db: Db, name: string): Promise<string | undefined> {
  const row = await db.selectFrom("facts").select("value").where("name", "=", name).executeTakeFirst();
  return row?.value;
}
