import type { InstallSize } from "../harness/install-size.ts";
import type { Machine } from "../harness/machine.ts";
import type { Measurements } from "../harness/measurements.ts";
import type { BenchOptions } from "../harness/options.ts";
import type { Verdict } from "./targets.ts";

/** All that a report is made of. */
export interface BenchRun {
  readonly startedAt: Date;
  readonly machine: Machine;
  readonly options: BenchOptions;
  readonly measurements: Measurements;
  readonly install: { readonly ours: InstallSize; readonly grpc: InstallSize } | undefined;
  readonly verdicts: readonly Verdict[];
}
