import { type Db, listBots } from "../store/index.ts";
import { fits } from "../store/patterns.ts";

/** Bots that may build one of these builders at least. */
export async function botsFor(db: Db, builders: ReadonlySet<string>): Promise<{ id: number; name: string }[]> {
  const rows = await db
    .selectFrom("builders")
    .select("bots_json")
    .where("name", "in", [...builders])
    .execute();
  const patterns = rows.flatMap(({ bots_json }) => JSON.parse(bots_json) as string[]);
  return (await listBots(db)).filter(({ name }) => fits(patterns, name)).map(({ id, name }) => ({ id, name }));
}
