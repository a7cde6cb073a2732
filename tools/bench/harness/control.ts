/**
 * The control line between the runner and its two child processes: Node's own IPC, one request answered by one reply.
 * Nothing that is measured travels here.
 */
import type { CodecReading } from "./entrant.ts";

export interface CpuReading {
  readonly cpuMicros: number;
}

export interface MemoryReading {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
}

export interface LoadReading {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly cpuMicros: number;
  /** Only where one call runs at a time. */
  readonly p50Micros?: number;
  readonly p99Micros?: number;
}

export interface DeliveryReading {
  readonly delivered: number;
  readonly elapsedMs: number;
}

/** Request name to [argument, reply]. */
export interface ControlRequests {
  serve: [Record<string, never>, { endpoint: string; gaps: Record<string, string> }];
  connect: [{ endpoint: string }, { hasItems: boolean; hasBytes: boolean }];
  run: [{ load: "unary" | "serial" | "stream" | "bytes"; durationMs: number }, LoadReading];
  calls: [{ count: number }, LoadReading];
  openIdle: [{ count: number }, { opened: number }];
  cpu: [Record<string, never>, CpuReading];
  memory: [Record<string, never>, MemoryReading];
  servePublisher: [{ subscribers: number }, { endpoint: string; ackPort: number }];
  subscribe: [{ endpoint: string; ackPort: number; subscribers: number }, Record<string, never>];
  /** Settles when every subscriber has got one. */
  probe: [Record<string, never>, Record<string, never>];
  /** Settles when all that was published has arrived. */
  publish: [{ durationMs: number }, DeliveryReading];
  serveQueue: [Record<string, never>, { endpoint: string; producerAt: "queue" | "client" }];
  consume: [{ endpoint: string; consumers: number }, Record<string, never>];
  produce: [{ durationMs: number }, LoadReading];
  serveWaiting: [Record<string, never>, { endpoint: string }];
  /** Settles when all calls are at their handlers; asked of the server. */
  allWait: [{ sessions: number }, Record<string, never>];
  openSessions: [{ endpoint: string; sessions: number }, Record<string, never>];
  cutSockets: [Record<string, never>, { atEpochMs: number; sockets: number }];
  callsDone: [Record<string, never>, { atEpochMs: number; failed: number; reason: string }];
  peakRss: [Record<string, never>, { bytes: number }];
  serveHandshakes: [Record<string, never>, { endpoint: string }];
  verifyHandshake: [{ endpoint: string }, Record<string, never>];
  /** Proves that the reply is read and written right. */
  openReply: [Record<string, never>, Record<string, never>];
  repeatCodec: [{ work: "decode" | "encode"; durationMs: number }, CodecReading];
  decodeBigReply: [Record<string, never>, { ratio: number }];
  prepareQueue: [Record<string, never>, { place: string; callsInOneProcess: boolean; isOneWay: boolean }];
  /** `tellPort`: where to say what was handled; 0: nobody wants to hear it. */
  openAgent: [{ place: string; tellPort: number }, Record<string, never>];
  /** `tellPort`: where this process hears what was handled. */
  openIssuer: [{ place: string; listens: boolean }, { tellPort: number }];
  queueCalls: [{ durationMs: number }, LoadReading];
  /** One at a time, with pauses: when each was issued and when it was over, in microseconds of the machine's clock. */
  queueIdleCalls: [{ durationMs: number }, { issuedAt: number[]; doneAt: number[] }];
  /** When each was handled; asked of the agent. */
  queueStarts: [Record<string, never>, { startedAt: number[] }];
  queueFill: [{ count: number }, Record<string, never>];
  queueDrain: [{ place: string; count: number }, { elapsedMs: number }];
  queueInserts: [{ durationMs: number }, LoadReading];
  connectLoop: [{ endpoint: string; durationMs: number }, LoadReading];
}

export type RequestName = keyof ControlRequests;
export type ArgumentOf<Name extends RequestName> = ControlRequests[Name][0];
export type ReplyOf<Name extends RequestName> = ControlRequests[Name][1];

export type Answers = { [Name in RequestName]?: (argument: ArgumentOf<Name>) => Promise<ReplyOf<Name>> };

export interface ControlRequest {
  readonly id: number;
  readonly name: RequestName;
  readonly argument: unknown;
}

export interface ControlReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Child side: answers the runner's requests until the line closes, then ends the process. */
export function answerRunner(answers: Answers): void {
  process.on("message", (request: ControlRequest) => {
    // The argument's type belongs to the name; TypeScript cannot correlate the two through an index.
    const answer = answers[request.name] as ((argument: unknown) => Promise<unknown>) | undefined;
    const settled =
      answer === undefined
        ? Promise.reject(new Error(`no answer to "${request.name}" here`))
        : answer(request.argument);
    settled.then(
      (result) => reply({ id: request.id, result }),
      (error: unknown) =>
        reply({ id: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
}

function reply(message: ControlReply): void {
  process.send?.(message);
}
