import { stat } from "node:fs/promises";
import type { BuildOrder } from "../../contracts/bot.ts";
import type { Properties, Step } from "../../contracts/values.ts";
import type { Delivery } from "../desk/delivery.ts";
import type { SecretMask } from "../log/secret-mask.ts";
import type { FoundTest } from "../reports/found-tests.ts";
import { pathBelow, reportReader } from "../reports/read-report.ts";
import { runProcess } from "../step/process-group.ts";
import type { BuildSettings } from "./build-settings.ts";
import { environmentOf, shellCommand, withProperties } from "./interpolate.ts";
import { outcomeOf, type StepOutcome, worseOf } from "./outcome.ts";
import { beginStep } from "./step-log.ts";
import { keepArtefacts } from "./upload.ts";

export interface StepRun {
  readonly settings: BuildSettings;
  readonly order: BuildOrder;
  readonly step: Step;
  readonly seq: number;
  readonly properties: Properties;
  readonly tree: string;
  readonly spool: string;
  readonly delivery: Delivery;
  readonly mask: SecretMask;
  /** Stops it. */
  readonly abort: AbortController;
}

/** A step's outcome, and how many tests it has told of. */
export interface StepRunEnd extends StepOutcome {
  readonly tests: number;
}

/** A file's time may be that of the last tick of the system's clock. */
const TICK_MS = 20;
const MOST_TESTS = 1_000;
const MOST_TEST_CHARS = 400_000;

/** Runs one step of a build, and tells the server of it. Never rejects. */
export async function runStep(run: StepRun): Promise<StepRunEnd> {
  const { settings, step, seq, delivery, mask, tree, abort } = run;
  let lost: Error | undefined;
  const reader = reportReader(step, tree, Date.now() - TICK_MS);
  const log = beginStep({
    settings,
    delivery,
    seq,
    name: step.name,
    spool: run.spool,
    mask,
    tap: (stream, text) => {
      if (stream === "out") reader?.write(text);
    },
    onFailure: (error) => {
      lost = error;
      abort.abort();
    },
  });
  const since = settings.clock.now();
  let outcome: StepOutcome;
  let tests = 0;
  try {
    outcome = await runCommand(run, log.pump);
    log.pump.flush();
    if (reader !== undefined && outcome.results !== "cancelled") {
      const { tests: found, problem } = await reader.read();
      tests = found.length;
      tellTests(run, found);
      outcome = withTests(outcome, found, problem);
      if (problem !== undefined) log.pump.head(`tests: ${problem}`);
    }
    if (step.artefacts.length > 0 && outcome.results !== "cancelled") {
      const { kept, problem } = await keepArtefacts({
        root: tree,
        patterns: step.artefacts.map((pattern) => withProperties(pattern, run.properties)),
        spool: run.spool,
        seq,
        delivery,
      });
      log.pump.head(`artefacts: ${kept} kept${problem === undefined ? "" : `; ${problem}`}`);
      if (problem !== undefined) outcome = withProblem(outcome, problem);
    }
  } catch (error) {
    outcome = { results: "exception", summary: `the bot: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (lost !== undefined) outcome = { results: "exception", summary: `the bot cannot keep the log: ${lost.message}` };
  const seconds = ((settings.clock.now() - since) / 1000).toFixed(1);
  log.pump.head(`${outcome.results}${outcome.summary === "" ? "" : `: ${outcome.summary}`} (${seconds} s)`);
  await log.ended(outcome);
  return { ...outcome, tests };
}

async function runCommand(
  { settings, order, step, properties, tree, abort }: StepRun,
  pump: { head(line: string): void; write(stream: "out" | "err", bytes: Uint8Array): Promise<void> | undefined },
): Promise<StepOutcome> {
  const { env, missing } = environmentOf(settings.env, [order.env, step.env], properties);
  const own: Record<string, string> = {};
  let command: string | string[];
  if (typeof step.command === "string") {
    const shell = shellCommand(step.command, properties);
    ({ command } = shell);
    Object.assign(own, shell.variables);
    pump.head(`$ ${withProperties(step.command, properties)}`);
  } else {
    command = step.command.map((part) => withProperties(part, properties));
    pump.head(`$ ${command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : JSON.stringify(part))).join(" ")}`);
  }
  const workdir = withProperties(step.workdir, properties);
  if (workdir !== ".") pump.head(`in ${workdir}`);
  for (const name of missing) pump.head(`\${${name}} is not set at this bot`);
  const cwd = await pathBelow(tree, workdir);
  if (cwd === undefined || !(await stat(cwd)).isDirectory()) {
    return { results: "failure", summary: `there is no folder ${workdir} in the work tree` };
  }
  const end = await runProcess({
    command,
    cwd,
    env: { ...env, ...own },
    noOutputMs: step.noOutputTimeoutSeconds * 1000,
    maxMs: step.maxSeconds * 1000,
    killAfterMs: step.killAfterSeconds * 1000,
    clock: settings.clock,
    groups: settings.groups,
    signal: abort.signal,
    write: (stream, bytes) => pump.write(stream, bytes),
  });
  return outcomeOf(end, step);
}

function withTests(outcome: StepOutcome, tests: readonly FoundTest[], problem: string | undefined): StepOutcome {
  const bad = tests.filter(({ state }) => state === "fail" || state === "error").length;
  let result = outcome;
  if (bad > 0) {
    const said = `${bad} of ${tests.length} tests failed`;
    // What the exit code says is no more than that.
    const isMore = outcome.exitCode === undefined && outcome.summary !== "";
    const summary = isMore ? `${said}; ${outcome.summary}` : said;
    result = { ...outcome, results: worseOf(outcome.results, "failure"), summary };
  } else if (outcome.summary === "" && tests.length > 0) {
    result = { ...outcome, summary: `${tests.length} ${tests.length === 1 ? "test" : "tests"}` };
  }
  return problem === undefined ? result : withProblem(result, problem);
}

function withProblem(outcome: StepOutcome, problem: string): StepOutcome {
  const summary = outcome.summary === "" ? problem : `${outcome.summary}; ${problem}`;
  return { ...outcome, results: worseOf(outcome.results, "warnings"), summary };
}

function tellTests({ seq, delivery, mask }: StepRun, found: readonly FoundTest[]): void {
  let part: (FoundTest & { step: number })[] = [];
  let chars = 0;
  let count = 0;
  const tell = (): void => {
    // Parts are counted in a build: those of a step have a range of their own, larger than the number of tests of a report.
    const input = { ...delivery.writer, part: seq * 1_000_000 + count, tests: part };
    delivery.post("tests", { method: "addTests", input });
    count += 1;
    part = [];
    chars = 0;
  };
  for (const test of found) {
    const message = test.message === undefined ? {} : { message: mask.mask(test.message) };
    const told = { ...test, ...message, suite: mask.mask(test.suite), name: mask.mask(test.name), step: seq };
    part.push(told);
    chars += told.name.length + told.suite.length + (told.message?.length ?? 0);
    if (part.length === MOST_TESTS || chars > MOST_TEST_CHARS) tell();
  }
  if (part.length > 0) tell();
}
