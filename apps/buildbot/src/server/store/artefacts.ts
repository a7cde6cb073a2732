import type { Artefact } from "../../contracts/values.ts";
import type { Db } from "./open-store.ts";

/** A second one of the same build and name takes the first one's place. */
export async function addArtefact(
  db: Db,
  artefact: {
    readonly build: number;
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly at: number;
  },
): Promise<Artefact> {
  const { build, name, bytes, sha256, at } = artefact;
  return db
    .insertInto("artefacts")
    .values({ build_id: build, name, bytes, sha256, at })
    .onConflict((conflict) => conflict.columns(["build_id", "name"]).doUpdateSet({ bytes, sha256, at }))
    .returning(["id", "name", "bytes", "sha256"])
    .executeTakeFirstOrThrow();
}

/** In the order of their names. */
export async function listArtefacts(db: Db, build: number): Promise<Artefact[]> {
  return db
    .selectFrom("artefacts")
    .select(["id", "name", "bytes", "sha256"])
    .where("build_id", "=", build)
    .orderBy("name")
    .execute();
}

export async function countArtefacts(db: Db, build: number): Promise<number> {
  const { count } = await db
    .selectFrom("artefacts")
    .select(({ fn }) => fn.countAll().as("count"))
    .where("build_id", "=", build)
    .executeTakeFirstOrThrow();
  return Number(count);
}

export async function findArtefact(db: Db, build: number, name: string): Promise<Artefact | undefined> {
  return db
    .selectFrom("artefacts")
    .select(["id", "name", "bytes", "sha256"])
    .where("build_id", "=", build)
    .where("name", "=", name)
    .executeTakeFirst();
}
