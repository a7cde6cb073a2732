import { ExpectationFailed, fail, SetAside, show } from "./assert.ts";
import type { CaseReport, SuiteReport } from "./report.ts";
import { requirementOf } from "./requirements.ts";

/** The two functions that the suites need of a test framework: those of vitest, jest, mocha and `node:test` fit. */
export interface TestRunner {
  describe(title: string, body: () => void): unknown;
  it(title: string, run: () => Promise<void>): unknown;
}

/** One behaviour that proves a requirement. */
export interface SuiteCase<Bench> {
  /** The requirement that it cites. */
  readonly id: string;
  /** A sentence in the present tense about the outside. */
  readonly behaviour: string;
  readonly run: (bench: Bench) => Promise<void>;
}

/** What the suites take beside the factory. */
export interface SuiteOptions extends TestRunner {
  /** The title in the runner's output and in the report. */
  readonly name: string;
  /** Failures that are known, by requirement, each with the issue that tracks it. They must fail, until the day they pass: then the suite is red. */
  readonly knownFailures?: Readonly<Record<string, string>> | undefined;
  /** Requirements to leave out, each with the reason; for a variant of a transport that another run already covers. */
  readonly leaveOut?: Readonly<Record<string, string>> | undefined;
  /** Requirements to prove, by id; for a test of the suite itself. Default: all of them. */
  readonly only?: readonly string[] | undefined;
  /** How long a case may take before it counts as hanging, in milliseconds of the wall clock. Default: 30,000. */
  readonly patienceMs?: number | undefined;
  /** Called at the end of the run with what was found. */
  readonly report?: ((report: SuiteReport) => void) | undefined;
}

/** What a case came to when it did not just pass. */
export type NotApplicable = { readonly notApplicable: string } | undefined;

/** The full title of a case: id, case name, behaviour. */
export function titleOf(each: Pick<SuiteCase<never>, "id" | "behaviour">): string {
  return `${each.id} ${requirementOf(each.id).name}: ${each.behaviour}`;
}

/** Registers one test per case with the runner, and a last one that hands the report out. */
export function registerCases<Case extends Pick<SuiteCase<never>, "id" | "behaviour">>(
  options: SuiteOptions,
  report: SuiteReport,
  cases: readonly Case[],
  perform: (each: Case) => Promise<NotApplicable>,
): void {
  const patienceMs = options.patienceMs ?? 30_000;
  options.describe(options.name, () => {
    for (const each of cases) {
      if (options.leaveOut?.[each.id] !== undefined || options.only?.includes(each.id) === false) continue;
      options.it(titleOf(each), async () => {
        const found = await outcomeOf(() => withPatience(perform(each), patienceMs), options.knownFailures?.[each.id]);
        report.cases.push({ id: each.id, title: titleOf(each), outcome: found.outcome, sentence: found.sentence });
        if (found.outcome === "failed") throw found.error;
      });
    }
    if (options.report !== undefined) {
      options.it("hands out its report", async () => options.report?.(report));
    }
  });
}

interface Found extends Pick<CaseReport, "outcome" | "sentence"> {
  readonly error?: unknown;
}

async function outcomeOf(run: () => Promise<NotApplicable>, knownFailure: string | undefined): Promise<Found> {
  try {
    const result = await run();
    if (knownFailure !== undefined) {
      const error = new ExpectationFailed(
        `passes, but is listed as a known failure (${knownFailure}): take it off the list`,
      );
      return { outcome: "failed", sentence: error.message, error };
    }
    if (result !== undefined) return { outcome: "notApplicable", sentence: result.notApplicable };
    return { outcome: "passed", sentence: undefined };
  } catch (error) {
    if (error instanceof SetAside) return { outcome: "notApplicable", sentence: error.message };
    if (knownFailure !== undefined) return { outcome: "knownFailure", sentence: knownFailure };
    return { outcome: "failed", sentence: show(error), error };
  }
}

/** Ends the waiting for a promise that may never settle. The only use of the wall clock: a case that passes never gets there. */
export async function withPatience<T>(promise: Promise<T>, patienceMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const impatience = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ExpectationFailed(`hangs: nothing settled within ${patienceMs} ms`)),
      patienceMs,
    );
  });
  try {
    return await Promise.race([promise, impatience]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a suite without any framework, one case after the other, and gives its report. */
export async function runSuite(
  register: (runner: TestRunner & { report(found: SuiteReport): void }) => void,
): Promise<SuiteReport> {
  const tests: (() => Promise<void>)[] = [];
  let report: SuiteReport | undefined;
  register({
    describe: (_, body) => body(),
    it: (_, run) => void tests.push(run),
    report: (found) => {
      report = found;
    },
  });
  // Failures stand in the report; here they only must not stop the rest.
  for (const test of tests) await test().catch(() => undefined);
  return report ?? fail("the suite ended without a report");
}
