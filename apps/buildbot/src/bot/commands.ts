import { createRouter, type Handler, RpcError } from "@rpc/core";
import { CommandFailure } from "@rpc/db-queue";
import { Bot } from "../contracts/bot.ts";
import type { BuildRunner } from "./build/build-runner.ts";
import type { PatientDesk } from "./desk/patient-desk.ts";
import type { Polling } from "./polling.ts";

/** What commands may do with the bot. */
export interface Commanded {
  readonly desk: PatientDesk;
  readonly polling: Polling;
  readonly about: Readonly<Record<string, string>>;
  readonly running: ReadonlyMap<number, BuildRunner>;
  isPaused: boolean;
  /** Asks for builds now. */
  wake(): void;
  /** False: it does not run here (yet). */
  stop(build: number, reason: string): boolean;
  /** Says hello anew, and learns what the server thinks of it. */
  greet(): Promise<void>;
  /** Begins to end. */
  shutDown(graceful: boolean): void;
  readonly say: (message: string) => void;
}

const REBUILD_TRIES = 3;

/** The rows of the bot's address come here. */
export function commandRouter(bot: Commanded): Handler {
  return createRouter(Bot, {
    ping: () => "pong" as const,
    triggerMasterRequests: () => {
      bot.wake();
      return {};
    },
    triggerAllReconfig: async () => {
      // Nothing of the configuration is kept but what hello gives: each order brings its own.
      await bot.greet();
      bot.wake();
      return {};
    },
    pollAllSources: async (_input, { signal }) => ({ commits: await bot.polling.poll(undefined, { signal }) }),
    pollSources: async ({ repositories }, { signal }) => ({
      commits: await bot.polling.poll(repositories, { signal }),
    }),
    rescanCommits: async (wanted, { signal }) => ({ commits: await bot.polling.rescan(wanted, { signal }) }),
    stopBuild: ({ build, reason }) => {
      bot.say(`build ${build} is to be stopped: ${reason}`);
      return { stopped: bot.stop(build, reason === "" ? "stopped" : reason) };
    },
    rebuild: async ({ build }, { signal }) => {
      try {
        const ask = { signal, maxTries: REBUILD_TRIES };
        return await bot.desk.ask("rebuild", (desk, options) => desk.rebuild({ build }, options), ask);
      } catch (error) {
        throw new CommandFailure("Not built again", RpcError.from(error).message);
      }
    },
    pause: () => {
      bot.isPaused = true;
      bot.say("paused: no more builds begin");
      return {};
    },
    resume: () => {
      bot.isPaused = false;
      bot.say("builds begin again");
      bot.wake();
      return {};
    },
    shutdown: ({ graceful }) => {
      bot.shutDown(graceful);
      return {};
    },
    status: () => ({
      paused: bot.isPaused,
      running: [...bot.running.values()].map(({ order, step }) => ({
        build: order.build,
        builder: order.request.builder,
        step,
      })),
      about: { ...bot.about },
    }),
  });
}
