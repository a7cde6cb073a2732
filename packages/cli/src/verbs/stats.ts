import { setTimeout as pause } from "node:timers/promises";
import type { QueueStats } from "@rpc/db-queue";
import type { Command } from "commander";
import { mustBeThere } from "../addresses.ts";
import type { Output } from "../output.ts";
import { UsageError } from "../problems.ts";
import { runVerb, type Session } from "../session.ts";
import { jsonArray, jsonObject } from "../text/json.ts";
import { plain } from "../text/plain.ts";
import { type Column, tabbedText, tableText } from "../text/table.ts";
import { localTime, shortSpan } from "../text/time.ts";
import { span } from "./arguments.ts";

interface StatsOptions {
  readonly window: number;
  readonly watch?: boolean;
  readonly every: number;
  readonly json?: boolean;
}

const MINUTES_5 = 300_000;
const SECONDS_2 = 2000;
const SHORTEST_MS = 100;
/** Home, and everything below it cleared: what stood there is written over without a flicker. */
const HOME = "\u001B[H\u001B[J";

export function addStats(program: Command): void {
  program
    .command("stats")
    .description("how much waits and runs, how old the oldest is, how long commands waited and ran, agents")
    .argument("[address]", "in full, of this one")
    .option("--window <time>", "finished commands of so long are counted (default: 5m)", span, MINUTES_5)
    .option("--watch", "looks again and again")
    .option("--every <time>", "so often (default: 2s)", span, SECONDS_2)
    .option("--json", "a JSON array; with --watch one a line")
    .action((address: string | undefined, options: StatsOptions, command: Command) =>
      runVerb(command, (session) => stats(session, address, options)),
    );
}

async function stats(session: Session, address: string | undefined, options: StatsOptions): Promise<void> {
  const { store, queue, output } = session;
  await mustBeThere(store, address);
  const read = (): Promise<readonly QueueStats[]> => queue.stats({ address, windowMs: options.window });
  if (options.watch !== true) return print(output, await read(), address, options);
  if (options.every < SHORTEST_MS) throw new UsageError(`--every must be at least ${SHORTEST_MS}ms`);
  const stopped = session.stopped();
  while (!stopped.aborted) {
    const rows = await read();
    if (options.json === true) output.line(`[${rows.map(statsJson).join(",")}]`);
    else if (output.isTerminal) output.write(screenOf(output, rows, address));
    else print(output, rows, address, options);
    await pause(options.every, undefined, { signal: stopped }).catch(() => undefined);
  }
}

function print(output: Output, rows: readonly QueueStats[], address: string | undefined, options: StatsOptions): void {
  if (options.json === true) return output.line(jsonArray(rows.map(statsJson)));
  if (!output.isTerminal) return output.text(tabbedText(TABBED, rows));
  output.text(textOf(output, rows, address));
}

function screenOf(output: Output, rows: readonly QueueStats[], address: string | undefined): string {
  const lines = [
    output.styled(`rpc-queue stats  ${localTime(Date.now())}`, "dim"),
    ...textOf(output, rows, address).split("\n"),
  ];
  const room = output.rows - 1;
  const shown = lines.length > room ? [...lines.slice(0, room - 1), output.styled("…", "dim")] : lines;
  return `${HOME}${shown.join("\n")}\n`;
}

function textOf(output: Output, rows: readonly QueueStats[], address: string | undefined): string {
  const [only] = rows;
  if (only === undefined) return "no addresses";
  return address === undefined ? tableText(COLUMNS, rows, output.columns, output.styled) : inFull(output, only);
}

function statsJson(row: QueueStats): string {
  return jsonObject({ ...row });
}

const optionalSpan = (ms: number | undefined): string => (ms === undefined ? "" : shortSpan(ms));
const optionalMs = (ms: number | undefined): string => (ms === undefined ? "" : String(Math.round(ms)));

const COLUMNS: readonly Column<QueueStats>[] = [
  {
    title: "ADDRESS",
    least: 12,
    cut: "middle",
    show: (row) => (row.paused ? [`${plain(row.address, 200)} (paused)`, "yellow"] : plain(row.address, 200)),
    value: (row) => plain(row.address),
  },
  { title: "READY", align: "right", show: (row) => String(row.readyCount) },
  { title: "LATER", align: "right", show: (row) => String(row.delayedCount) },
  { title: "RUN", align: "right", show: (row) => String(row.claimedCount) },
  {
    title: "OLDEST",
    align: "right",
    show: (row) => optionalSpan(row.oldestReadyMs),
    value: (row) => optionalMs(row.oldestReadyMs),
  },
  {
    title: "AGENTS",
    align: "right",
    show: (row) => [String(row.agentCount), row.agentCount === 0 && row.readyCount > 0 ? "red" : undefined],
  },
  { title: "DONE", align: "right", show: (row) => String(row.finished.done) },
  { title: "DEAD", align: "right", show: (row) => deadOf(row) },
  {
    title: "WAIT95",
    align: "right",
    show: (row) => optionalSpan(row.finished.waitMs?.p95),
    value: (row) => optionalMs(row.finished.waitMs?.p95),
  },
  {
    title: "RUN95",
    align: "right",
    show: (row) => optionalSpan(row.finished.runMs?.p95),
    value: (row) => optionalMs(row.finished.runMs?.p95),
  },
];

const TABBED: readonly Column<QueueStats>[] = [
  ...COLUMNS,
  { title: "PAUSED", show: (row) => (row.paused ? "paused" : "") },
];

/** Failed or expired: what somebody may want to look at. */
function deadOf({ finished }: QueueStats): readonly [string, "red" | undefined] {
  const count = finished.failed + finished.expired;
  return [String(count), count > 0 ? "red" : undefined];
}

function inFull(output: Output, row: QueueStats): string {
  const { finished } = row;
  const three = (of: typeof finished.waitMs): string =>
    of === undefined ? "–" : `${shortSpan(of.p50)} half, ${shortSpan(of.p95)} 95 %, ${shortSpan(of.max)} longest`;
  const ended = `${finished.done} done, ${finished.failed} failed, ${finished.expired} expired, ${finished.cancelled} cancelled`;
  const oldest = row.oldestReadyMs === undefined ? "" : `, the oldest for ${shortSpan(row.oldestReadyMs)}`;
  const lines: readonly (readonly [string, string])[] = [
    ["address", `${plain(row.address)}${row.paused ? output.styled("  paused", "yellow") : ""}`],
    ["ready", `${row.readyCount}${oldest}`],
    ["later", String(row.delayedCount)],
    ["running", String(row.claimedCount)],
    ["broadcasts", String(row.waitingCount)],
    ["agents", String(row.agentCount)],
    ["ended", ended],
    ["retries", String(finished.retries)],
    ["waited", three(finished.waitMs)],
    ["ran", three(finished.runMs)],
  ];
  return lines.map(([name, text]) => `${output.styled(name.padEnd(11), "dim")} ${text}`).join("\n");
}
