import type { BuildSummary, Results } from "../contracts/values.ts";
import type { Output, Style } from "./output.ts";
import { EXIT } from "./problems.ts";
import { duration, plain } from "./text.ts";

const STYLES: Readonly<Record<Results, Style>> = {
  success: "green",
  warnings: "yellow",
  failure: "red",
  skipped: "dim",
  exception: "magenta",
  retry: "yellow",
  cancelled: "magenta",
};

export function shownResults(output: Output, results: Results | undefined): string {
  return results === undefined ? output.styled("running", "cyan") : output.styled(results, STYLES[results]);
}

export function exitCodeOf(results: Results): number {
  if (results === "cancelled") return EXIT.cancelled;
  return results === "success" || results === "warnings" || results === "skipped" ? EXIT.done : EXIT.failed;
}

export function buildLine(output: Output, build: BuildSummary, now: number): string {
  const took = duration((build.finishedAt ?? now) - build.startedAt);
  const what = [build.revision.slice(0, 10), plain(build.subject, 60)].filter((text) => text !== "").join(" ");
  const why = build.summary === "" ? "" : ` (${plain(build.summary, 100)})`;
  return `${plain(build.builder)} #${build.number} [${build.id}] ${shownResults(output, build.results)}${why} on ${plain(build.bot)}, ${took}: ${what}`;
}
