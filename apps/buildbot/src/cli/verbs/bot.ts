import { hostname } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { RunningBot } from "../../bot/run-bot.ts";
import { DEFAULT_TCP } from "../defaults.ts";
import { wholeFrom } from "../numbers.ts";
import { Output } from "../output.ts";
import { pem } from "../pem.ts";
import { EXIT, tellProblem, UsageError } from "../problems.ts";
import { plain } from "../text.ts";
import { aborted, Stop } from "../verb.ts";

interface BotOptions {
  readonly server?: readonly string[];
  readonly token?: string;
  readonly dir?: string;
  readonly name?: string;
  readonly ca?: string;
  readonly claimSeconds?: number;
  readonly minFreeMib?: number;
}

const MIB = 1024 * 1024;

export function addBot(program: Command): void {
  program
    .command("bot")
    .description("builds what a server wants built; connects to it, and needs nothing else")
    .option(
      "--server <url>",
      `tcp://host:port or tcps://host:port; the page's wss:// where only HTTP gets through, its https:// where not even WebSockets do. Given again: another way, for when that one is shut (else BUILDBOT_URL, else ${DEFAULT_TCP})`,
      (server: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), server],
    )
    .option(
      "--token <token>",
      "name:secret, as the server has told it (else BUILDBOT_TOKEN: that one no other user of this machine sees)",
    )
    .option("--name <name>", "of the bot, where the token is its secret alone")
    .option("--dir <folder>", "for mirrors, work trees and logs (default: buildbot-<name>)")
    .option("--ca <file>", "PEM of who has signed the server's certificate, when no public authority has")
    .option("--claim-seconds <number>", "how often it asks for builds unasked (default: 30)", wholeFrom(1))
    .option("--min-free-mib <number>", "with less free on the disk no build begins (default: 512)", wholeFrom(0))
    .action((options: BotOptions, command: Command) => serve(options, command));
}

async function serve(options: BotOptions, command: Command): Promise<void> {
  const { dir, claimSeconds, minFreeMib, ca } = options;
  const token = wholeToken(options);
  const output = new Output(process.stdout);
  const stop = new Stop();
  try {
    const name = token.slice(0, Math.max(0, token.indexOf(":")));
    if (name === "") throw new UsageError("which bot is it? --token name:secret, or BUILDBOT_TOKEN");
    // Only here: the other commands start in half the time without it.
    const { runBot } = await import("../../bot/run-bot.ts");
    const bot = await runBot({
      server: options.server ?? process.env["BUILDBOT_URL"] ?? DEFAULT_TCP,
      token,
      dir: dir ?? join(process.cwd(), `buildbot-${name}`),
      ca: ca === undefined ? undefined : pem(ca),
      claimMs: claimSeconds === undefined ? undefined : claimSeconds * 1000,
      minFreeBytes: minFreeMib === undefined ? undefined : minFreeMib * MIB,
      env: withoutToken(process.env),
      onMessage: (message) => output.line(`${new Date().toISOString()} ${plain(message)}`),
    });
    output.line(`bot ${plain(name)} on ${plain(hostname())}; Ctrl-C ends it after its builds, a second one at once`);
    await Promise.race([bot.closed, aborted(stop.signal)]);
    if (stop.signal.aborted) await closeBy(bot, output);
    const why = await bot.closed;
    if (why !== undefined) throw why;
    process.exitCode = EXIT.done;
  } catch (thrown) {
    tellProblem(thrown, token, command.optsWithGlobals<{ debug?: boolean }>().debug === true);
  } finally {
    stop.forget();
  }
}

async function closeBy(bot: RunningBot, output: Output): Promise<void> {
  output.line("ending after the builds that run");
  const again = new Stop();
  try {
    const graceful = bot.close({ graceful: true });
    await Promise.race([graceful, aborted(again.signal)]);
    // Its builds go back, for another bot.
    if (again.signal.aborted) await bot.close();
    await graceful;
  } finally {
    again.forget();
  }
}

function wholeToken({ token = process.env["BUILDBOT_TOKEN"] ?? "", name }: BotOptions): string {
  return token === "" || token.includes(":") || name === undefined ? token : `${name}:${token}`;
}

/** What a step could print is not given to it. */
function withoutToken({ BUILDBOT_TOKEN: _token, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env;
}
