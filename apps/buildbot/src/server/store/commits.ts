import type { Commit } from "../../contracts/values.ts";
import { noteCommits } from "../schedule/changes.ts";
import { idOf } from "./ids.ts";
import type { Db, Tx } from "./open-store.ts";
import { fromJson, present } from "./rows.ts";

export interface NewCommit {
  readonly hash: string;
  readonly parent?: string | undefined;
  readonly branch: string;
  readonly author: string;
  readonly at: number;
  readonly subject: string;
}

/**
 * What a poll or a webhook has found, the oldest first; the last of each branch is its head. Known ones are skipped. The schedulers that look
 * at their branches see the new ones in the same transaction. Undefined: there is no such repository.
 */
export async function addCommits(
  tx: Tx,
  found: { readonly repository: string; readonly commits: readonly NewCommit[]; readonly at: number },
): Promise<Commit[] | undefined> {
  const { db } = tx;
  const repository = await db
    .selectFrom("repositories")
    .select("id")
    .where("name", "=", found.repository)
    .where("retired", "=", 0)
    .executeTakeFirst();
  if (repository === undefined) return undefined;
  const added: Commit[] = [];
  for (const commit of found.commits) {
    const row = await db
      .insertInto("commits")
      .values({
        repository_id: repository.id,
        branch: commit.branch,
        hash: commit.hash,
        parent: commit.parent ?? null,
        author: commit.author,
        at: commit.at,
        subject: commit.subject,
        seen_at: found.at,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("id")
      .executeTakeFirst();
    const { hash, branch, author, at, subject } = commit;
    if (row !== undefined) {
      added.push({ id: row.id, repository: found.repository, hash, branch, author, at, subject });
    }
  }
  const heads = new Map(found.commits.map(({ branch, hash }) => [branch, hash]));
  for (const [branch, hash] of heads) {
    await db
      .insertInto("heads")
      .values({ repository_id: repository.id, branch, hash })
      .onConflict((conflict) => conflict.columns(["repository_id", "branch"]).doUpdateSet({ hash }))
      .execute();
  }
  await noteCommits(tx, repository.id, added, found.at);
  return added;
}

export interface CommitFilter {
  readonly repository?: string | undefined;
  /** Only commits with a smaller id. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Newest first, as they were found. Their builds: `listBuilds` with `revisions`. */
export async function listCommits(db: Db, { repository, before, limit }: CommitFilter): Promise<Commit[]> {
  let query = db
    .selectFrom("commits")
    .innerJoin("repositories", "repositories.id", "commits.repository_id")
    .select([
      "commits.id",
      "repositories.name as repository",
      "commits.hash",
      "commits.branch",
      "commits.author",
      "commits.at",
      "commits.subject",
    ])
    .orderBy("commits.id", "desc")
    .limit(limit);
  if (repository !== undefined) {
    const id = await idOf(db, "repositories", repository);
    if (id === undefined) return [];
    query = query.where("commits.repository_id", "=", id);
  }
  if (before !== undefined) query = query.where("commits.id", "<", before);
  return query.execute();
}

export interface RepositoryRow {
  readonly name: string;
  readonly url: string;
  readonly branches: string[];
  readonly pollSeconds: number;
  readonly webhookSecret?: string;
  /** What each branch is at. */
  readonly heads: Record<string, string>;
  readonly polledAt?: number;
  /** Why the last poll failed. */
  readonly problem?: string;
}

/** In the configuration's order. */
export async function listRepositories(db: Db): Promise<RepositoryRow[]> {
  const rows = await db.selectFrom("repositories").selectAll().where("retired", "=", 0).orderBy("position").execute();
  const heads = await db.selectFrom("heads").selectAll().orderBy("branch").execute();
  return rows.map((row) =>
    present({
      name: row.name,
      url: row.url,
      branches: fromJson<string[]>(row.branches_json),
      pollSeconds: row.poll_seconds,
      heads: Object.fromEntries(
        heads.filter((head) => head.repository_id === row.id).map(({ branch, hash }) => [branch, hash]),
      ),
      webhookSecret: row.webhook_secret,
      polledAt: row.polled_at,
      problem: row.problem,
    }),
  );
}

/** What a poll has come to; `problem` undefined: it was well. */
export async function setPolled(
  db: Db,
  poll: { readonly repository: string; readonly at: number; readonly problem?: string | undefined },
): Promise<void> {
  await db
    .updateTable("repositories")
    .set({ polled_at: poll.at, problem: poll.problem ?? null })
    .where("name", "=", poll.repository)
    .execute();
}
