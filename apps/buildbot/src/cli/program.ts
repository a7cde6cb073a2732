import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { tellUsage } from "./problems.ts";
import { addAdd } from "./verbs/add.ts";
import { addBot } from "./verbs/bot.ts";
import { addConfig } from "./verbs/config.ts";
import { addLog } from "./verbs/log.ts";
import { addServer } from "./verbs/server.ts";
import { addStatus } from "./verbs/status.ts";
import { addTrigger } from "./verbs/trigger.ts";

const EXIT_CODES = `
Exit codes: 0 done, and of a build: success or warnings; 1 the build failed, or the configuration has problems;
2 the command line cannot be read; 3 the server does not answer or refuses; 4 the build was cancelled;
130 ended by Ctrl-C.`;

/** The command line. Reads `process.argv`; throws CommanderError when that is no command, or asks for help. */
export function createProgram(): Command {
  const program = new Command("buildbot")
    .description("A small CI: a server, bots that build, and commands for both.")
    .version(manifest.version)
    .option("--debug", "the stack of what failed")
    .addHelpText("after", EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: tellUsage })
    .exitOverride();
  for (const add of [addServer, addBot, addTrigger, addLog, addStatus, addConfig, addAdd]) add(program);
  return program;
}
