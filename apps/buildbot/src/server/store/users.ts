import { RpcError } from "@rpc/core";
import type { Role } from "../../contracts/values.ts";
import type { Db } from "./open-store.ts";

export interface User {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: number;
}

/** ALREADY_EXISTS for a name that is taken. */
export async function createUser(
  db: Db,
  user: { readonly name: string; readonly role: Role; readonly tokenHash: string; readonly at: number },
): Promise<User> {
  const { name, role, tokenHash, at } = user;
  const row = await db
    .insertInto("users")
    .values({ name, role, token_hash: tokenHash, created_at: at })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning(COLUMNS)
    .executeTakeFirst();
  if (row === undefined) throw new RpcError("ALREADY_EXISTS", `there is a user ${name} already; remove it first`);
  return row;
}

export async function findUserByToken(db: Db, tokenHash: string): Promise<User | undefined> {
  return db.selectFrom("users").select(COLUMNS).where("token_hash", "=", tokenHash).executeTakeFirst();
}

export async function findUser(db: Db, name: string): Promise<User | undefined> {
  return db.selectFrom("users").select(COLUMNS).where("name", "=", name).executeTakeFirst();
}

/** In the order of their names. */
export async function listUsers(db: Db): Promise<User[]> {
  return db.selectFrom("users").select(COLUMNS).orderBy("name").execute();
}

/** Whether there was one. */
export async function removeUser(db: Db, name: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom("users").where("name", "=", name).executeTakeFirst();
  return numDeletedRows > 0n;
}

const COLUMNS = ["id", "name", "role", "created_at as createdAt"] as const;
