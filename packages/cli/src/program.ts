import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { tellUsage } from "./session.ts";
import { addAgents } from "./verbs/agents.ts";
import { addCancel } from "./verbs/cancel.ts";
import { addLs } from "./verbs/ls.ts";
import { addMigrate } from "./verbs/migrate.ts";
import { addPause, addResume } from "./verbs/pause.ts";
import { addRetry } from "./verbs/retry.ts";
import { addSend } from "./verbs/send.ts";
import { addShow } from "./verbs/show.ts";
import { addStats } from "./verbs/stats.ts";
import { addTail } from "./verbs/tail.ts";

const EXIT_CODES = "\nExit codes: 0 done, 1 something failed, 2 the command line cannot be read.";

/** The command line. Reads `process.argv`; throws CommanderError when that is no command, or asks for help. */
export function createProgram(): Command {
  const program = new Command("rpc-queue")
    .description("Looks into a command queue of @rpc/db-queue, and steers it.")
    .version(version())
    .option("--database <url>", "sqlite:<file> or postgres://…; else RPC_QUEUE_DATABASE, else DATABASE_URL")
    .option("--schema <name>", "where the tables are (PostgreSQL; default: public)")
    .option("--table-prefix <prefix>", "begins the names of the tables (SQLite; default: rpc_)")
    .addOption(
      new Option("--notify <how>", "who sends wake-ups, as the queue's programs say it (PostgreSQL)").choices([
        "app",
        "trigger",
        "off",
      ]),
    )
    .addOption(
      new Option("--pooler <mode>", "a pooler is between (PostgreSQL)").choices(["none", "session", "transaction"]),
    )
    .option("--color", "colours, in a pipe as well")
    .option("--no-color", "no colours")
    .option("--debug", "the stack of what failed")
    .addHelpText("after", EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: tellUsage })
    .exitOverride();
  for (const add of [
    addLs,
    addShow,
    addTail,
    addStats,
    addAgents,
    addCancel,
    addRetry,
    addPause,
    addResume,
    addSend,
    addMigrate,
  ]) {
    add(program);
  }
  return program;
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
