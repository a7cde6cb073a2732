import { arch, cpus, hostname, release, totalmem, type } from "node:os";
import { type Handler, RpcError } from "@rpc/core";
import { createRemoteStore, serveDbQueue } from "@rpc/db-queue";
import type { BuildOrder } from "../contracts/bot.ts";
import type { BotSettings } from "./bot-options.ts";
import { BuildRunner } from "./build/build-runner.ts";
import type { BuildSettings } from "./build/build-settings.ts";
import { type Commanded, commandRouter } from "./commands.ts";
import { PatientDesk } from "./desk/patient-desk.ts";
import { emptyFolder, freeBytes } from "./disk.ts";
import { git } from "./git/git.ts";
import { Mirrors } from "./git/mirror.ts";
import { Polling } from "./polling.ts";

const COMMANDS_AT_ONCE = 8;
const PAUSE_MS = 5_000;
const SOON_MS = 1_000;
const LOOK_MS = 10_000;
const DRAIN_MS = 3_000;
const SHUT_DOWN = "its bot was shut down";
const CLEAN_MS = 3_600_000;
/** What a bot that is not to wait for its builds gives them to end and to be told. */
const CLOSE_MS = 20_000;

interface Folders {
  readonly mirrors: string;
  readonly work: string;
  readonly spool: string;
}

/** Greets the server, takes commands, claims builds and runs them, until it is told to end. */
export class Bot implements Commanded {
  readonly desk: PatientDesk;
  readonly polling: Polling;
  readonly about: Record<string, string>;
  readonly running = new Map<number, BuildRunner>();
  readonly say: (message: string) => void;
  isPaused = false;
  readonly #settings: BotSettings;
  readonly #folders: Folders;
  readonly #builds: BuildSettings;
  readonly #mirrors: Mirrors;
  /** Ends all waiting for the server. */
  readonly #over = new AbortController();
  /** Ends the claims. */
  readonly #ending = new AbortController();
  readonly #ended = new Set<number>();
  #greeted: { readonly name: string; readonly address: string } | undefined;
  #greeting: Promise<void> | undefined;
  #maxBuilds = 1;
  #isWoken = false;
  #wake: (() => void) | undefined;
  #isDiskFull = false;
  #fate: RpcError | undefined;
  #closeTimer: unknown;

