import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BuildOrder } from "../../contracts/bot.ts";
import type { Properties, Results } from "../../contracts/values.ts";
import { secretsIn } from "../../repository-url.ts";
import { Delivery } from "../desk/delivery.ts";
import { forgetOutcome, Journal, spoolName } from "../desk/journal.ts";
import { removeTree } from "../disk.ts";
import { secretMask, type SecretMask } from "../log/secret-mask.ts";
import type { BuildSettings } from "./build-settings.ts";
import { checkOut } from "./checkout.ts";
import { meaningOf, type StepOutcome, worseOf } from "./outcome.ts";
import { runStep } from "./run-step.ts";

/** A build that this bot runs, until the server knows all of it. */
export class BuildRunner {
  readonly order: BuildOrder;
  /** Settles when nothing of it is left here: it has run, and the server knows. Never rejects. */
  readonly done: Promise<void>;
  readonly #settings: BuildSettings;
  readonly #delivery: Delivery;
  readonly #journal: Journal;
  readonly #mask: SecretMask;
  readonly #tree: string;
  readonly #spool: string;
  /** Whom it is for. */
  readonly #server: string | undefined;
  #step = "checkout";
  #abort = new AbortController();
  #ending: { readonly results: Results; readonly why: string } | undefined;
  /** Steps that always run do not, either. */
  #isLast = false;
  #isLost = false;
  #ranAt: number | undefined;
  #untold: Results | undefined;
  #isKept = false;

