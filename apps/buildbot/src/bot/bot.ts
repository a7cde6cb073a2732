import { RpcError } from "@rpc/core";
import type { BuildOrder } from "../contracts/bot.ts";
import { aboutHere, gitVersion } from "./about.ts";
import type { BotFolders, BotSettings } from "./bot-options.ts";
import { BuildRunner } from "./build/build-runner.ts";
import type { BuildSettings } from "./build/build-settings.ts";
import type { KeptBuilds } from "./build/kept-builds.ts";
import { serveCommands } from "./command-agent.ts";
import { type Commanded, commandRouter } from "./commands.ts";
import { PatientDesk } from "./desk/patient-desk.ts";
import { emptyFolder, freeBytes } from "./disk.ts";
import { Mirrors } from "./git/mirror.ts";
import { Polling } from "./polling.ts";
import type { ProcessGroups } from "./step/process-groups.ts";
import { sleep, unlessAborted } from "./waiting.ts";

const PAUSE_MS = 5_000;
const SOON_MS = 1_000;
const LOOK_MS = 10_000;
const DRAIN_MS = 3_000;
const SHUT_DOWN = "its bot was shut down";
const NOT_TOLD = "it gives the request to a bot again";
const KEPT = "the next start in this folder tells it";
const CLEAN_MS = 3_600_000;
/** What a bot that is not to wait for its builds gives them to end and to be told, when somebody is there to be told. */
const CLOSE_MS = 20_000;
/** What it gives a server that is away, after its builds: for so long that one keeps them for it. */
const AWAY_MS = 600_000;
/** Where all of it is on the disk, for its next start to tell. */
const AWAY_KEPT_MS = 60_000;
/** Cancels of builds that it has not been given (yet). */
const MOST_UNKNOWN = 1_000;

/** Greets the server, takes commands, claims builds and runs them, until it is told to end. */
export class Bot implements Commanded {
  readonly desk: PatientDesk;
  readonly polling: Polling;
  readonly about: Record<string, string>;
  readonly running = new Map<number, BuildRunner>();
  readonly say: (message: string) => void;
  isPaused = false;
  readonly #settings: BotSettings;
  readonly #folders: BotFolders;
  readonly #builds: BuildSettings;
  readonly #mirrors: Mirrors;
  /** Ends all waiting for the server. */
  readonly #over = new AbortController();
  /** Ends the claims. */
  readonly #ending = new AbortController();
  /** Ends the one that is under way: it may have been given builds. */
  readonly #endingClaim = new AbortController();
  readonly #ended = new Set<number>();
  readonly #kept: KeptBuilds;
  /** Ends that the server is being told once more. */
  readonly #tellingAgain = new Set<number>();
  /** Why they were stopped, before they had come. */
  readonly #stopped = new Map<number, string>();
  #greeted: { readonly name: string; readonly address: string; readonly server: string | undefined } | undefined;
  #greeting: Promise<void> | undefined;
  #maxBuilds = 1;
  #isWoken = false;
  #wake: (() => void) | undefined;
  #isDiskFull = false;
  #fate: RpcError | undefined;
  readonly #timers: unknown[] = [];

