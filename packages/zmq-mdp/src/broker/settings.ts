import { type Clock, systemClock } from "@rpc/core/transport";
import { refused } from "../calls/errors.ts";
import type { TimeoutFrameRule } from "../frames/timeout-frame.ts";

/**
 * Which habits a broker has where messages do not say it themselves. All of them speak 0.1 and 0.2 on one socket.
 *
 * | dialect | time-out frame | error replies |
 * |---|---|---|
 * | `auto` | `auto` | to callers that look like Domogik's or ours, and to all of 0.2 |
 * | `rfc7` | `never` | none: a caller waits for its own time-out |
 * | `domogik` | `auto` | `domogik` |
 * | `domogik-1.3` | `never` | `domogik` |
 * | `mdp02` | `never` | `domogik` |
 */
export type MdpDialect = "auto" | "rfc7" | "domogik" | "domogik-1.3" | "mdp02";

/** Who may do what at a door. The first rule that names the service decides. */
export interface MdpRule {
  /** A name, or the beginning of names with `*` behind it; `*` alone is every service. */
  readonly service: string;
  /** Default: false. */
  readonly mayRegister?: boolean;
  /** Default: false. */
  readonly mayRequest?: boolean;
}

/** What is known of a waiting request, to say how urgent it is. Frames are those of the message: nobody writes into them. */
export interface MdpRequestInfo {
  readonly service: string;
  readonly body: readonly Uint8Array[];
}

/** What is known of a worker. */
export interface MdpWorkerInfo {
  readonly service: string;
  /** The identity that the socket gave to its connection, in hex. */
  readonly identity: string;
  /** Which door it came in by, counted from 0. */
  readonly door: number;
  readonly version: "0.1" | "0.2";
  readonly busy: boolean;
  /** Requests that it has answered. */
  readonly answered: number;
}

/** What holds for a service; each is taken from the broker's where it is not said. */
export interface MdpServiceOptions {
  /** Whether a number before the body is the caller's patience. Default: as the dialect says; 0.2 has no such frame. */
  readonly timeoutFrame?: TimeoutFrameRule;
  /** Requests that wait for a worker; more are refused. Default: 1,000. */
  readonly maxQueue?: number;
  /** How long a request of a caller without a time-out frame waits for a worker. Default: 60,000. */
  readonly requestTtlMs?: number;
  /** How long a worker may be busy with one request, if the caller's patience is not longer. Default: 300,000. */
  readonly maxBusyMs?: number;
  /**
   * What becomes of the request of a worker that is gone. `requeue` gives it to another one: for services that bear to do a thing twice.
   * Default: `error`.
   */
  readonly onWorkerLost?: "error" | "requeue";
  /** How many workers a request is given to at most. Default: 3. */
  readonly maxAttempts?: number;
  /** What a caller of 0.1 gets from a worker that answers in parts: all of them as one reply, or an error. Default: `collect`. */
  readonly partials?: "collect" | "refuse";
  /** Of waiting requests the one with the highest number goes first, and of equal ones the oldest. Default: all are equal. */
  readonly priority?: (request: MdpRequestInfo) => number;
}

export interface MdpBrokerSettings extends MdpServiceOptions {
  /** Default: `auto`. */
  readonly dialect?: MdpDialect;
  /** Whether a request that comes to nothing is answered with `error` and `{status: false, reason, code}`. Default: as the dialect says. */
  readonly errorReplies?: "none" | "domogik";
  /** Time between two signs of life to a worker. Default: 1,000. */
  readonly heartbeatMs?: number;
  /** Signs of life that an idle worker may leave out before it is gone. Default: 5. */
  readonly liveness?: number;
  /** How long a request without a time-out frame waits for a service that nobody has offered yet. Default: 30,000. */
  readonly unknownServiceTtlMs?: number;
  /** Services that differ, by name. */
  readonly services?: Readonly<Record<string, MdpServiceOptions>>;
  /** Which of the idle workers takes a request; they stand in the order in which they became idle. Default: the first. */
  readonly selectWorker?: (idle: readonly MdpWorkerInfo[], service: string) => MdpWorkerInfo | undefined;
  /** Whether `mmi.workers`, `mmi.queue`, `mmi.stats`, `mmi.cancel` and `mmi.worker` are served. Default: true. */
  readonly mmiExtensions?: boolean;
  /** Whether workers may register `titanic.*`. Default: false. */
  readonly titanic?: boolean;
  /** Default: 10,000. */
  readonly maxWorkers?: number;
  /** Services that have a worker or a waiting request. Default: 10,000. */
  readonly maxServices?: number;
  /** Bytes of all requests that wait. Default: 256 MiB. */
  readonly maxQueuedBytes?: number;
  /** Frames of one message, addresses and headers included. Default: 64. */
  readonly maxFrames?: number;
  /** Bytes of one message, all frames together. Default: 32 MiB. */
  readonly maxMessageBytes?: number;
  /** For tests. Default: the process's. */
  readonly clock?: Clock;
}

export interface ServiceSettings {
  readonly timeoutFrame01: TimeoutFrameRule;
  readonly timeoutFrame02: TimeoutFrameRule;
  readonly maxQueue: number;
  readonly requestTtlMs: number;
  readonly maxBusyMs: number;
  readonly requeue: boolean;
  readonly maxAttempts: number;
  readonly collect: boolean;
  readonly priority: ((request: MdpRequestInfo) => number) | undefined;
}

