import type { BuildDetail } from "../../../src/contracts/values.ts";
import { type Loaded, useLoaded } from "../data/use-loaded.ts";
import { builds } from "../rpc/connection.ts";
import { buildFeed, useFeed } from "../rpc/live.ts";

export function useBuild(id: number): Loaded<BuildDetail> {
  const loaded = useLoaded(`build ${id}`, (signal) => builds.get({ id }, { signal }));
  useFeed(buildFeed, (build) => {
    if (build.id !== id) return;
    loaded.set((before) => ({ ...before, ...build }));
    // Its steps are told with the whole of it only.
    loaded.reload();
  });
  return loaded;
}

/** Which step is of interest when nobody has said: the one that runs, else the first that went wrong, else the last that ran. */
export function stepOfInterest({ steps }: BuildDetail): number {
  const ran = steps.filter(({ state }) => state !== "waiting");
  const found =
    steps.find(({ state }) => state === "running") ??
    ran.find(({ results }) => results === "failure" || results === "exception") ??
    ran.findLast(({ results }) => results !== "skipped");
  return found?.seq ?? 0;
}
