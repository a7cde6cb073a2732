import type { BuilderDetail, BuilderSummary, BuildSummary } from "../../../src/contracts/values.ts";
import { house } from "../rpc/connection.ts";
import { buildFeed, houseFeed, queueFeed, useFeed } from "../rpc/live.ts";
import { withBuild } from "./results.ts";
import { type Loaded, useLoaded } from "./use-loaded.ts";

const MOST_RECENT = 20;

/** All builders, kept up to date by what happens. */
export function useBuilders(): Loaded<readonly BuilderSummary[]> {
  const loaded = useLoaded<readonly BuilderSummary[]>("builders", (signal) => house.builders(undefined, { signal }));
  useFeed(buildFeed, (build) => loaded.set((all) => all.map((one) => withChange(one, build))));
  // What waits is counted by the server.
  useFeed(queueFeed, loaded.reload);
  useFeed(houseFeed, loaded.reload);
  return loaded;
}

export function useBuilder(name: string): Loaded<BuilderDetail> {
  const loaded = useLoaded<BuilderDetail>(`builder ${name}`, (signal) => house.builder({ name }, { signal }));
  useFeed(buildFeed, (build) => loaded.set((one) => withChange(one, build)));
  useFeed(queueFeed, (request) => request.builder === name && loaded.reload());
  useFeed(houseFeed, loaded.reload);
  return loaded;
}

function withChange<Builder extends BuilderSummary>(builder: Builder, build: BuildSummary): Builder {
  if (builder.name !== build.builder) return builder;
  const others = builder.running.filter(({ id }) => id !== build.id);
  return {
    ...builder,
    running: build.state === "running" ? withBuild(others, build, Infinity) : others,
    recent: withBuild(builder.recent, build, MOST_RECENT),
  };
}

/** The newest one that has ended, and says something of the sources. */
export function lastFinished({ recent }: BuilderSummary): BuildSummary | undefined {
  return recent.find(({ state, results }) => state === "finished" && results !== "cancelled" && results !== "retry");
}
