/** Measures all entrants in one run, prints the report, writes it, and judges it with `--check`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { measureInstallSizes } from "./harness/install-size.ts";
import { describeMachine } from "./harness/machine.ts";
import { Measurements } from "./harness/measurements.ts";
import { optionsFrom, USAGE, UsageError, type BenchOptions } from "./harness/options.ts";
import { measureAll } from "./harness/run-all.ts";
import type { BenchRun } from "./report/bench-run.ts";
import { jsonOf } from "./report/json.ts";
import { dateOf, markdownOf } from "./report/markdown.ts";
import { judgeTargets } from "./report/targets.ts";

try {
  process.exitCode = await bench(optionsFrom(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}

async function bench(options: BenchOptions): Promise<number> {
  const startedAt = new Date();
  const measurements = new Measurements();
  await measureAll(options, measurements, (line) => console.error(line));
  if (options.measuresInstall) console.error("install size");
  const install = options.measuresInstall ? await measureInstallSizes() : undefined;
  const run: BenchRun = {
    startedAt,
    machine: describeMachine(),
    options,
    measurements,
    install,
    verdicts: judgeTargets(measurements, install),
  };
  console.log(markdownOf(run));
  if (options.outFolder !== undefined) await writeReport(run, options.outFolder);
  return options.checks ? printMissed(run) : 0;
}

async function writeReport(run: BenchRun, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${dateOf(run)}.md`), markdownOf(run));
  await writeFile(join(folder, `${dateOf(run)}.json`), jsonOf(run));
  console.error(`written to ${join(folder, dateOf(run))}.md and .json`);
}

/** What could not be judged counts as missed: a target that nobody measured is not reached. */
function printMissed({ verdicts }: BenchRun): number {
  const missed = verdicts.filter((verdict) => verdict.reached !== true);
  for (const { title, mustReach, reading } of missed)
    console.error(`missed: ${title}: must reach ${mustReach}, reading ${reading}`);
  console.error(`${verdicts.length - missed.length} of ${verdicts.length} targets reached`);
  return missed.length === 0 ? 0 : 1;
}
