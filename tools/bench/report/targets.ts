/** What our entrants must reach, and what they aim at; judged against the other entrants of the same run. */
import { figureOf, figuresOf, type FigureId } from "../harness/figures.ts";
import type { InstallSize } from "../harness/install-size.ts";
import { type Measurements, NOT_IN_RUN } from "../harness/measurements.ts";
import { ROSTER } from "../harness/roster.ts";

export interface Verdict {
  readonly title: string;
  readonly mustReach: string;
  readonly aim: string;
  /** Undefined where it could not be judged; `reading` then says why. */
  readonly reached: boolean | undefined;
  readonly reading: string;
}

/** The reading of a figure whose load the run did not make. */
export const NOT_JUDGED_HERE = `not judged: ${NOT_IN_RUN}`;

interface RatioTarget {
  readonly figure: FigureId;
  readonly entrant: string;
  readonly factor: number;
  readonly aim?: number;
  /** The best of these is what counts. */
  readonly against: readonly string[];
}

const QUEUES = ["db-queue-postgres", "db-queue-sqlite"];
const MOST_SLOWED = 0.2;

/** What lies finished in the table must not be felt. */
function pastTargets(name: string): RatioTarget[] {
  const figures = (["queue-call", "queue-backlog", "queue-idle", "queue-insert"] as const).flatMap(figuresOf);
  return figures.map(({ id, better }) => ({
    figure: id,
    entrant: `${name}-million`,
    factor: better === "more" ? 1 - MOST_SLOWED : 1 + MOST_SLOWED,
    against: [name],
  }));
}

const RATIO_TARGETS: readonly RatioTarget[] = [
  { figure: "unaryCallsPerSecond", entrant: "rpc-tcp-protobuf", factor: 0.5, aim: 0.7, against: ["raw-protobuf"] },
  { figure: "unaryCallsPerSecond", entrant: "rpc-tcp-protobuf", factor: 12, against: ["grpc-js"] },
  {
    figure: "unaryCallsPerSecond",
    entrant: "rpc-tcp-protobuf",
    factor: 1.8,
    against: ["birpc-msgpackr-ws", "moleculer-tcp"],
  },
  { figure: "unaryCallsPerSecond", entrant: "rpc-ws-protobuf", factor: 1.5, against: ["birpc-msgpackr-ws"] },
  { figure: "unaryCallsPerSecond", entrant: "rpc-ws-protobuf", factor: 3, against: ["capnweb"] },
  { figure: "unaryCallsPerSecond", entrant: "rpc-tcp-zod", factor: 0.3, aim: 0.45, against: ["raw-protobuf"] },
  { figure: "serialP50Micros", entrant: "rpc-tcp-protobuf", factor: 1.2, aim: 1.1, against: ["raw-protobuf"] },
  { figure: "streamItemsPerSecond", entrant: "rpc-tcp-protobuf", factor: 4, aim: 8, against: ["grpc-js"] },
  { figure: "blobMegabytesPerSecond", entrant: "rpc-tcp-protobuf", factor: 1.3, against: ["grpc-js"] },
  { figure: "cpuMicrosPerCall", entrant: "rpc-tcp-protobuf", factor: 0.1, against: ["grpc-js"] },
  {
    figure: "unaryCallsPerSecond",
    entrant: "rpc-tcp-protobuf",
    factor: 0.9,
    against: ["rpc-tcp-protobuf-no-resume"],
  },
  {
    figure: "fanoutEventsPerSecond",
    entrant: "rpc-tcp-events",
    factor: 3,
    against: ["socket-io", "moleculer-events"],
  },
  { figure: "unaryCallsPerSecond", entrant: "rpc-mdp-broker", factor: 0.8, against: ["mdp-broker-bare"] },
  { figure: "unaryCallsPerSecond", entrant: "rpc-mdp-broker", factor: 1, against: ["mdp-broker-pyzmq"] },
  { figure: "serialP50Micros", entrant: "rpc-mdp-broker", factor: 1.3, against: ["mdp-broker-bare"] },
  {
    figure: "fanoutEventsPerSecond",
    entrant: "rpc-mdp-forwarder",
    factor: 0.8,
    against: ["mdp-forwarder-bare"],
  },
  { figure: "unaryCallsPerSecond", entrant: "rpc-xmlrpc", factor: 2.5, against: ["xmlrpc-npm"] },
  { figure: "unaryCallsPerSecond", entrant: "rpc-xmlrpc", factor: 0.5, against: ["http-json"] },
  { figure: "serialP50Micros", entrant: "rpc-xmlrpc", factor: 2, against: ["http-json"] },
  { figure: "codecDecodesPerSecond", entrant: "rpc-xmlrpc", factor: 1, against: ["cpython-xmlrpc"] },
  { figure: "codecDecodesPerSecond", entrant: "rpc-xmlrpc", factor: 3, against: ["xmlrpc-npm"] },
  { figure: "codecEncodesPerSecond", entrant: "rpc-xmlrpc", factor: 1, against: ["cpython-xmlrpc"] },
  {
    figure: "queueCallsPerSecond",
    entrant: "db-queue-postgres",
    factor: 6,
    against: ["graphile-worker", "graphile-worker-tuned"],
  },
  { figure: "queueDrainedPerSecond", entrant: "db-queue-postgres", factor: 4, against: ["graphile-worker"] },
  { figure: "queueDrainedPerSecond", entrant: "db-queue-postgres", factor: 1, against: ["pg-boss"] },
  { figure: "queueStartMicros", entrant: "db-queue-postgres", factor: 1.2, against: ["graphile-worker"] },
  ...QUEUES.flatMap((name) => pastTargets(name)),
];

