import type { AgentRow } from "@rpc/db-queue";
import type { Command } from "commander";
import { mustBeThere } from "../addresses.ts";
import { runVerb, type Session } from "../session.ts";
import type { Style } from "../output.ts";
import { jsonArray, jsonObject } from "../text/json.ts";
import { plain } from "../text/plain.ts";
import type { Column } from "../text/table.ts";
import { isoTime, shortSpan } from "../text/time.ts";

interface AgentsOptions {
  readonly json?: boolean;
}

const LONGEST = 200;
/** By which the queue itself goes: one that is seen later than this is no live agent for `failFast`, and for a broadcast it is lost. */
const LATE_MS = 45_000;
const LOST_MS = 90_000;

export function addAgents(program: Command): void {
  program
    .command("agents")
    .description("who is subscribed, and when it was seen")
    .argument("[address]", "of this address")
    .option("--json", "a JSON array")
    .action((address: string | undefined, options: AgentsOptions, command: Command) =>
      runVerb(command, (session) => agents(session, address, options)),
    );
}

async function agents(
  { store, queue, output }: Session,
  address: string | undefined,
  options: AgentsOptions,
): Promise<void> {
  await mustBeThere(store, address);
  const rows = await queue.agents(address);
  if (options.json === true) output.line(jsonArray(rows.map(agentJson)));
  else if (rows.length === 0 && output.isTerminal) output.line("no agents");
  else output.table(COLUMNS, rows);
}

function agentJson({ startedAt, lastSeenAt, ...row }: AgentRow): string {
  return jsonObject({ ...row, life: lifeOf(row)[0], startedAt: isoTime(startedAt), lastSeenAt: isoTime(lastSeenAt) });
}

function lifeOf({ unseenMs }: Pick<AgentRow, "unseenMs">): readonly [string, Style | undefined] {
  if (unseenMs > LOST_MS) return ["lost", "red"];
  return unseenMs > LATE_MS ? ["late", "yellow"] : ["alive", "green"];
}

const COLUMNS: readonly Column<AgentRow>[] = [
  { title: "ADDRESS", least: 10, cut: "middle", show: (row) => plain(row.address, LONGEST) },
  { title: "AGENT", least: 8, show: (row) => plain(row.agent, LONGEST) },
  { title: "LIFE", show: lifeOf },
  { title: "SEEN", align: "right", show: (row) => shortSpan(row.unseenMs), value: (row) => isoTime(row.lastSeenAt) },
  { title: "AT ONCE", align: "right", show: (row) => String(row.concurrency) },
  { title: "INCARNATION", least: 11, cut: "middle", show: (row) => plain(row.incarnation, LONGEST) },
  { title: "METHODS", least: 10, show: (row) => plain(row.methods?.join(" ") ?? "", LONGEST * 5) },
];
