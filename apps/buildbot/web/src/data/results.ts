import type { BuildSummary, CommandSummary, Results } from "../../../src/contracts/values.ts";

/** How a build, a step or a request stands, as one word. */
export type Standing = Results | "running" | "waiting";

export function standingOf(item: { readonly state: string; readonly results?: Results | undefined }): Standing {
  if (item.state === "running" || item.state === "claimed") return "running";
  if (item.state === "waiting" || item.state === "pending") return "waiting";
  return item.results ?? "exception";
}

/** Of Mantine's palette. Never the only sign: each has an icon and a word, too. */
export const COLOURS: Readonly<Record<Standing, string>> = {
  success: "green",
  warnings: "yellow",
  failure: "red",
  skipped: "gray",
  exception: "grape",
  retry: "orange",
  cancelled: "gray",
  running: "blue",
  waiting: "gray",
};

/** A list of builds, newest first, after one of them has changed. */
export function withBuild<Build extends BuildSummary>(
  builds: readonly Build[],
  changed: Build,
  limit: number,
): Build[] {
  const at = builds.findIndex(({ id }) => id === changed.id);
  if (at >= 0) return builds.with(at, changed);
  return [changed, ...builds].sort((a, b) => b.id - a.id).slice(0, limit);
}

/** What became of a command, in words. */
export function fateOf({ state, outcome, createdAt, expiresAt }: CommandSummary): string {
  if (state === "expired" && expiresAt !== undefined) {
    return `expired after ${Math.round((expiresAt - createdAt) / 1000)} s: no bot was listening`;
  }
  // Its state says that already.
  if (outcome !== "") return outcome === state ? "" : outcome;
  return (
    { queued: "waits for the bot", waiting: "waits for its turn", claimed: "the bot is at it" }[state as string] ?? ""
  );
}

export const FATE_COLOURS: Readonly<Record<CommandSummary["state"], string>> = {
  queued: "blue",
  waiting: "blue",
  claimed: "indigo",
  done: "green",
  failed: "red",
  expired: "orange",
  cancelled: "gray",
};