interface LimitTarget {
  readonly figure: FigureId;
  readonly entrant: string;
  /** In the figure's base unit. */
  readonly limit: number;
}

const LIMIT_TARGETS: readonly LimitTarget[] = [
  { figure: "jobsPerSecond", entrant: "rpc-tcp-jobs", limit: 100_000 },
  { figure: "codecPeakRatio", entrant: "rpc-xmlrpc", limit: 10 },
  { figure: "queueResultMicros", entrant: "db-queue-postgres", limit: 2_500 },
  { figure: "queueInsertsPerSecond", entrant: "db-queue-postgres", limit: 40_000 },
  { figure: "queueCallsPerSecond", entrant: "db-queue-sqlite", limit: 10_000 },
  { figure: "queueStartMicros", entrant: "db-queue-sqlite", limit: 5_000 },
];

const HANDSHAKE_LIMIT_MICROS = 1_000;
const IDLE_LIMIT_KILOBYTES = 12;
const IDLE_AIM_KILOBYTES = 6;
const HEAP_LIMIT_RATIO = 1.05;

export function judgeTargets(
  measurements: Measurements,
  install: { ours: InstallSize; grpc: InstallSize } | undefined,
): Verdict[] {
  return [
    ...RATIO_TARGETS.map((target) => judgeRatio(target, measurements)),
    ...LIMIT_TARGETS.map((target) => judgeLimit(target, measurements)),
    judgeHandshake(measurements),
    judgeIdle(measurements),
    judgeHeap("heapServerRatio", measurements),
    judgeHeap("heapClientRatio", measurements),
    judgeInstall(install),
  ];
}

function judgeRatio(target: RatioTarget, measurements: Measurements): Verdict {
  const { title, better } = figureOf(target.figure);
  const relation = better === "more" ? "≥" : "≤";
  const names = target.against.map(titleOf).join(" and ");
  const head = {
    title: `${title} (${titleOf(target.entrant)})`,
    mustReach: `${relation} ${target.factor} × ${target.against.length > 1 ? `the better of ${names}` : names}`,
    aim: target.aim === undefined ? "" : `${target.aim} ×`,
  };
  const ours = measurements.outcome(target.entrant, target.figure);
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  const others: number[] = [];
  for (const name of target.against) {
    const other = measurements.median(name, target.figure);
    if (other === undefined)
      return { ...head, reached: undefined, reading: `not judged: ${titleOf(name)} gave no reading` };
    others.push(other);
  }
  const ratio = ours.median / (better === "more" ? Math.max(...others) : Math.min(...others));
  return {
    ...head,
    reached: better === "more" ? ratio >= target.factor : ratio <= target.factor,
    reading: `${ratio.toFixed(2)} ×`,
  };
}

