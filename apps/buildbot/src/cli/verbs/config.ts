import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { Settings } from "../../contracts/page.ts";
import { withConnection } from "../connection.ts";
import { EXIT, UsageError, warn } from "../problems.ts";
import { plain } from "../text.ts";
import { runVerb, type Session } from "../verb.ts";

interface Problem {
  readonly line?: number | undefined;
  readonly message: string;
}

export function addConfig(program: Command): void {
  const config = program.command("config").description("what is built, from where, and when (needs an admin's token)");
  withConnection(config.command("get"))
    .description("prints it, as YAML")
    .action((_options: object, command: Command) =>
      runVerb(command, async ({ settings, output }) => {
        output.write((await settings.get()).text);
        return EXIT.done;
      }),
    );
  withConnection(config.command("check"))
    .description("says what is wrong with a file, and what it would change; changes nothing")
    .argument("<file>", "YAML; - for standard input")
    .action((file: string, _options: object, command: Command) => runVerb(command, (session) => check(session, file)));
  withConnection(config.command("save"))
    .description("puts a file in the configuration's place; running builds go on as they began")
    .argument("<file>", "YAML; - for standard input")
    .option("--note <text>", "why, for the history", "")
    .option("--version-was <number>", "refuse when it has been changed since this version")
    .action((file: string, options: { note: string; versionWas?: string }, command: Command) =>
      runVerb(command, (session) => save(session, file, options)),
    );
}

async function check({ settings, output }: Session, file: string): Promise<number> {
  const { problems, diff } = await settings.preview({ text: await textOf(file) });
  tellProblems(file, problems);
  for (const line of diff === "" ? [] : diff.trimEnd().split("\n")) {
    const style = line.startsWith("+") ? "green" : line.startsWith("-") ? "red" : "dim";
    output.line(output.styled(plain(line), style));
  }
  if (diff === "") output.line("nothing would change");
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

async function save(
  { settings, output }: Session,
  file: string,
  { note, versionWas }: { readonly note: string; readonly versionWas?: string },
): Promise<number> {
  const text = await textOf(file);
  const version = versionWas === undefined ? (await settings.get()).version : Number(versionWas);
  if (!Number.isSafeInteger(version)) throw new UsageError("--version-was takes a number");
  try {
    output.line(`saved as version ${(await settings.save({ text, version, note })).version}`);
    return EXIT.done;
  } catch (thrown) {
    if (Settings.save.isError(thrown, "Invalid")) tellProblems(file, thrown.details.problems);
    else if (Settings.save.isError(thrown, "Stale")) {
      warn(
        `${thrown.details.author} has saved version ${thrown.details.version} since; look at it by \`buildbot config get\``,
      );
    } else throw thrown;
    return EXIT.failed;
  }
}

function tellProblems(file: string, problems: readonly Problem[]): void {
  for (const { line, message } of problems) warn(`${file}${line === undefined ? "" : `:${line}`}: ${message}`);
}

async function textOf(file: string): Promise<string> {
  try {
    if (file !== "-") return await readFile(file, "utf8");
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  } catch (thrown) {
    throw new UsageError(`${file} cannot be read: ${(thrown as Error).message}`);
  }
}
