import { createRouter, type Handler, type HandlerContext, type ImplementationOf, type Peer, RpcError } from "@rpc/core";
import { Desk } from "../../contracts/bot.ts";
import { type BuildSummary, MOST_STEPS, type TestResult } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import { type Artefacts } from "../artefacts/index.ts";
import type { Bus } from "../bus.ts";
import { addressOf, type Commands } from "../commands/index.ts";
import type { LogPiece, Logs } from "../logs/index.ts";
import {
  addCommits,
  addTests,
  beginBuild,
  beginStep,
  type BotRow,
  claimRequests,
  endStep,
  findBot,
  finishBuild,
  getBuildSummary,
  greetBot,
  listRepositories,
  listSteps,
  loseBuilds,
  seeBot,
  serverId,
  setLogSize,
  setPolled,
  setProperties,
  type Store,
  type Tx,
  whyLost,
} from "../store/index.ts";
import { BotClocks } from "./bot-clocks.ts";
import { requestRebuild } from "./rebuild.ts";
import { tellChanged } from "./tell-changed.ts";
import { receiveArtefact, receivePart, type Upload } from "./uploads.ts";

/** A bot is noted as seen no more often. */
const SEEN_MS = 10_000;
/** A log's size is written into the table no more often while it grows. */
const SIZE_MS = 1_000;
const MOST_APPENDED_CHARS = 1024 * 1024;
const MOST_PROPERTIES = 500;
const HASH = /^[0-9a-f]{40,64}$/;

export interface DeskOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly logs: Logs;
  readonly artefacts: Artefacts;
  readonly commands: Commands;
  /** The name of the bot that a peer has proved to be. */
  readonly botOf: (peer: Peer) => string | undefined;
}

interface Writer {
  readonly build: number;
  readonly incarnation: string;
}

/** What bots ask and tell. Whose word counts for a build is asked in the transaction that writes it. */
export function createDesk(options: DeskOptions): Handler {
  return createRouter(Desk, new BotsDesk(options).implementation);
}

const DONE = {};

