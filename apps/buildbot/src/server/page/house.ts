import type { ImplementationOf } from "@rpc/core";
import { House } from "../../contracts/page.ts";
import { withoutSecrets } from "../../repository-url.ts";
import {
  findBuilder,
  listBuilders,
  listBuilds,
  listCommits,
  listRepositories,
  type RepositoryRow,
  trends,
} from "../store/index.ts";
import type { PageParts } from "./page-parts.ts";

/** A commit that everything is built of, and again and again, has more builds than anybody looks at. */
const MOST_BUILDS = 500;

export function house({ store }: PageParts): ImplementationOf<typeof House> {
  const { db } = store;
  return {
    builders: () => listBuilders(db),
    builder: async ({ name }) => {
      const builder = await findBuilder(db, name);
      if (builder === undefined) throw House.builder.error("NoSuchBuilder", { builder: name }, { code: "NOT_FOUND" });
      return builder;
    },
    trends: (ask) => trends(db, { ...ask, at: store.wallClock() }),
    changes: async (filter) => {
      const commits = await listCommits(db, filter);
      if (commits.length === 0) return [];
      const revisions = commits.map(({ hash }) => hash);
      const builds = Map.groupBy(await listBuilds(db, { revisions, limit: MOST_BUILDS }), ({ revision }) => revision);
      return commits.map((commit) => Object.assign(commit, { builds: builds.get(commit.hash) ?? [] }));
    },
    repositories: async () => (await listRepositories(db)).map(shown),
  };
}

/** Viewers may see where a repository is, and not how to get in. */
function shown({ name, url, polledAt, problem }: RepositoryRow) {
  return {
    name,
    url: withoutSecrets(url),
    ...(polledAt === undefined ? {} : { polledAt }),
    ...(problem === undefined ? {} : { problem: withoutSecrets(problem, url) }),
  };
}
