import { reasonOf } from "./failure.ts";
import { figuresOf, type Load } from "./figures.ts";
import type { Measurements } from "./measurements.ts";
import { startPair, type PairReading, type ProcessPair, type TimedLoad } from "./process-pair.ts";
import type { RosterEntry } from "./roster.ts";

const TIMED_LOADS: readonly TimedLoad[] = ["unary", "serial", "stream", "bytes"];
const MIN_WARM_UP_MS = 500;
const WARM_UP_CALLS: Readonly<Record<TimedLoad, number>> = { unary: 20_000, serial: 2_000, stream: 100_000, bytes: 50 };
const WARM_UP_MAX_WINDOWS = 5;

export function isTimedLoad(load: Load): load is TimedLoad {
  return (TIMED_LOADS as readonly Load[]).includes(load);
}

/** One round of one entrant: a fresh pair, and for each load a warm-up and a measured window. */
export async function measureTimedRound(
  entry: RosterEntry,
  loads: readonly TimedLoad[],
  windowMs: number,
  measurements: Measurements,
): Promise<void> {
  const open = loads.filter((load) => !measurements.isMissing(entry, load));
  if (open.length === 0) return;
  let pair: ProcessPair;
  try {
    pair = await startPair(entry.name);
  } catch (error) {
    const reason = reasonOf(entry.title, error);
    for (const load of loads) measurements.markMissing(entry, load, reason);
    return;
  }
  try {
    for (const load of open) await measureLoad(entry, load, pair, windowMs, measurements);
  } finally {
    await pair.stop();
  }
}

async function measureLoad(
  entry: RosterEntry,
  load: TimedLoad,
  pair: ProcessPair,
  windowMs: number,
  measurements: Measurements,
): Promise<void> {
  for (const { id } of figuresOf(load)) {
    const gap = pair.gaps[id];
    if (gap !== undefined) measurements.markFigureMissing(entry, id, gap);
  }
  if (!pair.offers[load]) measurements.markMissing(entry, load, "the entrant does not offer it");
  if (measurements.isMissing(entry, load)) return;
  try {
    await warmUp(pair, load, windowMs);
    recordReading(entry, load, await pair.run(load, windowMs), measurements);
  } catch (error) {
    measurements.markMissing(entry, load, reasonOf(`${entry.title}, ${load}`, error));
  }
}

/** Slow libraries need calls, not seconds, until their code is compiled: grpc-js gains a half between its second and its twentieth thousand. */
async function warmUp(pair: ProcessPair, load: TimedLoad, windowMs: number): Promise<void> {
  let { calls, elapsedMs } = await pair.run(load, Math.max(MIN_WARM_UP_MS, windowMs));
  while (calls < WARM_UP_CALLS[load] && elapsedMs < windowMs * WARM_UP_MAX_WINDOWS) {
    const more = await pair.run(load, MIN_WARM_UP_MS);
    calls += more.calls;
    elapsedMs += more.elapsedMs;
  }
}

function recordReading(entry: RosterEntry, load: TimedLoad, reading: PairReading, measurements: Measurements): void {
  const perSecond = (reading.calls / reading.elapsedMs) * 1000;
  switch (load) {
    case "unary":
      measurements.add(entry, "unaryCallsPerSecond", perSecond);
      measurements.add(entry, "cpuMicrosPerCall", (reading.cpuMicros + reading.serverCpuMicros) / reading.calls);
      return;
    case "serial":
      measurements.add(entry, "serialP50Micros", reading.p50Micros ?? Number.NaN);
      measurements.add(entry, "serialP99Micros", reading.p99Micros ?? Number.NaN);
      return;
    case "stream":
      measurements.add(entry, "streamItemsPerSecond", perSecond);
      return;
    case "bytes":
      // Each call carries exactly one megabyte there (and one back, which is not counted).
      measurements.add(entry, "blobMegabytesPerSecond", perSecond);
      return;
    default:
      load satisfies never;
  }
}
