import type { CommandSummary } from "../../../src/contracts/values.ts";
import { bots } from "../rpc/connection.ts";
import { commandFeed, useFeed } from "../rpc/live.ts";
import { type Loaded, useLoaded } from "./use-loaded.ts";

/** Rows of the command queue, newest first, each with what has become of it by now. */
export function useCommands(limit: number): Loaded<readonly CommandSummary[]> {
  const loaded = useLoaded<readonly CommandSummary[]>(`commands ${limit}`, (signal) =>
    bots.commands({ limit }, { signal }),
  );
  useFeed(commandFeed, (command) => loaded.set((all) => withCommand(all, command)));
  return loaded;
}

function withCommand(all: readonly CommandSummary[], command: CommandSummary): readonly CommandSummary[] {
  const at = all.findIndex(({ id }) => id === command.id);
  return at >= 0 ? all.with(at, command) : [command, ...all].sort((a, b) => b.id - a.id);
}
