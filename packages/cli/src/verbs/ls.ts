import type { CommandFilter, CommandRow, CommandState, DbQueue } from "@rpc/db-queue";
import type { Command } from "commander";
import { mustBeThere } from "../addresses.ts";
import { databaseNow } from "../now.ts";
import { runVerb, type Session } from "../session.ts";
import { noteOf, styleOf } from "../text/command.ts";
import { commandMembers, jsonArray, jsonObject } from "../text/json.ts";
import { plain } from "../text/plain.ts";
import type { Column } from "../text/table.ts";
import { isoTime, shortSpan } from "../text/time.ts";
import { commandStates, span, wholeNumber } from "./arguments.ts";

interface LsOptions {
  readonly address?: string;
  readonly state?: readonly CommandState[];
  readonly method?: string;
  readonly agent?: string;
  readonly olderThan?: number;
  readonly newerThan?: number;
  readonly limit: number;
  readonly json?: boolean;
}

const PAGE = 1000;
const MOST = 100_000;
const LONGEST = 200;

export function addLs(program: Command): void {
  program
    .command("ls")
    .description("commands, newest first")
    .option("--address <name>", "of this address")
    .option("--state <states>", "in these states, such as failed,expired", commandStates)
    .option("--method <name>", "of this method")
    .option("--agent <name>", "that this agent has, or had last")
    .option("--older-than <time>", "made longer ago, such as 10s, 2m, 1h, 7d", span)
    .option("--newer-than <time>", "made since", span)
    .option("--limit <count>", "at most so many", wholeNumber(1, MOST), 50)
    .option("--json", "a JSON array")
    .action((options: LsOptions, command: Command) => runVerb(command, (session) => ls(session, options)));
}

async function ls({ store, queue, output }: Session, options: LsOptions): Promise<void> {
  await mustBeThere(store, options.address);
  const now = await databaseNow(queue);
  const rows = await rowsOf(queue, options, now);
  if (options.json === true) output.line(jsonArray(rows.map((row) => jsonObject(commandMembers(row)))));
  else if (rows.length === 0 && output.isTerminal) output.line("no commands");
  else output.table(columnsOf(now, options.address === undefined || !output.isTerminal), rows);
}

async function rowsOf(queue: DbQueue, options: LsOptions, now: number): Promise<CommandRow[]> {
  const { address, state, method, agent, olderThan, newerThan, limit } = options;
  const filter: CommandFilter = { address, states: state, method, agent };
  const until = olderThan === undefined ? Number.POSITIVE_INFINITY : now - olderThan;
  const since = newerThan === undefined ? Number.NEGATIVE_INFINITY : now - newerThan;
  const rows: CommandRow[] = [];
  let beforeId = olderThan === undefined ? undefined : await firstIdAfter(queue, until);
  for (;;) {
    const page = await queue.list({ ...filter, beforeId, limit: Math.min(PAGE, limit) });
    for (const row of page) {
      if (row.createdAt <= until && row.createdAt >= since && rows.length < limit) rows.push(row);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < Math.min(PAGE, limit) || rows.length >= limit) return rows;
    if (last.createdAt < since) return rows;
    beforeId = last.id;
  }
}

/** Ids grow with time: what is younger need not be read, of however many it is. */
async function firstIdAfter(queue: DbQueue, until: number): Promise<number> {
  const [newest] = await queue.list({ limit: 1 });
  let low = 1;
  let high = (newest?.id ?? 0) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await queue.list({ beforeId: middle + 1, limit: 1 });
    if (row === undefined || row.createdAt <= until) low = middle + 1;
    else high = row.id;
  }
  return low;
}

function columnsOf(now: number, hasAddress: boolean): Column<CommandRow>[] {
  const name = (text: string | undefined): string => plain(text ?? "", LONGEST);
  const address: Column<CommandRow> = { title: "ADDRESS", least: 10, cut: "middle", show: (row) => name(row.address) };
  return [
    { title: "ID", align: "right", show: (row) => String(row.id) },
    { title: "STATE", show: (row) => [row.state, styleOf(row.state)] },
    ...(hasAddress ? [address] : []),
    { title: "METHOD", least: 10, show: (row) => name(row.method) },
    {
      title: "AGE",
      align: "right",
      show: (row) => shortSpan(now - row.createdAt),
      value: (row) => isoTime(row.createdAt),
    },
    { title: "TRIES", align: "right", show: (row) => `${row.attempts}/${row.maxAttempts}` },
    { title: "AGENT", least: 6, show: (row) => name(row.agent) },
    { title: "NOTE", least: 12, show: (row) => noteOf(row, now) },
  ];
}
