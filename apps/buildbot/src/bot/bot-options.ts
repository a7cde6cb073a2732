import { hostname } from "node:os";
import { type Clock, RpcError, systemClock } from "@rpc/core";
import type { Environment } from "./build/interpolate.ts";
import { type Line, lineTo } from "./line.ts";

export interface BotOptions {
  /**
   * `tcp://host:port`, `tcps://host:port`; the page's address where only HTTP gets through: `wss://host`, or `https://host` where not even
   * WebSockets do. Of several the first one that is there.
   */
  readonly server: string | readonly string[];
  /** As the server has printed it: the bot's name and its secret, with a colon between. */
  readonly token: string;
  /** Where mirrors, work trees and logs that wait are kept. One bot per folder. */
  readonly dir: string;
  /** PEM of who has signed the server's certificate, when no public authority has. */
  readonly ca?: Buffer | undefined;
  /** What may wait for a server that is away, of one step's log. Then the step waits. Default: 256 MiB. */
  readonly maxUnsentBytes?: number | undefined;
  /** With less free where `dir` is, no build begins. Default: 512 MiB. */
  readonly minFreeBytes?: number | undefined;
  /** Mirrors that nobody has used for so long are removed. Default: 30 days. */
  readonly keepMirrorsMs?: number | undefined;
  /** How often it asks for builds without having been told to. Default: 30,000. */
  readonly claimMs?: number | undefined;
  /** Where `${VAR}` of the configuration and the values of secrets come from. Default: the process's. */
  readonly env?: Environment | undefined;
  /** What goes on, for a person. Default: dropped. */
  readonly onMessage?: ((message: string) => void) | undefined;
  /** Default: to `server`, with the token's secret. */
  readonly line?: Line | undefined;
  readonly clock?: Clock | undefined;
  /** Milliseconds since 1970. */
  readonly wallClock?: (() => number) | undefined;
  /** From 0 to below 1. */
  readonly random?: (() => number) | undefined;
}

export interface BotSettings {
  readonly server: string;
  /** The bot's name, as its token has it. */
  readonly name: string;
  readonly dir: string;
  readonly line: Line;
  /** What no log may show. */
  readonly secrets: readonly string[];
  readonly maxUnsentBytes: number;
  readonly minFreeBytes: number;
  readonly keepMirrorsMs: number;
  readonly claimMs: number;
  readonly env: Environment;
  readonly say: (message: string) => void;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly random: () => number;
  readonly incarnation: string;
}

/** In its `dir`. */
export interface BotFolders {
  readonly mirrors: string;
  readonly work: string;
  /** What is to be told of builds. */
  readonly spool: string;
}

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

/** Throws INVALID_ARGUMENT. */
export function botSettings(options: BotOptions): BotSettings {
  const { token, onMessage, random = Math.random, clock = systemClock } = options;
  const colon = token.indexOf(":");
  const identity = token.slice(0, Math.max(0, colon));
  const secret = token.slice(colon + 1);
  if (identity === "" || secret === "") {
    throw new RpcError(
      "INVALID_ARGUMENT",
      "the token has the form name:secret; the server prints it when the bot is added",
    );
  }
  const servers = typeof options.server === "string" ? [options.server] : options.server;
  const id = Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, "0");
  return {
    server: servers.join(" or "),
    name: identity,
    dir: options.dir,
    line: options.line ?? lineTo(servers, { identity, secret, ca: options.ca, clock, random }),
    secrets: [token, secret],
    maxUnsentBytes: options.maxUnsentBytes ?? 256 * MIB,
    minFreeBytes: options.minFreeBytes ?? 512 * MIB,
    keepMirrorsMs: options.keepMirrorsMs ?? 30 * DAY_MS,
    claimMs: options.claimMs ?? 30_000,
    env: options.env ?? process.env,
    say: (message) => {
      try {
        onMessage?.(message);
      } catch {
        // Whoever listens is not to end the bot.
      }
    },
    clock,
    wallClock: options.wallClock ?? Date.now,
    random,
    incarnation: `${hostname().slice(0, 100)}-${process.pid}-${id}`,
  };
}
