import type { BuildRequest, Properties } from "../../contracts/values.ts";
import { idOf } from "./ids.ts";
import type { Db } from "./open-store.ts";
import { IS_PENDING, REQUEST_COLUMNS, toBuildRequest } from "./rows.ts";

export interface NewRequest {
  readonly builder: string;
  /** Default: the builder's. */
  readonly branch?: string | undefined;
  /** Default: whatever the branch is at when the build begins. */
  readonly revision?: string | undefined;
  readonly reason: string;
  /** Default: the builder's. */
  readonly priority?: number | undefined;
  readonly properties?: Properties | undefined;
  /** Who wished it: a user's name, `scheduler`, `dependent`. */
  readonly by: string;
  readonly at: number;
  /** A request with the same cause is made once only, whoever asks for it again. */
  readonly cause?: string | undefined;
  /** A newer request for the same builder and branch that merges too takes its place while it is pending. */
  readonly merges?: boolean | undefined;
}

/**
 * Undefined: there is no such builder, or a request with its cause has been made before. Its properties are added to the builder's own, which
 * the order holds.
 */
export async function insertRequest(db: Db, request: NewRequest): Promise<BuildRequest | undefined> {
  const builder = await db
    .selectFrom("builders")
    .select(["id", "branch", "priority"])
    .where("name", "=", request.builder)
    .where("retired", "=", 0)
    .executeTakeFirst();
  if (builder === undefined) return undefined;
  const row = await db
    .insertInto("requests")
    .values({
      builder_id: builder.id,
      branch: request.branch ?? builder.branch,
      revision: request.revision ?? null,
      reason: request.reason,
      priority: request.priority ?? builder.priority,
      properties_json: JSON.stringify(request.properties ?? {}),
      cause: request.cause ?? null,
      merges: request.merges === true ? 1 : 0,
      state: "pending",
      submitted_at: request.at,
      submitted_by: request.by,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning("id")
    .executeTakeFirst();
  return row === undefined ? undefined : getRequest(db, row.id);
}

export async function getRequest(db: Db, id: number): Promise<BuildRequest | undefined> {
  const row = await requests(db).where("requests.id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toBuildRequest(row);
}

export interface RequestFilter {
  readonly builder?: string | undefined;
  readonly pendingOnly: boolean;
  readonly limit: number;
}

/** Pending ones in the order in which they are given to bots; all of them newest first. */
export async function listRequests(db: Db, { builder, pendingOnly, limit }: RequestFilter): Promise<BuildRequest[]> {
  let query = requests(db).limit(limit);
  if (builder !== undefined) {
    const id = await idOf(db, "builders", builder);
    if (id === undefined) return [];
    query = query.where("requests.builder_id", "=", id);
  }
  query = pendingOnly
    ? query.where(IS_PENDING).orderBy("requests.priority", "desc").orderBy("requests.id")
    : query.orderBy("requests.id", "desc");
  return (await query.execute()).map(toBuildRequest);
}

/** Ends one that no bot has taken, and keeps why. Undefined: it is not pending (any more). Running builds are cancelled by `requestCancel`. */
export async function cancelRequest(db: Db, id: number, at: number, reason: string): Promise<BuildRequest | undefined> {
  const { numUpdatedRows } = await db
    .updateTable("requests")
    .set({ state: "complete", results: "cancelled", complete_at: at, cancel_reason: reason })
    .where("id", "=", id)
    .where("state", "=", "pending")
    .executeTakeFirst();
  return numUpdatedRows === 0n ? undefined : getRequest(db, id);
}

/** Of all builders that have any. */
export async function countPending(db: Db): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom("requests")
    .innerJoin("builders", "builders.id", "requests.builder_id")
    .select((eb) => ["builders.name", eb.fn.countAll<number>().as("count")])
    .where(IS_PENDING)
    .groupBy("builders.name")
    .execute();
  return new Map(rows.map(({ name, count }) => [name, count]));
}

function requests(db: Db) {
  return db.selectFrom("requests").leftJoin("builders", "builders.id", "requests.builder_id").select(REQUEST_COLUMNS);
}
