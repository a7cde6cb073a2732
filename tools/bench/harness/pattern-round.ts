import { reasonOf } from "./failure.ts";
import type { PatternLoad } from "./figures.ts";
import type { Measurements } from "./measurements.ts";
import type { BenchOptions } from "./options.ts";
import { measureCodecPeak, measureCodecSpeed } from "./patterns/codec.ts";
import { measureFanout } from "./patterns/fanout.ts";
import { measureHandshake } from "./patterns/handshake.ts";
import { measureJobs } from "./patterns/jobs.ts";
import { measureQueueBacklog, measureQueueCalls, measureQueueIdle, measureQueueInserts } from "./patterns/queue.ts";
import { measureResume } from "./patterns/resume.ts";
import type { RosterEntry } from "./roster.ts";

/** One round of one pattern load: a fresh pair of processes, a warm-up, a measured window. */
export async function measurePatternRound(
  entry: RosterEntry,
  load: PatternLoad,
  options: BenchOptions,
  measurements: Measurements,
): Promise<void> {
  if (measurements.isMissing(entry, load)) return;
  try {
    await measure(entry, load, options, measurements);
  } catch (error) {
    measurements.markMissing(entry, load, reasonOf(`${entry.title}, ${load}`, error));
  }
}

async function measure(
  entry: RosterEntry,
  load: PatternLoad,
  { windowMs, subscribers, sessions, backlog }: BenchOptions,
  measurements: Measurements,
): Promise<void> {
  switch (load) {
    case "fanout":
      measurements.add(entry, "fanoutEventsPerSecond", await measureFanout(entry.name, windowMs, subscribers));
      return;
    case "jobs":
      measurements.add(entry, "jobsPerSecond", await measureJobs(entry.name, windowMs));
      return;
    case "resume": {
      const reading = await measureResume(entry.name, sessions);
      measurements.add(entry, "resumeMillis", reading.millis);
      measurements.add(entry, "resumeServerMegabytes", reading.serverMegabytes);
      measurements.add(entry, "resumeClientMegabytes", reading.clientMegabytes);
      return;
    }
    case "handshake":
      measurements.add(entry, "handshakeCpuMicros", await measureHandshake(entry.name, windowMs));
      return;
    case "codec": {
      const speed = await measureCodecSpeed(entry.name, windowMs);
      measurements.add(entry, "codecDecodesPerSecond", speed.decode);
      measurements.add(entry, "codecEncodesPerSecond", speed.encode);
      await measurePeak(entry, measurements);
      return;
    }
    case "queue-call":
      measurements.add(entry, "queueCallsPerSecond", await measureQueueCalls(entry.name, windowMs));
      return;
    case "queue-backlog":
      measurements.add(entry, "queueDrainedPerSecond", await measureQueueBacklog(entry.name, backlog));
      return;
    case "queue-idle": {
      const reading = await measureQueueIdle(entry.name, windowMs);
      measurements.add(entry, "queueStartMicros", reading.startMicros);
      measurements.add(entry, "queueResultMicros", reading.resultMicros);
      return;
    }
    case "queue-insert":
      measurements.add(entry, "queueInsertsPerSecond", await measureQueueInserts(entry.name, windowMs));
      return;
    default:
      load satisfies never;
  }
}

/** Who cannot tell its memory still has its speed. */
async function measurePeak(entry: RosterEntry, measurements: Measurements): Promise<void> {
  try {
    measurements.add(entry, "codecPeakRatio", await measureCodecPeak(entry.name));
  } catch (error) {
    measurements.markFigureMissing(entry, "codecPeakRatio", reasonOf(`${entry.title}, peak memory`, error));
  }
}
