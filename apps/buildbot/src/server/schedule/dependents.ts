import type { BuildRequest, BuildSummary } from "../../contracts/values.ts";
import type { Tx } from "../store/open-store.ts";
import { insertRequest } from "../store/requests.ts";

/** Wishes for what depends on a build that ended with success or warnings; in the transaction that ends it, and once for each. */
export async function requestDependents({ db }: Tx, build: BuildSummary, at: number): Promise<BuildRequest[]> {
  if (build.results !== "success" && build.results !== "warnings") return [];
  const upstream = await db
    .selectFrom("builders")
    .select("repository_id")
    .where("name", "=", build.builder)
    .executeTakeFirstOrThrow();
  const dependents = await db
    .selectFrom("schedulers")
    .innerJoin("builders", "builders.id", "schedulers.builder_id")
    .select(["schedulers.id", "builders.name", "builders.repository_id"])
    .where("schedulers.kind", "=", "dependent")
    .where("schedulers.upstream", "=", build.builder)
    .where("builders.retired", "=", 0)
    .orderBy("schedulers.id")
    .execute();
  const made: BuildRequest[] = [];
  for (const { id, name, repository_id } of dependents) {
    // Of another repository its revision means nothing.
    const isSame = repository_id === upstream.repository_id;
    const request = await insertRequest(db, {
      builder: name,
      ...(isSame ? { branch: build.branch, ...(build.revision === "" ? {} : { revision: build.revision }) } : {}),
      reason: `${build.builder} #${build.number} ended with ${build.results}`,
      by: "dependent",
      at,
      cause: `dependent:${id}:${build.id}`,
    });
    if (request !== undefined) made.push(request);
  }
  return made;
}
