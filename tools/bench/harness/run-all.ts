import type { Measurements } from "./measurements.ts";
import { isPatternLoad } from "./figures.ts";
import { measureHeap, measureIdle } from "./memory-figures.ts";
import type { BenchOptions } from "./options.ts";
import { endDatabases } from "./queue-database.ts";
import { measurePatternRound } from "./pattern-round.ts";
import { runsLoad } from "./roster.ts";
import { isTimedLoad, measureTimedRound } from "./timed-round.ts";

/** Rounds are interleaved: a slow minute of the machine hits all entrants, not one. */
export async function measureAll(
  options: BenchOptions,
  measurements: Measurements,
  say: (line: string) => void,
): Promise<void> {
  const timedLoads = options.loads.filter(isTimedLoad);
  const timed = options.entries.filter((entry) => timedLoads.some((load) => runsLoad(entry, load)));
  if (timedLoads.length > 0) {
    for (let round = 1; round <= options.runs; round++) {
      for (const entry of timed) {
        say(`round ${round} of ${options.runs}: ${entry.title}`);
        const loads = timedLoads.filter((load) => runsLoad(entry, load));
        await measureTimedRound(entry, loads, options.windowMs, measurements);
      }
    }
  }
  for (let round = 1; round <= options.runs; round++) {
    for (const load of options.loads.filter(isPatternLoad)) {
      for (const entry of options.entries.filter((candidate) => runsLoad(candidate, load))) {
        say(`${load} ${round} of ${options.runs}: ${entry.title}`);
        await measurePatternRound(entry, load, options, measurements);
      }
    }
  }
  await endDatabases();
  for (let round = 1; round <= options.memoryRuns; round++) {
    for (const load of ["idle", "heap"] as const) {
      if (!options.loads.includes(load)) continue;
      for (const entry of options.entries) {
        if (!runsLoad(entry, load) || measurements.isMissing(entry, load)) continue;
        say(`${load} ${round} of ${options.memoryRuns}: ${entry.title}`);
        if (load === "idle") await measureIdle(entry, options.idleConnections, measurements);
        else await measureHeap(entry, options.heapCalls, measurements);
      }
    }
  }
}