  constructor(settings: BotSettings, folders: BotFolders, groups: ProcessGroups, kept: KeptBuilds) {
    const { line, clock, random, env, say } = settings;
    this.say = say;
    this.#kept = kept;
    this.#settings = settings;
    this.#folders = folders;
    const onBack = this.#greetAnew;
    this.desk = new PatientDesk({ line, clock, random, signal: this.#over.signal, onTrouble: say, onBack });
    const gitSettings = { clock, env, groups };
    this.#mirrors = new Mirrors(folders.mirrors, gitSettings);
    this.polling = new Polling({ desk: this.desk, mirrors: this.#mirrors, git: gitSettings });
    this.about = aboutHere();
    this.#builds = {
      desk: this.desk,
      mirrors: this.#mirrors,
      workFolder: folders.work,
      spoolFolder: folders.spool,
      incarnation: settings.incarnation,
      bot: settings.name,
      serverId: () => this.#greeted?.server,
      env,
      secrets: settings.secrets,
      clock,
      groups,
      wallClock: settings.wallClock,
      maxUnsentBytes: settings.maxUnsentBytes,
      onTrouble: say,
    };
  }

  /** Gives why it has ended; undefined: it was told to. Never rejects. */
  async run(): Promise<RpcError | undefined> {
    const { line, clock, env } = this.#settings;
    /** What uses the folder beside builds. */
    const under: Promise<void>[] = [];
    try {
      await this.#mirrors.unlock();
      this.about["git"] = await gitVersion({ clock, env, signal: this.#over.signal });
      under.push(this.#every(CLEAN_MS, () => this.#clean()));
      await this.#attempt("hello", () => this.greet());
      const agent = this.#greeted === undefined ? undefined : this.#serveCommands();
      // What is not told when the bot ends stays for its next start. Whom it is for is known from the first hello on.
      if (this.#greeted !== undefined) {
        // Of what is given up the server hears by a hello that does not name it any more.
        const onTold = (isHeard: boolean): void => (isHeard ? this.wake() : this.#greetAnew());
        under.push(this.#kept.tell({ desk: this.desk, clock, say: this.say, onTold }));
      }
      await this.#claimUntilEnd();
      await this.#settle();
      this.#over.abort();
      await Promise.all(under);
      // A server that is away is not waited for.
      const drained = new AbortController();
      await Promise.race([agent, sleep(this.#settings.clock, DRAIN_MS, drained.signal)]);
      drained.abort();
    } catch (error) {
      this.#fate ??= RpcError.from(error);
    } finally {
      this.#over.abort();
      for (const timer of this.#timers) clock.clearTimeout(timer);
      await Promise.all(under);
      this.desk.close();
      await line.transport.close().catch(() => undefined);
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
    const { clock } = this.#settings;
    const after = (ms: number, run: () => void): void => void this.#timers.push(clock.setTimeout(run, ms));
    this.#ending.abort();
    if (this.desk.isThere) after(DRAIN_MS, () => this.#endingClaim.abort());
    else this.#endingClaim.abort();
    this.wake();
    if (graceful) return;
    for (const runner of this.running.values()) runner.interrupt(SHUT_DOWN);
    after(DRAIN_MS, () => (this.desk.isThere ? undefined : this.#over.abort()));
    after(CLOSE_MS, () => this.#over.abort());
  }

  stop(build: number, reason: string): boolean {
    const runner = this.running.get(build);
    if (runner !== undefined) return runner.stop(reason);
    if (this.#ended.has(build)) {
      // A server that was given an older state of its database takes it for running.
      this.#endAgain(build);
      return false;
    }
    // Whoever sees it there may stop it before this bot has heard that it has it.
    this.#stopped.set(build, reason);
    const [oldest] = this.#stopped.keys();
    if (this.#stopped.size > MOST_UNKNOWN && oldest !== undefined) this.#stopped.delete(oldest);
    return false;
  }

  readonly #greetAnew = (): void => void this.greet().catch(() => undefined);

  async #greet(): Promise<void> {
    const { incarnation } = this.#settings;
    // Before the first one there is nothing to end in order.
    const isStranger = this.#greeted === undefined;
    const signal = (isStranger ? this.#ending : this.#over).signal;
    const { address, lost, maxBuilds, name, paused, server } = await this.desk.ask(
      "hello",
      (desk, options) => {
        const running = [...this.running.keys()];
        return desk.hello({ incarnation, about: this.about, running, kept: this.#kept.writers }, options);
      },
      { signal, isStranger },
    );
    if (this.#greeted?.name !== name) this.say(`${name} has reached ${this.#settings.server}`);
    this.#greeted = { name, address, server };
    this.#kept.letBe(server, this.say);
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
          await sleep(this.#settings.clock, 2 * this.#lookMs, signal);
          await this.#attempt("hello", () => this.greet());
        }
      }
      if (!this.#isWoken) await this.#rest(waitMs);
    }
  }

  /** Begins what there is. Gives when to look again. */
  async #claim(): Promise<number> {
    const { claimMs, incarnation } = this.#settings;
    // The server counts those of which it is still to hear the end as well.
    const max = Math.min(64, this.#maxBuilds - this.running.size - this.#kept.size);
    if (this.isPaused || max <= 0 || !(await this.#hasRoom())) return claimMs;
    const { signal } = this.#endingClaim;
    const orders = await this.desk.ask(
      "claim",
      (desk, options) => desk.claim({ incarnation, max }, { ...options, signal }),
      { signal: this.#ending.signal },
    );
    for (const order of orders) {
      if (this.#ended.has(order.build)) this.#endAgain(order.build);
      else if (!this.running.has(order.build)) this.#begin(order);
    }
    // Others may stand behind those that are known already, or that are as much as one answer holds.
    return orders.length > 0 ? SOON_MS : claimMs;
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
    const why = this.#stopped.get(order.build);
    if (why !== undefined) runner.stop(why);
    this.#stopped.delete(order.build);
    void runner.done.then(() => {
      this.running.delete(order.build);
      this.#ended.add(order.build);
      const { untold } = runner;
      this.say(
        untold === undefined
          ? `${title} has ended`
          : `${title} has ended as ${untold}, and the server was not told: ${runner.isKept ? KEPT : NOT_TOLD}`,
      );
      this.wake();
    });
  }

  /** The server has not heard, or not wanted to hear, of the end of a build. */
  #endAgain(build: number): void {
    if (this.#tellingAgain.has(build)) return;
    this.#tellingAgain.add(build);
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
      })
      .finally(() => this.#tellingAgain.delete(build));
  }

  async #serveCommands(): Promise<void> {
    const { line, clock, random, incarnation } = this.#settings;
    const fate = await serveCommands(commandRouter(this), {
      transport: line.transport,
      greeted: () => this.#greeted ?? { name: "", address: "" },
      greet: () => this.#attempt("hello", () => this.greet()),
      incarnation,
      pollMs: this.#lookMs,
      drainMs: DRAIN_MS,
      clock,
      random,
      signal: this.#over.signal,
      onError: (error) => this.say(`commands: ${error.message}`),
    });
    if (fate === undefined) return;
    this.#fate = fate;
    this.shutDown(false);
  }

  /** How often the agent of the commands looks for some, and so learns at the latest that it is not meant any more. */
  get #lookMs(): number {
    return Math.min(LOOK_MS, this.#settings.claimMs);
  }

  /** Waits for what runs, and for a server that is away no longer than it keeps the builds. */
  async #settle(): Promise<void> {
    const { clock } = this.#settings;
    const since = clock.now();
    while (this.running.size > 0 && !this.#over.signal.aborted) {
      const runners = [...this.running.values()];
      const heardAt = Math.max(since, this.desk.heardAt, ...runners.map(({ ranAt }) => ranAt ?? clock.now()));
      const isKept = runners.every((runner) => runner.isKept);
      const leftMs = heardAt + (isKept ? AWAY_KEPT_MS : AWAY_MS) - clock.now();
      if (leftMs <= 0) {
        const minutes = isKept ? "a minute" : "10 minutes";
        this.#fate = new RpcError("UNAVAILABLE", `the server has been away for ${minutes}: ended without it`);
        this.#over.abort();
      }
      const looked = new AbortController();
      // They are put on the disk meanwhile.
      const lookMs = Math.min(leftMs, AWAY_KEPT_MS);
      const over = sleep(clock, lookMs, AbortSignal.any([looked.signal, this.#over.signal]));
      await Promise.race([over, ...runners.map(({ done }) => done)]);
      looked.abort();
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
    // Asked for each: builds begin while others are removed.
    // What is left when the bot ends is for its next start.
    const keeps = (name: string): boolean =>
      this.#over.signal.aborted ||
      this.#kept.has(name) ||
      [...this.running.values()].some((runner) => runner.has(name));
    for (const folder of [this.#folders.work, this.#folders.spool]) await emptyFolder(folder, keeps);
    await this.#mirrors.removeUnused(this.#settings.wallClock() - this.#settings.keepMirrorsMs);
    await this.#mirrors.tidy({ signal: this.#over.signal });
  }

  async #every(ms: number, run: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await run().catch((error: unknown) => this.say(`clean-up: ${RpcError.from(error).message}`));
      await sleep(this.#settings.clock, ms, signal);
    }
  }

  /** Tries until it is well, or the bot ends. Rejects when the server does not let it in at all. */
  async #attempt(what: string, run: () => Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        // Who is told to end waits for no answer.
        await unlessAborted(signal, run());
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#greeted === undefined && RpcError.from(error).code === "UNAUTHENTICATED") throw error;
        this.say(`${what}: ${RpcError.from(error).message}`);
      }
      await sleep(this.#settings.clock, PAUSE_MS, signal);
    }
  }

  /** Until somebody wakes it. */
  async #rest(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await sleep(this.#settings.clock, ms, woken.signal);
    this.#wake = undefined;
  }
}