  constructor(settings: BotSettings, folders: Folders) {
    const { transport, clock, random, env, say } = settings;
    this.say = say;
    this.#settings = settings;
    this.#folders = folders;
    this.desk = new PatientDesk({ transport, clock, random, signal: this.#over.signal, onTrouble: say });
    this.#mirrors = new Mirrors(folders.mirrors, { clock, env });
    this.polling = new Polling({ desk: this.desk, mirrors: this.#mirrors, git: { clock, env } });
    this.about = aboutHere();
    this.#builds = {
      desk: this.desk,
      mirrors: this.#mirrors,
      workFolder: folders.work,
      spoolFolder: folders.spool,
      incarnation: settings.incarnation,
      env,
      secrets: settings.secrets,
      clock,
      wallClock: settings.wallClock,
      maxUnsentBytes: settings.maxUnsentBytes,
      onTrouble: say,
    };
  }

  /** Gives why it has ended; undefined: it was told to. Never rejects. */
  async run(): Promise<RpcError | undefined> {
    const { transport } = this.#settings;
    // A session that is new is a server that has forgotten, or was started anew.
    const stopListening = transport.on("connected", () => void this.greet().catch(() => undefined));
    try {
      await this.#mirrors.unlock();
      this.about["git"] = await this.#gitVersion();
      const clean = this.#every(CLEAN_MS, () => this.#clean());
      await this.#attempt("hello", () => this.greet());
      const agent = this.#greeted === undefined ? undefined : this.#serveCommands(commandRouter(this));
      await this.#claimUntilEnd();
      await this.#settle();
      this.#over.abort();
      await clean;
      // A server that is away is not waited for.
      const drained = new AbortController();
      await Promise.race([agent, this.#sleep(DRAIN_MS, drained.signal)]);
      drained.abort();
    } catch (error) {
      this.#fate ??= RpcError.from(error);
    } finally {
      this.#over.abort();
      this.#settings.clock.clearTimeout(this.#closeTimer);
      stopListening();
      await transport.close().catch(() => undefined);
    }
    return this.#fate;
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  greet(): Promise<void> {
    this.#greeting ??= this.#greet().finally(() => {
      this.#greeting = undefined;
    });
    return this.#greeting;
  }

  shutDown(graceful: boolean): void {
    if (!this.#ending.signal.aborted) this.say(graceful ? "ends after the builds that run" : "ends");
    this.#ending.abort();
    this.wake();
    if (graceful) return;
    for (const runner of this.running.values()) runner.interrupt(SHUT_DOWN);
    const { clock } = this.#settings;
    clock.clearTimeout(this.#closeTimer);
    this.#closeTimer = clock.setTimeout(() => this.#over.abort(), CLOSE_MS);
  }

  async #greet(): Promise<void> {
    const { incarnation } = this.#settings;
    // Before the first one there is nothing to end in order.
    const isStranger = this.#greeted === undefined;
    const signal = (isStranger ? this.#ending : this.#over).signal;
    const { address, lost, maxBuilds, name, paused } = await this.desk.ask(
      "hello",
      (desk, options) => desk.hello({ incarnation, about: this.about, running: [...this.running.keys()] }, options),
      { signal, isStranger },
    );
    if (this.#greeted?.name !== name) this.say(`${name} has reached ${this.#settings.server}`);
    this.#greeted = { name, address };
    this.#maxBuilds = maxBuilds;
    this.isPaused = paused;
    for (const build of lost) this.running.get(build)?.lose("the server has given it to another");
    this.wake();
  }

  async #claimUntilEnd(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      this.#isWoken = false;
      let waitMs = this.#settings.claimMs;
      try {
        waitMs = await this.#claim();
      } catch (caught) {
        const error = RpcError.from(caught);
        if (signal.aborted || this.#over.signal.aborted) return;
        this.say(`claim: ${error.message}`);
        waitMs = PAUSE_MS;
        if (error.reason === "FENCED") {
          // Another bot of this name: then its commands end this one. Otherwise the server has got an older state of its database.
          await this.#sleep(2 * this.#lookMs, signal);
          await this.#attempt("hello", () => this.greet());
        }
      }
      if (!this.#isWoken) await this.#rest(waitMs);
    }
  }

  /** Begins what there is. Gives when to look again. */
  async #claim(): Promise<number> {
    const { claimMs, incarnation } = this.#settings;
    const max = Math.min(64, this.#maxBuilds - this.running.size);
    if (this.isPaused || max <= 0 || !(await this.#hasRoom())) return claimMs;
    const signal = this.#ending.signal;
    const orders = await this.desk.ask("claim", (desk, options) => desk.claim({ incarnation, max }, options), {
      signal,
    });
    let begun = 0;
    for (const order of orders) {
      if (this.#ended.has(order.build)) this.#endAgain(order.build);
      else if (!this.running.has(order.build)) {
        this.#begin(order);
        begun += 1;
      }
    }
    // Others may stand behind those that are known already.
    return orders.length > 0 && begun < orders.length ? SOON_MS : claimMs;
  }

  #begin(order: BuildOrder): void {
    const title = `build ${order.build} (${order.request.builder} ${order.number})`;
    this.say(`${title} begins`);
    let runner: BuildRunner;
    try {
      runner = new BuildRunner(order, this.#builds);
    } catch (error) {
      this.say(`${title}: ${RpcError.from(error).message}`);
      this.#ended.add(order.build);
      this.#endAgain(order.build);
      return;
    }
    this.running.set(order.build, runner);
    // It came while the bot was told to end.
    if (this.#ending.signal.aborted) runner.interrupt(SHUT_DOWN);
    void runner.done.then(() => {
      this.running.delete(order.build);
      this.#ended.add(order.build);
      this.say(`${title} has ended`);
      this.wake();
    });
  }

  /** The server has not heard, or not wanted to hear, of the end of a build. */
  #endAgain(build: number): void {
    const end = { build, incarnation: this.#settings.incarnation, at: Math.round(this.#settings.wallClock()) };
    const told = {
      ...end,
      results: "exception" as const,
      summary: "the bot could not run it, or its end was not taken",
    };
    this.desk
      .ask("the end", (desk, options) => desk.finished(told, options))
      .catch((error: unknown) => {
        this.say(`build ${build}: ${RpcError.from(error).message}`);
      });
  }

  async #serveCommands(router: Handler): Promise<void> {
    const { transport, clock, random, incarnation } = this.#settings;
    const { signal } = this.#over;
    const onError = (error: RpcError): void => this.say(`commands: ${error.message}`);
    while (!signal.aborted) {
      const { name, address } = this.#greeted ?? { name: "", address: "" };
      const store = createRemoteStore(transport, { clock, random, onError });
      try {
        const agent = await serveDbQueue(router, {
          store,
          address,
          name,
          incarnation,
          concurrency: COMMANDS_AT_ONCE,
          reaper: false,
          pollMs: this.#lookMs,
          // The command that ends the bot is answered as well.
          drainMs: DRAIN_MS,
          signal,
          clock,
          random,
          onError,
        });
        const error = await agent.closed;
        if (error !== undefined) throw error;
      } catch (caught) {
        if (signal.aborted) break;
        const error = RpcError.from(caught);
        onError(error);
        if (error.reason === "FENCED") {
          // Two of one name would take each other's place for ever.
          this.#fate = new RpcError("ABORTED", `another bot has come as ${name}: this one ends`, { cause: error });
          this.shutDown(false);
          break;
        }
        await this.#sleep(PAUSE_MS, signal);
        await this.#attempt("hello", () => this.greet());
      } finally {
        await store.close().catch(() => undefined);
      }
    }
  }

  /** How often the agent of the commands looks for some, and so learns at the latest that it is not meant any more. */
  get #lookMs(): number {
    return Math.min(LOOK_MS, this.#settings.claimMs);
  }

  /** Waits for what runs. */
  async #settle(): Promise<void> {
    const over = new Promise<void>((resolve) => {
      this.#over.signal.addEventListener("abort", () => resolve());
      if (this.#over.signal.aborted) resolve();
    });
    while (this.running.size > 0 && !this.#over.signal.aborted) {
      await Promise.race([over, ...[...this.running.values()].map(({ done }) => done)]);
    }
    // Nobody is told any more; their processes end all the same.
    await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  async #hasRoom(): Promise<boolean> {
    const { dir, minFreeBytes } = this.#settings;
    const enough = async (): Promise<boolean> => ((await freeBytes(dir)) ?? minFreeBytes) >= minFreeBytes;
    let isFull = !(await enough());
    if (isFull && this.running.size === 0) {
      await this.#mirrors.removeUnused(this.#settings.wallClock() - SOON_MS);
      isFull = !(await enough());
    }
    if (isFull !== this.#isDiskFull)
      this.say(isFull ? `less than ${minFreeBytes} bytes are free: no builds begin` : "there is room again");
    this.#isDiskFull = isFull;
    return !isFull;
  }

  async #clean(): Promise<void> {
    const keep = new Set([...this.running.keys()].map(String));
    for (const folder of [this.#folders.work, this.#folders.spool]) await emptyFolder(folder, keep);
    await this.#mirrors.removeUnused(this.#settings.wallClock() - this.#settings.keepMirrorsMs);
  }

  async #every(ms: number, run: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await run().catch((error: unknown) => this.say(`clean-up: ${RpcError.from(error).message}`));
      await this.#sleep(ms, signal);
    }
  }

  /** Tries until it is well, or the bot ends. Rejects when the server does not let it in at all. */
  async #attempt(what: string, run: () => Promise<void>): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await run();
        return;
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (this.#greeted === undefined && RpcError.from(error).code === "UNAUTHENTICATED") throw error;
        this.say(`${what}: ${RpcError.from(error).message}`);
      }
      await this.#sleep(PAUSE_MS, this.#ending.signal);
    }
  }

  async #gitVersion(): Promise<string> {
    const { clock, env } = this.#settings;
    const version = git(["--version"], { clock, env, signal: this.#over.signal });
    return version
      .then((text) => text.replace("git version", "").trim())
      .catch((error: unknown) => RpcError.from(error).message);
  }

  /** Until somebody wakes it. */
  async #rest(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#sleep(ms, woken.signal);
    this.#wake = undefined;
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#settings;
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = clock.setTimeout(end, ms);
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }
}

function aboutHere(): Record<string, string> {
  return {
    host: hostname(),
    os: `${type()} ${release()} ${arch()}`,
    node: process.version,
    cpus: String(cpus().length),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  };
}