  constructor(order: BuildOrder, settings: BuildSettings) {
    this.order = order;
    this.#settings = settings;
    this.#tree = join(settings.workFolder, String(order.build));
    this.#server = settings.serverId();
    this.#spool = join(settings.spoolFolder, spoolName(order.build, this.#server));
    this.#journal = new Journal(this.#spool);
    const named = order.secrets.map((name) => (Object.hasOwn(settings.env, name) ? (settings.env[name] ?? "") : ""));
    this.#mask = secretMask([...settings.secrets, ...named, ...secretsIn(order.repositoryUrl)]);
    const mask = this.#mask.mask;
    this.#delivery = new Delivery({
      desk: settings.desk,
      writer: { build: order.build, incarnation: settings.incarnation },
      onLost: (why) => this.lose(why),
      keep: (entry) => this.#journal.append(entry),
      mask,
    });
    this.done = this.#run();
  }

  /** For people. */
  get title(): string {
    const { build, number, request } = this.order;
    return `build ${build} (${request.builder} ${number})`;
  }

  /** Whether a folder of this name is its own, of those where work trees are, and what is to be told. */
  has(folder: string): boolean {
    return folder === basename(this.#tree) || folder === basename(this.#spool);
  }

  /** What it is at, for people. */
  get step(): string {
    return this.#ranAt === undefined ? this.#step : "telling the server";
  }

  /** When its steps had ended, by the clock; undefined: they run. */
  get ranAt(): number | undefined {
    return this.#ranAt;
  }

  /** When it is done: how it has ended, where the server has not heard of that, and would not rather hear nothing. */
  get untold(): Results | undefined {
    return this.#untold;
  }

  /** What is untold is on the disk: a bot that is started in this folder tells it. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Ends it as cancelled, after the steps that always run; a second time without them. False: it has run already. */
  stop(reason: string): boolean {
    if (this.#ranAt !== undefined) return false;
    this.#end("cancelled", reason, this.#ending !== undefined);
    return true;
  }

  /** Ends it at once, for somebody else to begin it anew. */
  interrupt(reason: string): void {
    if (this.#ranAt === undefined) this.#end("retry", reason, true);
  }

  /** It is not this bot's any more: ends it at once, and tells nobody. */
  lose(why: string): void {
    this.#delivery.drop();
    this.#settings.onTrouble(`build ${this.order.build} is lost: ${why}`);
    this.#end("retry", why, true);
    this.#untold = undefined;
    this.#isLost = true;
  }

  #end(results: Results, why: string, isLast: boolean): void {
    this.#ending ??= { results, why };
    this.#isLast ||= isLast;
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const settings = this.#settings;
    let outcome: StepOutcome;
    try {
      // What an earlier life has left would be taken for its own.
      await removeTree(this.#spool);
      await mkdir(this.#spool, { recursive: true });
      await removeTree(this.#tree);
      await mkdir(settings.workFolder, { recursive: true });
      outcome = await this.#runSteps();
    } catch (error) {
      outcome = { results: "exception", summary: `the bot: ${messageOf(error)}` };
    }
    this.#ranAt = settings.clock.now();
    const { results, why } = this.#ending ?? { results: outcome.results, why: outcome.summary };
    const end = { at: Math.round(settings.wallClock()), results, summary: this.#mask.mask(why) };
    this.#untold = this.#isLost ? undefined : results;
    // While the server hears of it: what is large takes a while.
    const kept = this.#keep(end);
    this.#delivery.end(end, (refused) => {
      for (const each of refused) settings.onTrouble(`build ${this.order.build}: the server refuses ${each}`);
      this.#untold = undefined;
    });
    await this.#clear(this.#tree);
    await this.#delivery.done();
    await kept;
    await this.#journal.close();
    if (this.#delivery.isCut) return;
    this.#isKept = false;
    await forgetOutcome(this.#spool).catch(() => undefined);
    await this.#clear(this.#spool);
  }

  /** For the bot that comes after this one, if this one cannot tell it. */
  async #keep(end: { readonly at: number; readonly results: Results; readonly summary: string }): Promise<void> {
    if (this.#isLost) return;
    try {
      const { bot } = this.#settings;
      const server = this.#server === undefined ? {} : { server: this.#server };
      await this.#journal.seal({ ...this.#delivery.writer, bot, ...server, title: this.title, ...end });
      this.#isKept = true;
    } catch (error) {
      this.#settings.onTrouble(`build ${this.order.build}: its end cannot be kept: ${messageOf(error)}`);
    }
  }

  async #runSteps(): Promise<StepOutcome> {
    const { order } = this;
    const { writer } = this.#delivery;
    const shared = {
      settings: this.#settings,
      order,
      tree: this.#tree,
      spool: this.#spool,
      delivery: this.#delivery,
      mask: this.#mask,
    };
    const { commit, ...checkout } = await checkOut({ ...shared, abort: this.#abort });
    if (commit === undefined) return { ...checkout, summary: `checkout: ${checkout.summary}` };
    const { hash: revision, subject, author } = commit;
    this.#delivery.post("the beginning", { method: "began", input: { ...writer, revision, subject, author } });
    const found = { got_revision: revision };
    this.#delivery.post("properties", { method: "setProperties", input: { ...writer, properties: found } });
    const properties: Properties = {
      builder: order.request.builder,
      buildnumber: String(order.number),
      branch: order.branch,
      revision,
      ...order.properties,
      ...found,
    };
    let results: Results = "success";
    let worst = "";
    let tests = 0;
    let isHalted = false;
    for (const [at, step] of order.steps.entries()) {
      const seq = at + 1;
      const runs = step.alwaysRun ? !this.#isLast : !isHalted && this.#ending === undefined;
      if (!runs) {
        this.#skip(seq, isHalted ? "a step before it has failed" : "the build was stopped");
        continue;
      }
      this.#step = step.name;
      this.#abort = new AbortController();
      const end = await runStep({ ...shared, step, seq, properties, abort: this.#abort });
      tests += end.tests;
      const { build, halts } = meaningOf(end.results, step);
      isHalted ||= halts;
      if (build !== "success" && worseOf(results, build) !== results) worst = `${step.name}: ${end.summary}`;
      results = worseOf(results, build);
    }
    return { results, summary: worst === "" && tests > 0 ? `${tests} tests` : worst };
  }

  #skip(seq: number, summary: string): void {
    const at = Math.round(this.#settings.wallClock());
    const input = { ...this.#delivery.writer, seq, at, results: "skipped" as const, summary };
    this.#delivery.post("a skipped step", { method: "stepEnded", input });
  }

  async #clear(path: string): Promise<void> {
    try {
      await removeTree(path);
    } catch (error) {
      // The next clean-up tries again.
      this.#settings.onTrouble(`${path} cannot be removed: ${messageOf(error)}`);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