class BotsDesk {
  readonly #options: DeskOptions;
  readonly #seenAt = new Map<number, number>();
  readonly #sizeAt = new Map<string, number>();
  readonly #clocks = new BotClocks();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  readonly implementation: ImplementationOf<typeof Desk> = {
    hello: (input, context) => this.#hello(input, context),
    claim: async ({ incarnation, max }, context) => {
      const { store, bus } = this.#options;
      const bot = await this.#botOf(context);
      const at = store.wallClock();
      const claim = await store.transaction((tx) =>
        claimRequests(store.kind, tx, { bot: bot.id, incarnation, max, at }),
      );
      tellChanged(bus, claim);
      if (claim.builds.length > 0) bus.emit("botChanged", bot.name);
      return claim.orders;
    },
    began: async ({ revision, subject, author, ...writer }, context) => {
      const found = { revision: cut(revision, 200), subject: cut(subject, 1000), author: cut(author, 200) };
      await this.#write(context, writer, (tx, build) => beginBuild(tx.db, build.id, found));
      return DONE;
    },
    stepBegan: async ({ seq, name, at, ...writer }, context) => {
      checkStep(seq);
      await this.#write(context, writer, async (tx, build) => {
        const step = { build: build.id, seq, name: cut(name, 200), at: this.#instant(build, at) };
        return (await beginStep(tx.db, step)) ? getBuildSummary(tx.db, build.id) : undefined;
      });
      return DONE;
    },
    stepEnded: async ({ seq, at, results, exitCode, summary, ...writer }, context) => {
      checkStep(seq);
      const { logs } = this.#options;
      const size = await logs.size(writer.build, seq);
      await this.#write(context, writer, async (tx, build) => {
        const { id } = build;
        await setLogSize(tx.db, { build: id, seq, ...size });
        const ended = { build: id, seq, at: this.#instant(build, at), results, exitCode, summary };
        return (await endStep(tx.db, ended)) ? getBuildSummary(tx.db, id) : undefined;
      });
      this.#sizeAt.delete(`${writer.build} ${seq}`);
      await logs.end(writer.build, seq);
      return DONE;
    },
    appendLog: (input, context) => this.#appendLog(input, context),
    addTests: async ({ part, tests, ...writer }, context) => {
      await this.#write(context, writer, async (tx, build) => {
        await addTests(tx.db, build.id, { part, tests: tests.map(shortenedTest) });
        return undefined;
      });
      return DONE;
    },
    setProperties: async ({ properties, ...writer }, context) => {
      if (Object.keys(properties).length > MOST_PROPERTIES) {
        throw new RpcError("INVALID_ARGUMENT", `a build has at most ${MOST_PROPERTIES} properties`);
      }
      await this.#write(context, writer, async (tx, build) => {
        await setProperties(tx.db, build.id, properties);
        return undefined;
      });
      return DONE;
    },
    finished: (input, context) => this.#finished(input, context),
    uploadArtefact: async (uploads: AsyncIterable<Upload>, context) => {
      await receiveArtefact({ ...this.#keeping(context), uploads });
      return DONE;
    },
    appendArtefact: async (part, context) => ({ size: await receivePart(this.#keeping(context), part) }),
    rebuild: async ({ build }, context) => {
      const { store, bus, commands } = this.#options;
      const bot = await this.#botOf(context);
      const { request, isNew } = await store.transaction(async (tx) => {
        const made = await requestRebuild(tx, build, { by: bot.name, at: store.wallClock() });
        if (made.isNew) await commands.tellOfRequests(tx, [made.request], { by: bot.name });
        return made;
      });
      if (isNew) bus.emit("queueChanged", request);
      return { request: request.id };
    },
    addCommits: async ({ repository, commits, problem }, context) => {
      const { store, bus } = this.#options;
      await this.#botOf(context);
      const odd = commits.find(({ hash }) => !HASH.test(hash));
      if (odd !== undefined) {
        throw new RpcError("INVALID_ARGUMENT", `${JSON.stringify(odd.hash.slice(0, 100))} is no commit's hash`);
      }
      const at = store.wallClock();
      const added = await store.transaction(async (tx) => {
        const short = commits.map((commit) => ({
          ...commit,
          author: cut(commit.author, 200),
          subject: cut(commit.subject, 1000),
        }));
        const fresh = await addCommits(tx, { repository, commits: short, at });
        if (fresh !== undefined) await setPolled(tx.db, { repository, at, problem });
        return fresh;
      });
      if (added === undefined) {
        throw new RpcError("NOT_FOUND", `there is no repository ${JSON.stringify(repository.slice(0, 100))}`);
      }
      if (added.length > 0) bus.emit("commitsAdded", added);
      return { added: added.length };
    },
    repositories: async (_input, context) => {
      await this.#botOf(context);
      const rows = await listRepositories(this.#options.store.db);
      return rows.map(({ name, url, branches, heads }) => ({ name, url, branches, heads }));
    },
  };

  async #hello(
    hello: { incarnation: string; about: Record<string, string>; running: number[]; kept: readonly Writer[] },
    context: HandlerContext,
  ) {
    const { store, bus, commands, logs } = this.#options;
    const { incarnation, about, running, kept } = hello;
    const { name } = await this.#botOf(context);
    const at = store.wallClock();
    const server = await serverId(store.db);
    const { bot, lost, changed } = await store.transaction(async (tx) => {
      const bot = await findBot(tx.db, name);
      if (bot === undefined) throw noBot(name);
      if (await wasReplaced(tx, bot, incarnation)) {
        throw new RpcError("FAILED_PRECONDITION", `${name} has been replaced by ${bot.incarnation}: end`, {
          reason: "FENCED",
        });
      }
      await greetBot(tx.db, bot.id, { incarnation, about: shortened(about), at });
      const changed = await loseBuilds(store.kind, tx, {
        bot: name,
        incarnation,
        but: kept,
        why: `${name} was started anew`,
        at,
      });
      await commands.tellOfRequests(tx, changed.requests, { by: "server", isPutBack: true });
      const lost: number[] = [];
      for (const build of new Set(running)) {
        if ((await whyLost(store.kind, tx, { build, bot: name, incarnation })) !== undefined) lost.push(build);
      }
      return { bot, lost, changed };
    });
    this.#seenAt.set(bot.id, at);
    commands.know(bot);
    tellChanged(bus, changed);
    bus.emit("botChanged", name);
    for (const { id } of changed.builds) await logs.endAll(id);
    return { name, server, address: addressOf(bot.id), maxBuilds: bot.maxBuilds, paused: bot.paused, lost };
  }

  async #appendLog(
    { seq, offset, pieces, ...writer }: Writer & { seq: number; offset: number; pieces: LogPiece[] },
    context: HandlerContext,
  ) {
    checkStep(seq);
    if (pieces.reduce((sum, { text }) => sum + text.length, 0) > MOST_APPENDED_CHARS) {
      const message = `more than ${MOST_APPENDED_CHARS} characters of a log in one call: send them in several`;
      throw new RpcError("INVALID_ARGUMENT", message);
    }
    const { store, bus, logs } = this.#options;
    const { build } = writer;
    let isOver = true;
    await this.#write(context, writer, () => {
      isOver = false;
      return Promise.resolve(undefined);
    });
    const before = await logs.size(build, seq);
    // What has ended grows no more, and says what it has.
    if (isOver) return { size: before.bytes };
    const size = await logs.append(build, seq, offset, pieces);
    if (size.bytes > before.bytes) {
      const key = `${build} ${seq}`;
      const now = store.wallClock();
      if (now - (this.#sizeAt.get(key) ?? 0) >= SIZE_MS) {
        this.#sizeAt.set(key, now);
        await setLogSize(store.db, { build, seq, ...size });
      }
      bus.emit("logGrew", { build, step: seq, ...size });
    }
    return { size: size.bytes };
  }

  /** For artefacts, which only a build that runs may have. */
  #keeping(context: HandlerContext): Parameters<typeof receivePart>[0] {
    const { store, artefacts } = this.#options;
    const keep = (writer: Writer, add: (tx: Tx) => Promise<void>): Promise<void> =>
      this.#write(context, writer, (tx) => add(tx).then(() => undefined), "must run");
    return { store, artefacts, check: (writer) => keep(writer, () => Promise.resolve()), keep, at: store.wallClock() };
  }

  async #finished(
    {
      at,
      results,
      summary,
      ...writer
    }: Writer & { at: number; results: BuildSummary["results"] & string; summary: string },
    context: HandlerContext,
  ) {
    const { store, bus, commands, logs, artefacts } = this.#options;
    const { build } = writer;
    const bot = await this.#botOf(context);
    const steps = await listSteps(store.db, build);
    const sizes = await Promise.all(steps.map(async ({ seq }) => ({ build, seq, ...(await logs.size(build, seq)) })));
    const changed = await store.transaction(async (tx) => {
      await this.#mustBeIts(tx, bot, writer);
      for (const size of sizes) await setLogSize(tx.db, size);
      const running = await getBuildSummary(tx.db, build);
      const end = { build, at: running === undefined ? at : this.#instant(running, at), results, summary };
      const ended = await finishBuild(tx, end);
      await commands.tellOfRequests(tx, ended.requests, { by: "server", isPutBack: results === "retry" });
      return ended;
    });
    for (const { seq } of steps) this.#sizeAt.delete(`${build} ${seq}`);
    tellChanged(bus, changed);
    if (changed.builds.length > 0) bus.emit("botChanged", bot.name);
    await artefacts.dropParts(build);
    await logs.endAll(build);
    return DONE;
  }

  /**
   * Runs what writes for a build, in a transaction, when it is its writer's still, and tells what that gives. What is said again of a build that
   * has ended changes nothing; `must run` refuses it.
   */
  async #write(
    context: HandlerContext,
    writer: Writer,
    run: (tx: Tx, build: BuildSummary) => Promise<BuildSummary | undefined>,
    ended: "is nothing" | "must run" = "is nothing",
  ): Promise<void> {
    const { store, bus } = this.#options;
    const bot = await this.#botOf(context);
    const changed = await store.transaction(async (tx) => {
      await this.#mustBeIts(tx, bot, writer);
      const build = await getBuildSummary(tx.db, writer.build);
      if (build?.state === "running") return run(tx, build);
      if (ended === "must run") throw buildLost(writer.build, "it has ended");
      return undefined;
    });
    if (changed !== undefined) bus.emit("buildChanged", changed);
  }

  #instant({ bot, startedAt }: BuildSummary, at: number): number {
    return this.#clocks.instant(bot, at, { from: startedAt, to: this.#options.store.wallClock() });
  }

  async #mustBeIts(tx: Tx, bot: BotRow, { build, incarnation }: Writer): Promise<void> {
    const why = await whyLost(this.#options.store.kind, tx, { build, bot: bot.name, incarnation });
    if (why !== undefined) throw buildLost(build, why);
  }

  /** Who calls; it was seen. PERMISSION_DENIED: no bot. NOT_FOUND: it has been removed. */
  async #botOf({ peer }: HandlerContext): Promise<BotRow> {
    const { store, botOf } = this.#options;
    const name = botOf(peer);
    if (name === undefined) throw new RpcError("PERMISSION_DENIED", "only bots may call this", { reason: "NO_BOT" });
    const bot = await findBot(store.db, name);
    if (bot === undefined) throw noBot(name);
    const now = store.wallClock();
    if (now - (this.#seenAt.get(bot.id) ?? Number.NEGATIVE_INFINITY) >= SEEN_MS) {
      this.#seenAt.set(bot.id, now);
      await seeBot(store.db, bot.id, now);
    }
    return bot;
  }
}

