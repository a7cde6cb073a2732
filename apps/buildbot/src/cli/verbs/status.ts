import type { Command } from "commander";
import { withConnection } from "../connection.ts";
import { EXIT } from "../problems.ts";
import { buildLine, shownResults } from "../results.ts";
import { plain } from "../text.ts";
import { runVerb, type Session } from "../verb.ts";

const RECENT = 5;

export function addStatus(program: Command): void {
  withConnection(program.command("status"))
    .description("bots, builders, and what runs")
    .option("--json", "all of it, for programs")
    .action((options: { json?: boolean }, command: Command) =>
      runVerb(command, (session) => tellStatus(session, options.json === true)),
    );
}

async function tellStatus({ bots, house, builds, users, output, url }: Session, isJson: boolean): Promise<number> {
  const [who, allBots, builders, recent] = await Promise.all([
    users.whoami(),
    bots.list(),
    house.builders(),
    builds.list({ limit: RECENT }),
  ]);
  if (isJson) {
    output.line(JSON.stringify({ url, user: who, bots: allBots, builders, recent }, null, 2));
    return EXIT.done;
  }
  const now = Date.now();
  output.line(`${url} as ${plain(who.name)} (${who.role})`);
  output.line(output.styled("Bots", "bold"));
  if (allBots.length === 0) output.line("  none yet");
  for (const bot of allBots) {
    const state = bot.present ? output.styled("here", "green") : output.styled("away", "red");
    output.line(
      `  ${plain(bot.name)} ${state}${bot.paused ? ", paused" : ""}, ${bot.running.length} of ${bot.maxBuilds} running`,
    );
  }
  output.line(output.styled("Builders", "bold"));
  if (builders.length === 0) output.line("  none yet: `buildbot config save <file>` makes some");
  for (const { name, pending, running, recent: builds } of builders) {
    const last = builds.find(({ results }) => results !== undefined);
    const state = last === undefined ? "not built yet" : shownResults(output, last.results);
    output.line(`  ${plain(name)} ${state}, ${running.length} running, ${pending} waiting`);
  }
  output.line(output.styled("Recent builds", "bold"));
  if (recent.length === 0) output.line("  none yet");
  for (const build of recent) output.line(`  ${buildLine(output, build, now)}`);
  return EXIT.done;
}
