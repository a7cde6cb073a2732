import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BuildOrder } from "../../contracts/bot.ts";
import type { Properties, Results } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import { secretsIn } from "../../repository-url.ts";
import { Delivery } from "../desk/delivery.ts";
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
  readonly #mask: SecretMask;
  readonly #tree: string;
  readonly #spool: string;
  #step = "checkout";
  #abort = new AbortController();
  #ending: { readonly results: Results; readonly why: string } | undefined;
  /** Steps that always run do not, either. */
  #isLast = false;
  #isLost = false;
  #ranAt: number | undefined;
  #untold: Results | undefined;

  constructor(order: BuildOrder, settings: BuildSettings) {
    this.order = order;
    this.#settings = settings;
    this.#tree = join(settings.workFolder, String(order.build));
    this.#spool = join(settings.spoolFolder, String(order.build));
    this.#delivery = new Delivery({ desk: settings.desk, onLost: (why) => this.lose(why) });
    const named = order.secrets.map((name) => (Object.hasOwn(settings.env, name) ? (settings.env[name] ?? "") : ""));
    this.#mask = secretMask([...settings.secrets, ...named, ...secretsIn(order.repositoryUrl)]);
    this.done = this.#run();
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
    const { settings, writer } = { settings: this.#settings, writer: this.#writer };
    let outcome: StepOutcome;
    try {
      await mkdir(this.#spool, { recursive: true });
      await removeTree(this.#tree);
      await mkdir(settings.workFolder, { recursive: true });
      outcome = await this.#runSteps();
    } catch (error) {
      outcome = { results: "exception", summary: `the bot: ${messageOf(error)}` };
    }
    this.#ranAt = settings.clock.now();
    const at = Math.round(settings.wallClock());
    const { results, why } = this.#ending ?? { results: outcome.results, why: outcome.summary };
    this.#untold = this.#isLost ? undefined : results;
    this.#delivery.run("the end", async (ask) => {
      const { refused } = this.#delivery;
      for (const each of refused) settings.onTrouble(`build ${this.order.build}: the server refuses ${each}`);
      const told = refused.length === 0 ? why : `${why === "" ? "" : `${why}; `}not delivered: ${refused.join("; ")}`;
      const end = { ...writer, at, summary: cut(this.#mask.mask(told), 1000) };
      const isLess = refused.length > 0 && results === "success";
      await ask("the end", (desk, call) => desk.finished({ ...end, results: isLess ? "warnings" : results }, call));
      this.#untold = undefined;
    });
    await this.#clear(this.#tree);
    await this.#delivery.done();
    await this.#clear(this.#spool);
  }

  async #runSteps(): Promise<StepOutcome> {
    const { order, writer } = { order: this.order, writer: this.#writer };
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
    this.#delivery.post("the beginning", (desk, call) => desk.began({ ...writer, revision, subject, author }, call));
    const found = { got_revision: revision };
    this.#delivery.post("properties", (desk, call) => desk.setProperties({ ...writer, properties: found }, call));
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
    const end = { ...this.#writer, seq, at, results: "skipped" as const, summary };
    this.#delivery.post("a skipped step", (desk, call) => desk.stepEnded(end, call));
  }

  get #writer(): { readonly build: number; readonly incarnation: string } {
    return { build: this.order.build, incarnation: this.#settings.incarnation };
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
