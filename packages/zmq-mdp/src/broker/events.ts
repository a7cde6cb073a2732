import type { MdpWorkerInfo } from "./settings.ts";

/** Why a request came to nothing, as the error reply's `code` says it. */
export type MdpErrorCode =
  | "NO_WORKER"
  | "EXPIRED"
  | "QUEUE_FULL"
  | "WORKER_LOST"
  | "FORBIDDEN"
  | "CANCELLED"
  | "UNSUPPORTED"
  | "OVERFLOW";

/** `silent`: no sign of life; `stuck`: busy for too long; `unreachable`: its connection is gone; `misbehaved`: said what no worker says. */
export type MdpWorkerGone = "disconnected" | "silent" | "stuck" | "unreachable" | "misbehaved" | "closed";

/** What can be listened to. A listener is called in the middle of the broker's work: it is to be quick. */
export interface MdpBrokerEvents {
  workerReady: [worker: MdpWorkerInfo];
  workerGone: [worker: MdpWorkerInfo, reason: MdpWorkerGone];
  /** A worker was silent for the whole of its liveness. `workerGone` follows. */
  heartbeatLost: [worker: MdpWorkerInfo];
  /** A request came in, and was not refused. */
  request: [service: string, client: string];
  /** A request was answered, `ms` after it came. */
  reply: [service: string, ms: number];
  /** A request waited for too long. */
  expired: [service: string];
  /** A request was refused, or failed with its worker. */
  rejected: [service: string, code: MdpErrorCode];
  /** A line for a log: what was dropped, refused or lost, and why. */
  log: [line: string];
}

/** What has happened since the broker began. Whatever is dropped is counted once. */
export interface MdpCounters {
  /** Messages of all kinds. */
  received: number;
  requests: number;
  /** Final replies that went to clients. */
  replies: number;
  partials: number;
  heartbeats: number;
  /** Questions to the broker itself, `mmi.*`. */
  questions: number;
  /** Requests that were given to another worker. */
  requeued: number;
  /** Requests that waited for too long. */
  expired: number;
  cancelled: number;
  /** Refused: the queue of the service, or all of them, had no room. */
  queueFull: number;
  /** Failed with their workers. */
  workerLost: number;
  /** Registrations and requests that a rule forbids. */
  forbidden: number;
  /** Dropped: too few frames, a name that cannot be one, too many address frames. */
  malformed: number;
  /** Dropped: a protocol or version that is none of ours. */
  header: number;
  /** Dropped: a command that no worker says. */
  command: number;
  /** Dropped: more frames or bytes than a message may have. */
  tooLarge: number;
  /** Dropped: a sign of life or a reply of somebody who is not registered. */
  strangers: number;
  /** Registrations that were refused: twice, reserved names, too many. */
  refusedReady: number;
  /** Dropped: replies of a worker that has no request, or to another client than its own. */
  forgedReply: number;
  /** Dropped: replies after the caller's patience. */
  lateReply: number;
  /** Dropped: replies to clients that have left. */
  orphanReply: number;
  /** Dropped: messages to a peer that does not read. */
  unread: number;
}

export function noCounts(): MdpCounters {
  return {
    received: 0,
    requests: 0,
    replies: 0,
    partials: 0,
    heartbeats: 0,
    questions: 0,
    requeued: 0,
    expired: 0,
    cancelled: 0,
    queueFull: 0,
    workerLost: 0,
    forbidden: 0,
    malformed: 0,
    header: 0,
    command: 0,
    tooLarge: 0,
    strangers: 0,
    refusedReady: 0,
    forgedReply: 0,
    lateReply: 0,
    orphanReply: 0,
    unread: 0,
  };
}

type Listeners = { [Name in keyof MdpBrokerEvents]?: Set<(...values: MdpBrokerEvents[Name]) => void> };

/** The broker's listeners. One that throws harms nobody: what it throws becomes a line of the log. */
export class BrokerEvents {
  readonly #listeners: Listeners = {};

  on<Name extends keyof MdpBrokerEvents>(name: Name, listen: (...values: MdpBrokerEvents[Name]) => void): () => void {
    const listeners: Set<(...values: MdpBrokerEvents[Name]) => void> = this.#listeners[name] ?? new Set();
    (this.#listeners as Record<Name, typeof listeners>)[name] = listeners;
    listeners.add(listen);
    return () => listeners.delete(listen);
  }

  /** Whether anybody listens: what nobody hears need not be made. */
  has(name: keyof MdpBrokerEvents): boolean {
    const listeners = this.#listeners[name];
    return listeners !== undefined && listeners.size > 0;
  }

  emit<Name extends keyof MdpBrokerEvents>(name: Name, ...values: MdpBrokerEvents[Name]): void {
    for (const listen of this.#listeners[name] ?? []) {
      try {
        listen(...values);
      } catch (thrown) {
        if (name !== "log") this.emit("log", `A listener of ${name} threw: ${String(thrown)}`);
      }
    }
  }

  log(line: () => string): void {
    if (this.has("log")) this.emit("log", line());
  }
}
