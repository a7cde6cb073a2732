import type { BuildSummary } from "../../../src/contracts/values.ts";

export interface RevisionRow {
  readonly revision: string;
  readonly newest: BuildSummary;
  /** By builder, newest first. */
  readonly cells: ReadonlyMap<string, readonly BuildSummary[]>;
}

/** Builds, newest first, as rows of one revision each; the revision that was built last is first. */
export function byRevision(builds: readonly BuildSummary[]): readonly RevisionRow[] {
  const rows: RevisionRow[] = [];
  for (const [revision, members] of Map.groupBy(builds, (build) => build.revision)) {
    const [newest] = members;
    if (newest !== undefined) rows.push({ revision, newest, cells: Map.groupBy(members, ({ builder }) => builder) });
  }
  return rows;
}