/** It has had builds, and then another incarnation has come. */
async function wasReplaced({ db }: Tx, bot: BotRow, incarnation: string): Promise<boolean> {
  if (bot.incarnation === null || bot.incarnation === incarnation) return false;
  const build = await db
    .selectFrom("builds")
    .select("id")
    .where("bot", "=", bot.name)
    .where("incarnation", "=", incarnation)
    .limit(1)
    .executeTakeFirst();
  return build !== undefined;
}

function buildLost(build: number, why: string): RpcError {
  return Desk.began.error("BuildLost", { build, why }, { message: `build ${build}: ${why}` });
}

function noBot(name: string): RpcError {
  return new RpcError("NOT_FOUND", `there is no bot ${JSON.stringify(name)} (any more)`, { reason: "NO_BOT" });
}

function checkStep(seq: number): void {
  if (seq >= MOST_STEPS) throw new RpcError("INVALID_ARGUMENT", `a build has at most ${MOST_STEPS} steps`);
}

/** As bots do themselves: what is shown together is to fit into one message. */
function shortenedTest({ suite, name, message, ...test }: TestResult): TestResult {
  const told = message === undefined ? {} : { message: cut(message, 10_000) };
  return { ...test, suite: cut(suite, 500), name: cut(name, 500), ...told };
}

function shortened(about: Record<string, string>): Record<string, string> {
  const entries = Object.entries(about).slice(0, 50);
  return Object.fromEntries(entries.map(([name, value]) => [cut(name, 100), cut(value, 500)]));
}
