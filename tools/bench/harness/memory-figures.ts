import { reasonOf } from "./failure.ts";
import type { Measurements } from "./measurements.ts";
import { startPair, type ProcessPair } from "./process-pair.ts";
import type { RosterEntry } from "./roster.ts";

const HEAP_LIMIT_MS = 60_000;
/** Compiled code and caches are part of the start, not of the growth. */
const HEAP_WARM_UP_SHARE = 0.1;

/** Server memory of one idle connection: what `connectionCount` more connections add, each after one call. */
export async function measureIdle(
  entry: RosterEntry,
  connectionCount: number,
  measurements: Measurements,
): Promise<void> {
  await withPair(entry, "idle", measurements, async (pair) => {
    const gap = pair.gaps["idleServerKilobytes"];
    if (gap !== undefined) {
      measurements.markMissing(entry, "idle", gap);
      return;
    }
    const before = await pair.serverMemory();
    await pair.openIdle(connectionCount);
    const after = await pair.serverMemory();
    measurements.add(entry, "idleServerKilobytes", (after.rssBytes - before.rssBytes) / connectionCount / 1024);
  });
}

/** Heap of both sides after `callCount` calls and a forced collection, over the heap before them. */
export async function measureHeap(entry: RosterEntry, callCount: number, measurements: Measurements): Promise<void> {
  const callsPerSecond = measurements.median(entry.name, "unaryCallsPerSecond");
  if (callsPerSecond !== undefined && (callCount / callsPerSecond) * 1000 > HEAP_LIMIT_MS) {
    measurements.markMissing(entry, "heap", `${callCount} calls would take longer than ${HEAP_LIMIT_MS / 1000} s`);
    return;
  }
  await withPair(entry, "heap", measurements, async (pair) => {
    await pair.makeCalls(Math.ceil(callCount * HEAP_WARM_UP_SHARE), HEAP_LIMIT_MS);
    const before = await pair.memory();
    await pair.makeCalls(callCount, 2 * HEAP_LIMIT_MS);
    const after = await pair.memory();
    measurements.add(entry, "heapServerRatio", after.server.heapUsedBytes / before.server.heapUsedBytes);
    measurements.add(entry, "heapClientRatio", after.client.heapUsedBytes / before.client.heapUsedBytes);
  });
}

async function withPair(
  entry: RosterEntry,
  load: "idle" | "heap",
  measurements: Measurements,
  measure: (pair: ProcessPair) => Promise<void>,
): Promise<void> {
  if (measurements.isMissing(entry, load)) return;
  let pair: ProcessPair | undefined;
  try {
    pair = await startPair(entry.name);
    await measure(pair);
  } catch (error) {
    measurements.markMissing(entry, load, reasonOf(`${entry.title}, ${load}`, error));
  } finally {
    await pair?.stop();
  }
}
