import { useState } from "react";
import type { BuildSummary } from "../../../src/contracts/values.ts";
import { builds } from "../rpc/connection.ts";
import { buildFeed, useFeed } from "../rpc/live.ts";
import { attempt } from "./notices.ts";
import { withBuild } from "./results.ts";
import { type Loaded, useLoaded } from "./use-loaded.ts";

export interface BuildFilter {
  readonly builder?: string | undefined;
  readonly branch?: string | undefined;
  readonly search?: string | undefined;
  readonly limit: number;
}

export interface Builds extends Loaded<readonly BuildSummary[]> {
  /** Whether there may be older ones. */
  readonly hasMore: boolean;
  readonly more: () => Promise<void>;
}

/** Builds, newest first, that are kept up to date; older ones on demand. */
export function useBuilds(filter: BuildFilter): Builds {
  const { limit } = filter;
  const wanted = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined && value !== ""));
  const key = `builds ${JSON.stringify(wanted)}`;
  const [end, setEnd] = useState("");
  const loaded = useLoaded<readonly BuildSummary[]>(key, (signal) => builds.list({ ...wanted, limit }, { signal }));
  useFeed(buildFeed, (build) => {
    // What a search finds is known by the server alone.
    const isKnown = loaded.value?.some(({ id }) => id === build.id) ?? false;
    if (!isKnown && filter.search) return loaded.reload();
    const isOther =
      (filter.builder !== undefined && filter.builder !== build.builder) ||
      (filter.branch !== undefined && filter.branch !== build.branch);
    if (!isOther) loaded.set((all) => withBuild(all, build, Math.max(all.length, limit)));
  });
  const more = async (): Promise<void> => {
    const before = loaded.value?.at(-1)?.id;
    if (before === undefined) return;
    const older = await attempt("Older builds", () => builds.list({ ...wanted, before, limit }));
    if (older === undefined) return;
    if (older.length < limit) setEnd(key);
    loaded.set((all) => [...all, ...older]);
  };
  return { ...loaded, hasMore: (loaded.value?.length ?? 0) >= limit && end !== key, more };
}
