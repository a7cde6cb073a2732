import { FIGURES, type Figure, isPatternLoad, type PatternLoad } from "../harness/figures.ts";
import type { InstallSize } from "../harness/install-size.ts";
import { runsLoad, type RosterEntry } from "../harness/roster.ts";
import type { BenchRun } from "./bench-run.ts";
import { NOT_JUDGED_HERE } from "./targets.ts";

interface Yardstick {
  readonly name: string;
  readonly title: string;
}

/** Each figure of calls is also given as a multiple of these, and those of patterns as multiples of their own. */
const QUEUE_YARDSTICKS: readonly Yardstick[] = [
  { name: "graphile-worker", title: "× graphile-worker" },
  { name: "pg-boss", title: "× pg-boss" },
];
const YARDSTICKS: readonly Yardstick[] = [
  { name: "raw-protobuf", title: "× raw+pb" },
  { name: "grpc-js", title: "× grpc-js" },
];
const PATTERN_YARDSTICKS: Readonly<Record<PatternLoad, readonly Yardstick[]>> = {
  fanout: [
    { name: "socket-io", title: "× socket.io" },
    { name: "moleculer-events", title: "× Moleculer" },
  ],
  jobs: [],
  resume: [],
  handshake: [{ name: "grpc-js-connect", title: "× grpc-js" }],
  codec: [
    { name: "xmlrpc-npm", title: "× npm xmlrpc" },
    { name: "cpython-xmlrpc", title: "× CPython" },
  ],
  "queue-call": QUEUE_YARDSTICKS.slice(0, 1),
  "queue-backlog": QUEUE_YARDSTICKS,
  "queue-idle": QUEUE_YARDSTICKS.slice(0, 1),
  "queue-insert": QUEUE_YARDSTICKS,
};

export function markdownOf(run: BenchRun): string {
  const { options, machine } = run;
  const sections = [
    `# Benchmarks of ${dateOf(run)}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGigabytes} GB · ${machine.os} · Node ${machine.node}\n` +
      `${options.runs} interleaved rounds of ${options.windowMs / 1000} s (memory: ${options.memoryRuns}), medians. Only ratios within one run count. [How it is measured](README.md)`,
    `## Must reach\n\n${verdictTable(run)}`,
    ...(options.loads.every(isPatternLoad) ? [] : [`## Overview\n\n${overviewTable(run)}`]),
    ...FIGURES.filter((figure) => options.loads.includes(figure.load)).map(
      (figure) => `## ${figure.title}\n\n${figureTable(run, figure)}`,
    ),
  ];
  if (run.install !== undefined) sections.push(`## Install size\n\n${installTable(run.install)}`);
  sections.push(
    `## Versions\n\n${Object.entries(machine.packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(" · ")}`,
  );
  return `${sections.join("\n\n")}\n`;
}

export function dateOf(run: BenchRun): string {
  return run.startedAt.toISOString().slice(0, 10);
}

function verdictTable({ verdicts }: BenchRun): string {
  const judged = verdicts.filter(({ reading }) => reading !== NOT_JUDGED_HERE);
  const rows = judged.map(({ title, mustReach, aim, reading, reached }) => [
    title,
    mustReach,
    aim,
    reading,
    reached === undefined ? "–" : reached ? "yes" : "**no**",
  ]);
  const left = verdicts.length - judged.length;
  const note = left === 0 ? "" : `\n\nOf ${verdicts.length} figures ${left} were not measured in this run.`;
  return table(["figure", "must reach", "aim", "reading", "reached"], rows) + note;
}

function overviewTable(run: BenchRun): string {
  const figures = FIGURES.filter(
    ({ load }) => load !== "heap" && !isPatternLoad(load) && run.options.loads.includes(load),
  );
  const entries = run.options.entries.filter((entry) => figures.some(({ load }) => runsLoad(entry, load)));
  const rows = entries.map((entry) =>
    [entry.title].concat(
      figures.map((figure) => {
        const median = run.measurements.median(entry.name, figure.id);
        return median === undefined ? "–" : printed(figure, median);
      }),
    ),
  );
  return table(
    [
      "",
      ...figures.map(
        (figure) => `${figure.title.replace(/, (64 in flight|client.*|server RSS)$/, "")}, ${figure.unit}`,
      ),
    ],
    rows,
  );
}

function figureTable(run: BenchRun, figure: Figure): string {
  const reasons: string[] = [];
  const rows = run.options.entries
    .filter((entry) => runsLoad(entry, figure.load))
    .map((entry) => figureRow(run, figure, entry, reasons));
  const head = ["", figure.unit, ...yardsticksOf(figure).map((yardstick) => yardstick.title), "lowest – highest"];
  return table(head, rows) + (reasons.length === 0 ? "" : `\n\n${reasons.join("\n")}`);
}

function figureRow(run: BenchRun, figure: Figure, entry: RosterEntry, reasons: string[]): string[] {
  const outcome = run.measurements.outcome(entry.name, figure.id);
  if ("missing" in outcome) {
    reasons.push(`- ${entry.title}: ${outcome.missing}`);
    return [entry.title, "–", ...yardsticksOf(figure).map(() => "–"), ""];
  }
  const ratios = yardsticksOf(figure).map(({ name }) => {
    const yardstick = run.measurements.median(name, figure.id);
    return yardstick === undefined ? "–" : ratioOf(outcome.median / yardstick);
  });
  const range = `${printed(figure, Math.min(...outcome.values))} – ${printed(figure, Math.max(...outcome.values))}`;
  return [entry.title, printed(figure, outcome.median), ...ratios, range];
}

function yardsticksOf({ load }: Figure): readonly Yardstick[] {
  return isPatternLoad(load) ? PATTERN_YARDSTICKS[load] : YARDSTICKS;
}

function installTable({ ours, grpc }: { readonly ours: InstallSize; readonly grpc: InstallSize }): string {
  const rows = [ours, grpc].map((size) =>
    "missing" in size
      ? [size.title, "–", "–", size.missing]
      : [
          size.title,
          String(Math.round(size.kilobytes)),
          String(size.packageNames.length),
          size.packageNames.join(", "),
        ],
  );
  return table(["", "KB", "packages", ""], rows);
}

function printed(figure: Figure, value: number): string {
  return (value / figure.printDivisor).toFixed(figure.digits);
}

function ratioOf(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}
