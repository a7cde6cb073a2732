import { type Peer, RpcError } from "@rpc/core";
import {
  type CallerRights,
  type CommandRow,
  type CommandServiceHandler,
  createCommandService,
  createDbQueue,
  createPostgresStore,
  createSqliteStore,
  type DbQueue,
  type QueueStore,
  type QueueTransaction,
} from "@rpc/db-queue";
import { Bot } from "../../contracts/bot.ts";
import type { BuildRequest, CommandSummary } from "../../contracts/values.ts";
import type { Bus } from "../bus.ts";
import { listBots, pauseBot, type Store, type Tx } from "../store/index.ts";
import { botsFor } from "./bots-for.ts";
import { observedStore } from "./observed-store.ts";
import { ISSUED_BY, summaryOf } from "./summaries.ts";
import { CommandWatcher } from "./watcher.ts";

const BUTTON = "10s";
const BUILD_WISHED = "1h";
const BUILD_PUT_BACK = "10m";
const POLL = "2m";
const WIZARD = "1h";
/** Three signs of life of an agent. */
const PRESENT_MS = 45_000;
/**
 * How late it may hear of what another connection has committed, commands of the server's own transactions among it. Every commit to the file
 * makes all bots look, so not much sooner.
 */
const LOOK_MS = 50;
const ADDRESS = "software_dev.buildbot:";

/** The commands of buttons. */
export type ButtonMethod =
  | "ping"
  | "triggerMasterRequests"
  | "triggerAllReconfig"
  | "pollAllSources"
  | "pause"
  | "resume"
  | "shutdown"
  | "status";

interface NamedBot {
  readonly id: number;
  readonly name: string;
}

export interface CommandsOptions {
  readonly store: Store;
  readonly bus: Bus;
  /** The name of the bot that a peer has proved to be. */
  readonly botOf: (peer: Peer) => string | undefined;
  readonly failed?: (error: unknown) => void;
}

/** What the server tells its bots, as rows of the queue in the same database. */
export class Commands implements AsyncDisposable {
  readonly queue: DbQueue;
  /** For the listener of the bots: each may take and answer its own commands, and nothing else. */
  readonly service: CommandServiceHandler;
  readonly #store: Store;
  readonly #bus: Bus;
  readonly #queueStore: QueueStore;
  readonly #watcher: CommandWatcher;
  readonly #idByName = new Map<string, number>();
  readonly #nameByAddress = new Map<string, string>();

