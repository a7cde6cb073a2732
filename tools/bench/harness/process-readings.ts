import { setTimeout as delay } from "node:timers/promises";
import type { CpuReading, MemoryReading } from "./control.ts";

export function cpuReading(): CpuReading {
  const { user, system } = process.cpuUsage();
  return { cpuMicros: user + system };
}

/** Memory after the garbage is gone: several forced collections with pauses, so that finalizers and freed sockets run in between. */
export async function memoryReading(): Promise<MemoryReading> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error("memory figures need node --expose-gc");
  for (let i = 0; i < 5; i++) {
    collect();
    await delay(50);
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { rssBytes: rss, heapUsedBytes: heapUsed };
}

/** The most memory that this process ever had; `maxRSS` is in kilobytes everywhere. */
export async function peakRssReading(): Promise<{ bytes: number }> {
  return { bytes: process.resourceUsage().maxRSS * 1024 };
}
