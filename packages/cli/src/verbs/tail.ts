import type { Command } from "commander";
import { mustBeThere } from "../addresses.ts";
import { problemLine } from "../problems.ts";
import { runVerb, type Session } from "../session.ts";
import { Feed } from "../tail/feed.ts";
import { entryJson, entryLine, entryTabs } from "../tail/lines.ts";
import { commandId, wholeNumber } from "./arguments.ts";

interface TailOptions {
  readonly address?: string;
  readonly last: number;
  readonly json?: boolean;
}

export function addTail(program: Command): void {
  program
    .command("tail")
    .description("what happens, as it happens: new commands, states, log and progress; Ctrl-C ends it")
    .argument("[address|id]", "of this address, or of this one command until it ends")
    .option("--address <name>", "of this address, which may be a number")
    .option("--last <count>", "so many that are there already, first", wholeNumber(0, 1000), 10)
    .option("--json", "a JSON object a line")
    .action((which: string | undefined, options: TailOptions, command: Command) =>
      runVerb(command, (session) => tail(session, which, options)),
    );
}

async function tail(session: Session, which: string | undefined, options: TailOptions): Promise<void> {
  const { store, output, warn } = session;
  const isId = which !== undefined && /^\d+$/.test(which);
  const address = options.address ?? (isId ? undefined : which);
  await mustBeThere(store, address);
  const id = isId ? commandId(which) : undefined;
  const feed = new Feed(store, {
    address,
    id,
    last: options.last,
    tell: (entries) => {
      for (const entry of entries) {
        if (options.json === true) output.line(entryJson(entry));
        else
          output.line(
            output.isTerminal ? entryLine(output, entry, address === undefined && id === undefined) : entryTabs(entry),
          );
      }
    },
    away: (error) =>
      warn(error === undefined ? "the database is back" : `${problemLine(error, undefined)}; tries again`),
    cut: () => warn("more new commands at once than are read: the oldest of them are left out"),
    signal: session.stopped(),
  });
  await feed.run();
}
