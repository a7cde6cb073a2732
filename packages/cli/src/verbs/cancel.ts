import type { CommandState } from "@rpc/db-queue";
import type { Command } from "commander";
import { runVerb, type Session } from "../session.ts";
import { eachOf } from "./each-of.ts";
import { commandIds } from "./arguments.ts";

interface CancelOptions {
  readonly reason: string;
}

export function addCancel(program: Command): void {
  program
    .command("cancel")
    .description("ends commands that wait, and asks those that run to end")
    .argument("<id...>", "of commands", commandIds)
    .option("--reason <text>", "for the handler, and for who looks", "cancelled by rpc-queue")
    .action((ids: readonly number[], options: CancelOptions, command: Command) =>
      runVerb(command, (session) => cancel(session, ids, options)),
    );
}

function cancel(session: Session, ids: readonly number[], { reason }: CancelOptions): Promise<boolean> {
  return eachOf(session, ids, async (id) => {
    const state = await session.queue.cancel(id, reason);
    if (!CANCELLED.has(state)) throw new Error(`command ${id} is ${state}: too late to cancel it`);
    return `${id} ${state === "cancelled" ? "cancelled" : "runs, and was asked to end"}`;
  });
}

const CANCELLED: ReadonlySet<CommandState> = new Set(["cancelled", "claimed", "waiting"]);