  private constructor({ store, bus, botOf, failed = () => undefined }: CommandsOptions) {
    const { clock, wallClock } = store;
    this.#store = store;
    this.#bus = bus;
    this.#queueStore = observedStore(openQueueStore(store), {
      claimed: () => this.#watcher.wake(),
      presenceChanged: () => bus.emit("presenceChanged", undefined),
    });
    this.#watcher = new CommandWatcher({
      store: this.#queueStore,
      clock,
      wallClock,
      changed: (row) => this.#tell(row),
      failed,
    });
    this.queue = createDbQueue(this.#queueStore, { name: "buildbot", clock });
    this.service = createCommandService(this.#queueStore, {
      rights: (peer) => this.#rightsOf(botOf(peer)),
      clock,
      onError: failed,
    });
  }

  static async open(options: CommandsOptions): Promise<Commands> {
    const commands = new Commands(options);
    try {
      await commands.#queueStore.migrate();
      for (const bot of await listBots(options.store.db)) {
        commands.know(bot);
        await commands.queue.ensureAddress(addressOf(bot.id));
      }
      await commands.#watcher.begin();
    } catch (thrown) {
      await commands.close();
      throw thrown;
    }
    return commands;
  }

  /** In the transaction that makes the bot: there is none without its mailbox. */
  async addBot(tx: Tx, bot: NamedBot): Promise<void> {
    await this.queue.inTransaction(tx.handle, (queue) => queue.ensureAddress(addressOf(bot.id)));
    this.know(bot);
  }

  /** In the transaction that removes the bot; its commands go as well. */
  async removeBot(tx: Tx, bot: NamedBot): Promise<void> {
    await this.queue.inTransaction(tx.handle, (queue) => queue.removeAddress(addressOf(bot.id)));
    this.#idByName.delete(bot.name);
  }

  /** A bot that another process may have made. */
  know({ id, name }: NamedBot): void {
    this.#idByName.set(name, id);
    this.#nameByAddress.set(addressOf(id), name);
  }

  /**
   * In the transaction that makes requests, or puts them back: tells the bots that may build them, each once. It knows of no builds that are
   * to begin without somebody to hear of them: a bot that comes later looks by itself.
   */
  async tellOfRequests(
    tx: Tx,
    requests: readonly BuildRequest[],
    { by, isPutBack = false }: { readonly by: string; readonly isPutBack?: boolean },
  ): Promise<void> {
    const pending = requests.filter(({ state }) => state === "pending");
    if (pending.length === 0) return;
    const bots = await botsFor(tx.db, new Set(pending.map(({ builder }) => builder)));
    const options = { expires: isPutBack ? BUILD_PUT_BACK : BUILD_WISHED, metadata: { [ISSUED_BY]: by } };
    await this.queue.inTransaction(tx.handle, async (queue) => {
      for (const { id } of bots) await queue.issue(addressOf(id), Bot.triggerMasterRequests, undefined, options);
    });
  }

  /** In the transaction that notes the wish to end a build. Gives the command's id; undefined: its bot is gone. */
  async stopBuild(
    tx: Tx,
    build: { readonly id: number; readonly bot: string },
    { by, reason }: { readonly by: string; readonly reason: string },
  ): Promise<number | undefined> {
    const options = { expires: WIZARD, metadata: { [ISSUED_BY]: by } };
    return this.#issue(tx, build.bot, (queue, address) =>
      queue.issue(address, Bot.stopBuild, { build: build.id, reason }, options),
    );
  }

  /** Lets a bot look at repositories. */
  async pollSources(bot: string, repositories: readonly string[], by: string): Promise<number | undefined> {
    const options = { expires: POLL, metadata: { [ISSUED_BY]: by } };
    return this.#store.transaction((tx) =>
      this.#issue(tx, bot, (queue, address) =>
        queue.issue(address, Bot.pollSources, { repositories: [...repositories] }, options),
      ),
    );
  }

  /** Lets a bot get commits that are known to be there, a thousand with each command. */
  async rescanCommits(
    bot: string,
    wanted: { readonly repository: string; readonly commits: readonly string[]; readonly branch: string },
    by: string,
  ): Promise<number[]> {
    const options = { expires: WIZARD, metadata: { [ISSUED_BY]: by } };
    const { repository, branch, commits } = wanted;
    const ids: number[] = [];
    await this.#store.transaction((tx) =>
      this.#issue(tx, bot, async (queue, address) => {
        for (let from = 0; from < commits.length; from += 1000) {
          const input = { repository, branch, commits: commits.slice(from, from + 1000) };
          ids.push(await queue.issue(address, Bot.rescanCommits, input, options));
        }
      }),
    );
    return ids;
  }

  /** A button: it expires when no bot listens. `bot: "*"`: all of them. NOT_FOUND: there is no such bot. */
  async press(button: {
    readonly bot: string;
    readonly method: ButtonMethod;
    /** Of `shutdown`. */
    readonly graceful?: boolean | undefined;
    readonly by: string;
  }): Promise<CommandSummary[]> {
    const { bot, method, graceful = true, by } = button;
    const options = { expires: BUTTON, metadata: { [ISSUED_BY]: by } };
    const ids = await this.#store.transaction(async (tx) => {
      const bots = (await listBots(tx.db)).filter(({ name }) => bot === "*" || bot === name);
      if (bots.length === 0 && bot !== "*") throw noBot(bot);
      if (method === "pause" || method === "resume") {
        for (const { id } of bots) await pauseBot(tx.db, id, method === "pause");
      }
      return this.queue.inTransaction(tx.handle, async (queue) => {
        const issued: number[] = [];
        for (const each of bots) {
          this.know(each);
          const address = addressOf(each.id);
          issued.push(
            method === "shutdown"
              ? await queue.issue(address, Bot.shutdown, { graceful }, options)
              : await queue.send(address, method, [], {}, options),
          );
        }
        return issued;
      });
    });
    const rows = await this.#queueStore.read(ids);
    const summaries = rows.filter((row) => row !== undefined).map((row) => this.#summaryOf(row));
    if (method === "pause" || method === "resume") {
      for (const summary of summaries) this.#bus.emit("botChanged", summary.bot);
    }
    return summaries;
  }

  /** Newest first. NOT_FOUND: there is no such bot. */
  async list(filter: {
    readonly bot?: string | undefined;
    readonly before?: number | undefined;
    readonly limit: number;
  }): Promise<CommandSummary[]> {
    const { bot, before: beforeId, limit } = filter;
    const id = bot === undefined ? undefined : this.#idByName.get(bot);
    if (bot !== undefined && id === undefined) throw noBot(bot);
    const address = id === undefined ? undefined : addressOf(id);
    return (await this.#queueStore.list({ address, beforeId, limit })).map((row) => this.#summaryOf(row));
  }

  /** One that waits ends at once, one that runs is asked to; NOT_FOUND. */
  async cancel(id: number, by: string): Promise<CommandSummary> {
    await this.queue.cancel(id, `cancelled by ${by}`);
    const [row] = await this.#queueStore.read([id]);
    if (row === undefined) throw new RpcError("NOT_FOUND", `there is no command ${id} (any more)`);
    return this.#summaryOf(row);
  }

  /** Names of the bots that listen now, and how long ago each was heard. */
  async present(): Promise<Map<string, number>> {
    const present = new Map<string, number>();
    for (const { address, unseenMs } of await this.#queueStore.listAgents()) {
      const name = this.#nameByAddress.get(address);
      if (name === undefined || unseenMs > PRESENT_MS) continue;
      present.set(name, Math.min(unseenMs, present.get(name) ?? unseenMs));
    }
    return present;
  }

  async close(): Promise<void> {
    await this.service.close();
    await this.#watcher.close();
    await this.queue.close();
    await this.#queueStore.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #issue<T>(
    tx: Tx,
    bot: string,
    run: (queue: QueueTransaction, address: string) => Promise<T>,
  ): Promise<T | undefined> {
    const row = (await listBots(tx.db)).find(({ name }) => name === bot);
    if (row === undefined) return undefined;
    this.know(row);
    return this.queue.inTransaction(tx.handle, (queue) => run(queue, addressOf(row.id)));
  }

  #rightsOf(bot: string | undefined): CallerRights | undefined {
    const id = bot === undefined ? undefined : this.#idByName.get(bot);
    return id === undefined ? undefined : { serve: [addressOf(id)] };
  }

  #tell(row: CommandRow): void {
    this.#bus.emit("commandChanged", this.#summaryOf(row));
  }

  #summaryOf(row: CommandRow): CommandSummary {
    return summaryOf(row, this.#nameByAddress.get(row.address) ?? row.address);
  }
}

/** Where the commands of a bot wait. */
export function addressOf(bot: number): string {
  return `${ADDRESS}${bot}`;
}

function openQueueStore({ kind, place, clock, wallClock }: Store): QueueStore {
  if (kind === "postgres") return createPostgresStore({ connection: place, clock });
  return createSqliteStore({ file: place, pollIntervalMs: LOOK_MS, clock, wallClock });
}

function noBot(name: string): RpcError {
  return new RpcError("NOT_FOUND", `there is no bot ${JSON.stringify(name.slice(0, 100))}`);
}