function judgeLimit({ figure, entrant, limit }: LimitTarget, measurements: Measurements): Verdict {
  const { title, unit, digits, printDivisor, better } = figureOf(figure);
  const printed = (value: number): string => `${(value / printDivisor).toFixed(digits)} ${unit}`;
  const head = {
    title: `${title} (${titleOf(entrant)})`,
    mustReach: `${better === "more" ? "≥" : "≤"} ${printed(limit)}`,
    aim: "",
  };
  const ours = measurements.outcome(entrant, figure);
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  return {
    ...head,
    reached: better === "more" ? ours.median >= limit : ours.median <= limit,
    reading: printed(ours.median),
  };
}

function judgeHandshake(measurements: Measurements): Verdict {
  const head = {
    title: "Handshake with a shared secret, CPU of both ends over a bare connection",
    mustReach: `≤ ${HANDSHAKE_LIMIT_MICROS / 1_000} ms`,
    aim: "",
  };
  const ours = measurements.outcome("rpc-tcp-secret", "handshakeCpuMicros");
  const bare = measurements.median("bare-socket", "handshakeCpuMicros");
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  if (bare === undefined)
    return { ...head, reached: undefined, reading: "not judged: the bare socket gave no reading" };
  const micros = ours.median - bare;
  return { ...head, reached: micros <= HANDSHAKE_LIMIT_MICROS, reading: `${(micros / 1_000).toFixed(2)} ms` };
}

function judgeIdle(measurements: Measurements): Verdict {
  const head = {
    title: "Idle connection, server RSS over a bare socket",
    mustReach: `≤ ${IDLE_LIMIT_KILOBYTES} KB`,
    aim: `${IDLE_AIM_KILOBYTES} KB`,
  };
  const ours = measurements.outcome("rpc-tcp-protobuf", "idleServerKilobytes");
  const bare = measurements.median("bare-socket", "idleServerKilobytes");
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  if (bare === undefined)
    return { ...head, reached: undefined, reading: "not judged: the bare socket gave no reading" };
  const kilobytes = ours.median - bare;
  return { ...head, reached: kilobytes <= IDLE_LIMIT_KILOBYTES, reading: `${kilobytes.toFixed(1)} KB` };
}

function judgeHeap(figure: "heapServerRatio" | "heapClientRatio", measurements: Measurements): Verdict {
  const head = { title: figureOf(figure).title, mustReach: `≤ ${HEAP_LIMIT_RATIO} ×`, aim: "" };
  const ours = measurements.outcome("rpc-tcp-protobuf", figure);
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  return { ...head, reached: ours.median <= HEAP_LIMIT_RATIO, reading: `${ours.median.toFixed(3)} ×` };
}

function judgeInstall(install: { ours: InstallSize; grpc: InstallSize } | undefined): Verdict {
  const head = {
    title: "Install size of @rpc/core + @rpc/tcp with dependencies",
    mustReach: "smaller than @grpc/grpc-js + @grpc/proto-loader",
    aim: "",
  };
  if (install === undefined) return { ...head, reached: undefined, reading: NOT_JUDGED_HERE };
  const { ours, grpc } = install;
  if ("missing" in ours) return { ...head, reached: undefined, reading: `not judged: ${ours.missing}` };
  if ("missing" in grpc) return { ...head, reached: undefined, reading: `not judged: ${grpc.missing}` };
  return {
    ...head,
    reached: ours.kilobytes < grpc.kilobytes,
    reading: `${Math.round(ours.kilobytes)} KB to ${Math.round(grpc.kilobytes)} KB`,
  };
}

function titleOf(name: string): string {
  return ROSTER.find((entry) => entry.name === name)?.title ?? name;
}
