import { MeasuredProcess } from "./child-process.ts";
import type { LoadReading, MemoryReading } from "./control.ts";

const START_LIMIT_MS = 30_000;
const SLACK_MS = 60_000;
const IDLE_LIMIT_MS = 240_000;

export type TimedLoad = "unary" | "serial" | "stream" | "bytes";

export interface PairReading extends LoadReading {
  readonly serverCpuMicros: number;
}

/** Client and server of one entrant, each in a process of its own. */
export interface ProcessPair {
  readonly gaps: Readonly<Record<string, string>>;
  readonly offers: Readonly<Record<TimedLoad, boolean>>;
  run(load: TimedLoad, durationMs: number): Promise<PairReading>;
  makeCalls(count: number, limitMs: number): Promise<LoadReading>;
  openIdle(count: number): Promise<void>;
  memory(): Promise<{ server: MemoryReading; client: MemoryReading }>;
  serverMemory(): Promise<MemoryReading>;
  stop(): Promise<void>;
}

export async function startPair(entrantName: string): Promise<ProcessPair> {
  const server = new MeasuredProcess("server", entrantName);
  const client = new MeasuredProcess("client", entrantName);
  server.onDeath((cause) => client.abandon(cause));
  client.onDeath((cause) => server.abandon(cause));
  const stop = async (): Promise<void> => {
    await Promise.all([client.stop(), server.stop()]);
  };
  try {
    const { endpoint, gaps } = await server.ask("serve", {}, START_LIMIT_MS);
    const { hasItems, hasBytes } = await client.ask("connect", { endpoint }, START_LIMIT_MS);
    return {
      gaps,
      offers: { unary: true, serial: true, stream: hasItems, bytes: hasBytes },
      run: async (load, durationMs) => {
        const before = await server.ask("cpu", {}, SLACK_MS);
        const reading = await client.ask("run", { load, durationMs }, durationMs + SLACK_MS);
        const after = await server.ask("cpu", {}, SLACK_MS);
        return { ...reading, serverCpuMicros: after.cpuMicros - before.cpuMicros };
      },
      makeCalls: (count, limitMs) => client.ask("calls", { count }, limitMs),
      openIdle: async (count) => {
        await client.ask("openIdle", { count }, IDLE_LIMIT_MS);
      },
      memory: async () => ({
        server: await server.ask("memory", {}, SLACK_MS),
        client: await client.ask("memory", {}, SLACK_MS),
      }),
      serverMemory: () => server.ask("memory", {}, SLACK_MS),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
