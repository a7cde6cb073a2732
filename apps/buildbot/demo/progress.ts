import type { Connection } from "../src/cli/connection.ts";
import type { Output } from "../src/cli/output.ts";
import { buildLine, shownResults } from "../src/cli/results.ts";
import { logLine, plain } from "../src/cli/text.ts";
import type { BuildSummary, Results } from "../src/contracts/values.ts";

const LOOK_MS = 1000;
const LAST_LINES = 30;

/** Tells of steps as they end, and of builds, until `signal`. */
export class Progress {
  readonly #connection: Connection;
  readonly #output: Output;
  readonly #told = new Map<number, Set<string>>();
  readonly #ended = new Map<string, BuildSummary>();
  readonly #first: number;

  /** Builds before `first` have been told of by an earlier start. */
  constructor(connection: Connection, output: Output, first: number) {
    this.#connection = connection;
    this.#output = output;
    this.#first = first;
  }

  /** The newest build that has ended since the start, by builder. */
  get ended(): ReadonlyMap<string, BuildSummary> {
    return this.#ended;
  }

  /** Gives when `isEnough` is so, or `signal` aborts. */
  async until(isEnough: () => boolean, signal: AbortSignal): Promise<void> {
    const { builds } = this.#connection;
    let wake = Promise.withResolvers<void>();
    const subscription = builds.changed.subscribe({}, () => wake.resolve());
    const abort = (): void => wake.resolve();
    signal.addEventListener("abort", abort);
    try {
      while (!signal.aborted && !isEnough()) {
        wake = Promise.withResolvers();
        await this.#look();
        if (isEnough()) return;
        const timer = setTimeout(wake.resolve, LOOK_MS);
        await wake.promise;
        clearTimeout(timer);
      }
    } finally {
      signal.removeEventListener("abort", abort);
      await subscription.close();
    }
  }

  async #look(): Promise<void> {
    const { builds } = this.#connection;
    const newest = await builds.list({ limit: 20 });
    for (const { id } of newest.toReversed()) {
      if (id < this.#first || this.#ofBuild(id).has("end")) continue;
      const build = await builds.get({ id });
      const name = `${plain(build.builder)} #${build.number}`;
      this.#once(id, "begin", () => `${name} began on ${plain(build.bot)}: ${plain(build.reason, 60)}`);
      for (const { seq, name: step, state, results, summary } of build.steps) {
        if (state !== "finished") continue;
        const why = summary === "" ? "" : `, ${plain(summary)}`;
        this.#once(id, `${seq}`, () => `${name}   ${plain(step)}: ${shownResults(this.#output, results)}${why}`);
      }
      if (build.results === undefined) continue;
      this.#once(id, "end", () => buildLine(this.#output, build, Date.now()));
      this.#ended.set(build.builder, build);
      if (!isGreen(build.results)) await this.#tellWhy(build.id);
    }
  }

  async #tellWhy(id: number): Promise<void> {
    const { builds } = this.#connection;
    const { steps } = await builds.get({ id });
    const step = steps.find(({ results }) => results !== undefined && !isGreen(results) && results !== "skipped");
    if (step === undefined) return;
    const firstLine = Math.max(0, step.logLines - LAST_LINES);
    const { lines } = await builds.lines({ build: id, step: step.seq, firstLine, limit: LAST_LINES });
    for (const { text } of lines) this.#output.line(`    ${logLine(text, this.#output.isColoured)}`);
  }

  #once(build: number, what: string, text: () => string): void {
    const told = this.#ofBuild(build);
    if (told.has(what)) return;
    told.add(what);
    this.#output.line(text());
  }

  #ofBuild(build: number): Set<string> {
    const told = this.#told.get(build) ?? new Set();
    this.#told.set(build, told);
    return told;
  }
}

export function isGreen(results: Results): boolean {
  return results === "success" || results === "warnings";
}
