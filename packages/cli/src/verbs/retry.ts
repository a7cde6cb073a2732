import type { SendOptions } from "@rpc/db-queue";
import type { Command } from "commander";
import { runVerb, type Session } from "../session.ts";
import { commandIds, span, wholeNumber } from "./arguments.ts";
import { eachOf } from "./each-of.ts";

type RetryOptions = Pick<SendOptions, "expires" | "delay" | "maxAttempts">;

export function addRetry(program: Command): void {
  program
    .command("retry")
    .description("sends failed, expired or cancelled commands once more, as new ones")
    .argument("<id...>", "of commands", commandIds)
    .option("--expires <time>", "start no later (default: as long as the first one had)", span)
    .option("--delay <time>", "start no sooner", span)
    .option("--max-attempts <count>", "tries, the first one included", wholeNumber(1, 32_767))
    .action((ids: readonly number[], options: RetryOptions, command: Command) =>
      runVerb(command, (session) => retry(session, ids, options)),
    );
}

function retry(session: Session, ids: readonly number[], options: RetryOptions): Promise<boolean> {
  const arrow = session.output.isTerminal ? " → " : "\t";
  return eachOf(session, ids, async (id) => `${id}${arrow}${await session.queue.retry(id, options)}`);
}