export interface ResolvedSettings {
  readonly errorReplies: "none" | "domogik" | "auto";
  readonly heartbeatMs: number;
  readonly livenessMs: number;
  readonly unknownServiceTtlMs: number;
  readonly selectWorker: MdpBrokerSettings["selectWorker"];
  readonly mmiExtensions: boolean;
  readonly titanic: boolean;
  readonly maxWorkers: number;
  readonly maxServices: number;
  readonly maxQueuedBytes: number;
  readonly maxFrames: number;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  settingsOf(service: string): ServiceSettings;
}

const TIMEOUT_FRAME: Readonly<Record<MdpDialect, TimeoutFrameRule>> = {
  auto: "auto",
  domogik: "auto",
  "domogik-1.3": "never",
  rfc7: "never",
  mdp02: "never",
};
const ERROR_REPLIES: Readonly<Record<MdpDialect, "none" | "domogik" | "auto">> = {
  auto: "auto",
  domogik: "domogik",
  "domogik-1.3": "domogik",
  rfc7: "none",
  mdp02: "domogik",
};

/** Fills in what is not said, and throws INVALID_ARGUMENT for what cannot be. */
export function resolveSettings(options: MdpBrokerSettings): ResolvedSettings {
  const dialect = options.dialect ?? "auto";
  if (!Object.hasOwn(TIMEOUT_FRAME, dialect)) {
    throw refused(
      `there is no dialect ${JSON.stringify(dialect)}; it is one of ${Object.keys(TIMEOUT_FRAME).join(", ")}`,
    );
  }
  word("errorReplies", options.errorReplies, ["none", "domogik"]);
  const heartbeatMs = numberOption("heartbeatMs", options.heartbeatMs ?? 1_000, 1);
  const liveness = numberOption("liveness", options.liveness ?? 5, 1);
  const common = serviceSettings(options, {}, dialect);
  const own = new Map<string, ServiceSettings>();
  for (const [name, service] of Object.entries(options.services ?? {})) {
    own.set(name, serviceSettings(options, service, dialect));
  }
  return {
    errorReplies: options.errorReplies ?? ERROR_REPLIES[dialect],
    heartbeatMs,
    livenessMs: heartbeatMs * liveness,
    unknownServiceTtlMs: numberOption("unknownServiceTtlMs", options.unknownServiceTtlMs ?? 30_000),
    selectWorker: options.selectWorker,
    mmiExtensions: options.mmiExtensions ?? true,
    titanic: options.titanic ?? false,
    maxWorkers: numberOption("maxWorkers", options.maxWorkers ?? 10_000),
    maxServices: numberOption("maxServices", options.maxServices ?? 10_000),
    maxQueuedBytes: numberOption("maxQueuedBytes", options.maxQueuedBytes ?? 256 * 1024 * 1024),
    maxFrames: numberOption("maxFrames", options.maxFrames ?? 64, 5),
    maxMessageBytes: numberOption("maxMessageBytes", options.maxMessageBytes ?? 32 * 1024 * 1024, 1),
    clock: options.clock ?? systemClock,
    settingsOf: own.size === 0 ? () => common : (service) => own.get(service) ?? common,
  };
}

function serviceSettings(broker: MdpServiceOptions, service: MdpServiceOptions, dialect: MdpDialect): ServiceSettings {
  for (const { timeoutFrame, onWorkerLost, partials, priority } of [broker, service]) {
    word("timeoutFrame", timeoutFrame, ["auto", "always", "never"]);
    word("onWorkerLost", onWorkerLost, ["error", "requeue"]);
    word("partials", partials, ["collect", "refuse"]);
    if (priority !== undefined && typeof priority !== "function") throw refused("priority is a function");
  }
  const said = service.timeoutFrame ?? broker.timeoutFrame;
  return {
    timeoutFrame01: said ?? TIMEOUT_FRAME[dialect],
    timeoutFrame02: said ?? "never",
    maxQueue: numberOption("maxQueue", service.maxQueue ?? broker.maxQueue ?? 1_000),
    requestTtlMs: numberOption("requestTtlMs", service.requestTtlMs ?? broker.requestTtlMs ?? 60_000),
    maxBusyMs: numberOption("maxBusyMs", service.maxBusyMs ?? broker.maxBusyMs ?? 300_000),
    requeue: (service.onWorkerLost ?? broker.onWorkerLost ?? "error") === "requeue",
    maxAttempts: numberOption("maxAttempts", service.maxAttempts ?? broker.maxAttempts ?? 3, 1),
    collect: (service.partials ?? broker.partials ?? "collect") === "collect",
    priority: service.priority ?? broker.priority,
  };
}

export function numberOption(name: string, value: number, least = 0): number {
  if (Number.isFinite(value) && value >= least) return value;
  throw refused(`${name} is a number of at least ${least}, not ${value}`);
}

/** A word that is none of those would quietly mean another. */
function word(name: string, value: string | undefined, words: readonly string[]): void {
  if (value === undefined || words.includes(value)) return;
  throw refused(`${name} is ${words.join(" or ")}, not ${JSON.stringify(value)}`);
}
