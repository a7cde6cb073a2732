/**
 * The figures: what is measured, in which unit, and which direction is better.
 * `load` names the run that gives the figure; one load may give several figures.
 */
export type Load = CallLoad | PatternLoad;
/** Loads that every entrant can run which makes calls. */
export type CallLoad = "unary" | "serial" | "stream" | "bytes" | "idle" | "heap";
/** Loads with a driver of their own, in `patterns/`; their entrants offer nothing else. */
export type PatternLoad = "fanout" | "jobs" | "resume" | "handshake" | "codec" | QueueLoad;
/** Commands in a database. */
export type QueueLoad = "queue-call" | "queue-backlog" | "queue-idle" | "queue-insert";

export type FigureId =
  | "unaryCallsPerSecond"
  | "cpuMicrosPerCall"
  | "serialP50Micros"
  | "serialP99Micros"
  | "streamItemsPerSecond"
  | "blobMegabytesPerSecond"
  | "idleServerKilobytes"
  | "heapServerRatio"
  | "heapClientRatio"
  | "fanoutEventsPerSecond"
  | "jobsPerSecond"
  | "resumeMillis"
  | "resumeServerMegabytes"
  | "resumeClientMegabytes"
  | "handshakeCpuMicros"
  | "codecDecodesPerSecond"
  | "codecEncodesPerSecond"
  | "codecPeakRatio"
  | "queueCallsPerSecond"
  | "queueDrainedPerSecond"
  | "queueStartMicros"
  | "queueResultMicros"
  | "queueInsertsPerSecond";

export interface Figure {
  readonly id: FigureId;
  readonly load: Load;
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  /** Divides the measured value for print, so that the unit may be "k calls/s". */
  readonly printDivisor: number;
  readonly better: "more" | "less";
}

export const FIGURES: readonly Figure[] = [
  {
    id: "unaryCallsPerSecond",
    load: "unary",
    title: "Unary calls, 64 in flight",
    unit: "k calls/s",
    digits: 1,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "cpuMicrosPerCall",
    load: "unary",
    title: "CPU per call, client + server, 64 in flight",
    unit: "µs",
    digits: 2,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "serialP50Micros",
    load: "serial",
    title: "One call at a time, p50",
    unit: "µs",
    digits: 1,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "serialP99Micros",
    load: "serial",
    title: "One call at a time, p99",
    unit: "µs",
    digits: 1,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "streamItemsPerSecond",
    load: "stream",
    title: "Server stream of small messages",
    unit: "k items/s",
    digits: 1,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "blobMegabytesPerSecond",
    load: "bytes",
    title: "Echo of 1 MB, 2 in flight (one way counted)",
    unit: "MB/s",
    digits: 0,
    printDivisor: 1,
    better: "more",
  },
  {
    id: "idleServerKilobytes",
    load: "idle",
    title: "Idle connection, server RSS",
    unit: "KB",
    digits: 1,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "heapServerRatio",
    load: "heap",
    title: "Server heap after many calls and a forced GC, over the start",
    unit: "×",
    digits: 3,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "heapClientRatio",
    load: "heap",
    title: "Client heap after many calls and a forced GC, over the start",
    unit: "×",
    digits: 3,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "fanoutEventsPerSecond",
    load: "fanout",
    title: "Events from 1 publisher to 100 subscribers, delivered",
    unit: "k events/s",
    digits: 1,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "jobsPerSecond",
    load: "jobs",
    title: "Jobs done, one producer and two consumers",
    unit: "k jobs/s",
    digits: 1,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "resumeMillis",
    load: "resume",
    title: "All sockets cut at the server with a call in flight in each of 1,000 sessions: until all calls are done",
    unit: "ms",
    digits: 0,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "resumeServerMegabytes",
    load: "resume",
    title: "The same: peak RSS of the server",
    unit: "MB",
    digits: 0,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "resumeClientMegabytes",
    load: "resume",
    title: "The same: peak RSS of the client",
    unit: "MB",
    digits: 0,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "handshakeCpuMicros",
    load: "handshake",
    title: "CPU per connection with its handshake, client + server",
    unit: "ms",
    digits: 3,
    printDivisor: 1000,
    better: "less",
  },
  {
    id: "codecDecodesPerSecond",
    load: "codec",
    title: "XML-RPC reply of 1,000 rows, 255 KB: decoding",
    unit: "replies/s",
    digits: 1,
    printDivisor: 1,
    better: "more",
  },
  {
    id: "codecEncodesPerSecond",
    load: "codec",
    title: "XML-RPC reply of 1,000 rows, 255 KB: encoding",
    unit: "replies/s",
    digits: 1,
    printDivisor: 1,
    better: "more",
  },
  {
    id: "codecPeakRatio",
    load: "codec",
    title: "XML-RPC reply of 20 MB: peak memory of decoding, over its size",
    unit: "×",
    digits: 2,
    printDivisor: 1,
    better: "less",
  },
  {
    id: "queueCallsPerSecond",
    load: "queue-call",
    title: "Queue: call → result, 64 in flight (where there is no result: add → handled)",
    unit: "k calls/s",
    digits: 2,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "queueDrainedPerSecond",
    load: "queue-backlog",
    title: "Queue: a backlog drained by one agent process",
    unit: "k commands/s",
    digits: 2,
    printDivisor: 1000,
    better: "more",
  },
  {
    id: "queueStartMicros",
    load: "queue-idle",
    title: "Queue, idle: issue → handler starts, p50, two processes",
    unit: "ms",
    digits: 2,
    printDivisor: 1000,
    better: "less",
  },
  {
    id: "queueResultMicros",
    load: "queue-idle",
    title: "Queue, idle: issue → result, p50, two processes",
    unit: "ms",
    digits: 2,
    printDivisor: 1000,
    better: "less",
  },
  {
    id: "queueInsertsPerSecond",
    load: "queue-insert",
    title: "Queue: inserted by ticks of 1,000",
    unit: "k commands/s",
    digits: 1,
    printDivisor: 1000,
    better: "more",
  },
];

export const LOADS: readonly Load[] = [...new Set(FIGURES.map((figure) => figure.load))];

const PATTERN_LOADS: readonly PatternLoad[] = [
  "fanout",
  "jobs",
  "resume",
  "handshake",
  "codec",
  "queue-call",
  "queue-backlog",
  "queue-idle",
  "queue-insert",
];

export function isPatternLoad(load: Load): load is PatternLoad {
  return (PATTERN_LOADS as readonly Load[]).includes(load);
}

export function isLoad(word: string): word is Load {
  return (LOADS as readonly string[]).includes(word);
}

export function figureOf(id: FigureId): Figure {
  const figure = FIGURES.find((candidate) => candidate.id === id);
  if (figure === undefined) throw new Error(`no figure is called "${id}"`);
  return figure;
}

export function figuresOf(load: Load): readonly Figure[] {
  return FIGURES.filter((figure) => figure.load === load);
}
