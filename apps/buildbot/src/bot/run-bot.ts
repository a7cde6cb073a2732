import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { Bot } from "./bot.ts";
import { type BotOptions, botSettings } from "./bot-options.ts";
import { KeptBuilds } from "./build/kept-builds.ts";
import { emptyFolder, lockFolder } from "./disk.ts";
import { ProcessGroups } from "./step/process-groups.ts";

export interface RunningBot {
  /** Tells this process from one before or after it. */
  readonly incarnation: string;
  /** Settles when the bot has ended: with undefined when it was told to, else with why. Never rejects. */
  readonly closed: Promise<RpcError | undefined>;
  /** Begins no more builds, and ends. `graceful`: after those that run; otherwise they go back to wait for another bot. Default: false. */
  close(options?: { readonly graceful?: boolean }): Promise<void>;
}

/**
 * Starts a bot. It needs no server to start, nor to go on: it waits for it. `closed` gives
 * UNAUTHENTICATED when the first server that it reaches does not take its token. Rejects INVALID_ARGUMENT for a token of another form, and
 * FAILED_PRECONDITION when another bot works in its folder, and on Windows.
 */
export async function runBot(options: BotOptions): Promise<RunningBot> {
  if (process.platform === "win32") {
    throw new RpcError(
      "FAILED_PRECONDITION",
      "bots run on Linux and macOS: elsewhere a step's processes cannot be ended as a group",
    );
  }
  const settings = botSettings(options);
  const folders = {
    mirrors: join(settings.dir, "mirrors"),
    work: join(settings.dir, "work"),
    spool: join(settings.dir, "spool"),
  };
  await mkdir(settings.dir, { recursive: true, mode: 0o700 });
  const unlock = await lockFolder(settings.dir);
  let groups: ProcessGroups;
  let kept: KeptBuilds;
  try {
    // What a bot that was killed has left would go on in trees and mirrors that are not its own any more.
    groups = new ProcessGroups(join(settings.dir, "processes"));
    const former = await groups.endFormer(settings.clock);
    if (former.length > 0)
      settings.say(`ended what a killed bot had left running: process groups ${former.join(", ")}`);
    for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true });
    kept = await KeptBuilds.find(folders.spool, settings.name);
    kept.letBe(undefined, settings.say);
    // Those that had not ended in the life before this one are given to others.
    const isKept = (name: string): boolean => kept.has(name);
    const stuck = [...(await emptyFolder(folders.work)), ...(await emptyFolder(folders.spool, isKept))];
    for (const path of stuck) settings.say(`${path} cannot be removed`);
  } catch (error) {
    await unlock();
    throw error;
  }
  const bot = new Bot(settings, folders, groups, kept);
  const closed = bot.run().finally(unlock);
  return {
    incarnation: settings.incarnation,
    closed,
    close: async ({ graceful = false } = {}) => {
      bot.shutDown(graceful);
      await closed;
    },
  };
}
