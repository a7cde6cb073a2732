import { FIGURES } from "../harness/figures.ts";
import { runsLoad } from "../harness/roster.ts";
import type { BenchRun } from "./bench-run.ts";

/** The same run for programs: all values of all rounds, unrounded, in base units. */
export function jsonOf(run: BenchRun): string {
  const { options, measurements } = run;
  const figures = FIGURES.filter((figure) => options.loads.includes(figure.load));
  const entrants = options.entries.map((entry) => ({
    name: entry.name,
    title: entry.title,
    role: entry.role,
    figures: Object.fromEntries(
      figures
        .filter((figure) => runsLoad(entry, figure.load))
        .map((figure) => [figure.id, measurements.outcome(entry.name, figure.id)]),
    ),
  }));
  const { runs, memoryRuns, windowMs, idleConnections, heapCalls, subscribers, sessions, backlog } = options;
  const document = {
    startedAt: run.startedAt.toISOString(),
    machine: run.machine,
    options: { runs, memoryRuns, windowMs, idleConnections, heapCalls, subscribers, sessions, backlog },
    entrants,
    install: run.install,
    verdicts: run.verdicts,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
