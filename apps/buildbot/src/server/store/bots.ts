import { RpcError } from "@rpc/core";
import type { Db } from "./open-store.ts";
import { fromJson } from "./rows.ts";

export interface BotRow {
  readonly id: number;
  readonly name: string;
  /** As `auth` has put it there. */
  readonly secret: string;
  readonly maxBuilds: number;
  /** The one that has said hello last; null: none yet. */
  readonly incarnation: string | null;
  readonly lastSeenAt: number | null;
  readonly paused: boolean;
  readonly about: Record<string, string>;
}

/** ALREADY_EXISTS for a name that is taken. */
export async function createBot(
  db: Db,
  bot: { readonly name: string; readonly secret: string; readonly maxBuilds: number; readonly at: number },
): Promise<BotRow> {
  const { name, secret, maxBuilds, at } = bot;
  const row = await db
    .insertInto("bots")
    .values({ name, secret, max_builds: maxBuilds, about_json: "{}", created_at: at })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw new RpcError("ALREADY_EXISTS", `there is a bot ${name} already; remove it first`);
  return toBot(row);
}

/** By name, or by id. */
export async function findBot(db: Db, bot: string | number): Promise<BotRow | undefined> {
  const query = db.selectFrom("bots").selectAll();
  const row = await (
    typeof bot === "number" ? query.where("id", "=", bot) : query.where("name", "=", bot)
  ).executeTakeFirst();
  return row === undefined ? undefined : toBot(row);
}

/** In the order of their names. */
export async function listBots(db: Db): Promise<BotRow[]> {
  return (await db.selectFrom("bots").selectAll().orderBy("name").execute()).map(toBot);
}

/** Its builds stay, under its name. End those that run by `loseBuilds` first. Whether there was one. */
export async function removeBot(db: Db, name: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom("bots").where("name", "=", name).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** What it says first: this incarnation is the one whose word counts from now on. */
export async function greetBot(
  db: Db,
  bot: number,
  hello: { readonly incarnation: string; readonly about: Record<string, string>; readonly at: number },
): Promise<void> {
  const about_json = JSON.stringify(hello.about);
  await db
    .updateTable("bots")
    .set({ incarnation: hello.incarnation, about_json, last_seen_at: hello.at })
    .where("id", "=", bot)
    .execute();
}

export async function seeBot(db: Db, bot: number, at: number): Promise<void> {
  await db.updateTable("bots").set({ last_seen_at: at }).where("id", "=", bot).execute();
}

export async function pauseBot(db: Db, bot: number, paused: boolean): Promise<void> {
  await db
    .updateTable("bots")
    .set({ paused: paused ? 1 : 0 })
    .where("id", "=", bot)
    .execute();
}

function toBot(row: {
  readonly id: number;
  readonly name: string;
  readonly secret: string;
  readonly max_builds: number;
  readonly incarnation: string | null;
  readonly last_seen_at: number | null;
  readonly paused: number;
  readonly about_json: string;
}): BotRow {
  return {
    id: row.id,
    name: row.name,
    secret: row.secret,
    maxBuilds: row.max_builds,
    incarnation: row.incarnation,
    lastSeenAt: row.last_seen_at,
    paused: row.paused === 1,
    about: fromJson<Record<string, string>>(row.about_json),
  };
}
