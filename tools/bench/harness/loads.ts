import type { LoadReading } from "./control.ts";
import type { EntrantClient } from "./entrant.ts";
import { BLOB_BYTES, ECHO_TEXT } from "./message.ts";
import { cpuReading } from "./process-readings.ts";

export const ITEMS_PER_STREAM = 10_000;

export interface Calls {
  readonly inFlight: number;
  /** How many units one call stands for: items of a stream, otherwise 1. */
  readonly unitsPerCall: number;
  call(index: number): Promise<void>;
  hasMore?(): boolean;
}

/** The calls of one load; every call checks that the reply is the whole of what it should be. */
export function callsOf(client: EntrantClient, load: "unary" | "stream" | "bytes"): Calls {
  if (load === "unary") return { inFlight: 64, unitsPerCall: 1, call: (id) => echoOnce(client, id) };
  if (load === "stream") return { inFlight: 1, unitsPerCall: ITEMS_PER_STREAM, call: () => streamOnce(client) };
  const blob = Buffer.alloc(BLOB_BYTES, 0x5a);
  return { inFlight: 2, unitsPerCall: 1, call: () => echoBytesOnce(client, blob) };
}

/** Keeps `inFlight` calls running until the time is over or `hasMore` says no. */
export async function runLoad(calls: Calls, durationMs: number): Promise<LoadReading> {
  let finished = 0;
  let nextIndex = 0;
  const window = { isOver: false };
  const keepCalling = async (): Promise<void> => {
    while (!window.isOver && (calls.hasMore === undefined || calls.hasMore())) {
      nextIndex = (nextIndex + 1) & 0x3fffffff;
      await calls.call(nextIndex);
      finished++;
    }
  };
  const timer = Number.isFinite(durationMs)
    ? setTimeout(() => {
        window.isOver = true;
      }, durationMs)
    : undefined;
  const startedCpu = cpuReading().cpuMicros;
  const started = performance.now();
  try {
    await Promise.all(Array.from({ length: calls.inFlight }, keepCalling));
  } finally {
    window.isOver = true;
    clearTimeout(timer);
  }
  const elapsedMs = performance.now() - started;
  return { calls: finished * calls.unitsPerCall, elapsedMs, cpuMicros: cpuReading().cpuMicros - startedCpu };
}

/** One call at a time, each timed. */
export async function runSerial(client: EntrantClient, durationMs: number): Promise<LoadReading> {
  const latencies: number[] = [];
  const startedCpu = cpuReading().cpuMicros;
  const started = performance.now();
  const end = started + durationMs;
  let before = started;
  for (let id = 0; before < end; id++) {
    await echoOnce(client, id);
    const after = performance.now();
    latencies.push(after - before);
    before = after;
  }
  const cpuMicros = cpuReading().cpuMicros - startedCpu;
  const sorted = Float64Array.from(latencies).sort();
  return {
    calls: sorted.length,
    elapsedMs: before - started,
    cpuMicros,
    p50Micros: quantileMicros(sorted, 0.5),
    p99Micros: quantileMicros(sorted, 0.99),
  };
}

function quantileMicros(sortedMs: Float64Array, share: number): number {
  const index = Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share));
  return (sortedMs[index] ?? Number.NaN) * 1000;
}

async function echoOnce(client: EntrantClient, id: number): Promise<void> {
  const reply = await client.echo({ id, text: ECHO_TEXT });
  if (reply.text.length !== ECHO_TEXT.length)
    throw new Error(`call ${id} came back with ${reply.text.length} characters`);
}

async function streamOnce(client: EntrantClient): Promise<void> {
  const items = await client.countItems?.(ITEMS_PER_STREAM);
  if (items !== ITEMS_PER_STREAM) throw new Error(`a stream of ${ITEMS_PER_STREAM} items brought ${items}`);
}

async function echoBytesOnce(client: EntrantClient, blob: Uint8Array): Promise<void> {
  const back = await client.echoBytes?.(blob);
  if (back?.length !== blob.length) throw new Error(`${blob.length} bytes came back as ${back?.length}`);
}
