import type { Results, Step } from "../../contracts/values.ts";
import type { ProcessEnd } from "../step/process-group.ts";

export interface StepOutcome {
  readonly results: Results;
  readonly summary: string;
  readonly exitCode?: number;
}

/** From the best to the worst. */
const ORDER: readonly Results[] = ["skipped", "success", "warnings", "failure", "exception", "cancelled", "retry"];

export function worseOf(one: Results, other: Results): Results {
  return ORDER.indexOf(one) >= ORDER.indexOf(other) ? one : other;
}

/** What a process's end says of its step. */
export function outcomeOf(end: ProcessEnd, step: Pick<Step, "noOutputTimeoutSeconds" | "maxSeconds">): StepOutcome {
  switch (end.kind) {
    case "exit":
      return end.code === 0
        ? { results: "success", summary: "", exitCode: 0 }
        : { results: "failure", summary: `exit code ${end.code}`, exitCode: end.code };
    case "killed":
      return { results: "failure", summary: `killed by ${end.by}` };
    case "unstarted":
      return { results: "failure", summary: `it cannot be started: ${end.why}` };
    default:
      if (end.why === "signal") return { results: "cancelled", summary: "stopped" };
      return {
        results: "failure",
        summary:
          end.why === "no output"
            ? `no output for ${step.noOutputTimeoutSeconds} s`
            : `stopped after ${step.maxSeconds} s`,
      };
  }
}

/** What a step's result means for its build, and whether the steps after it are left out. */
export function meaningOf(
  results: Results,
  step: Pick<Step, "haltOnFailure" | "flunkOnFailure" | "warnOnFailure">,
): { readonly build: Results; readonly halts: boolean } {
  if (results !== "failure") {
    return {
      build: results === "skipped" ? "success" : results,
      halts: !["success", "warnings", "skipped"].includes(results),
    };
  }
  const build = step.flunkOnFailure ? "failure" : step.warnOnFailure ? "warnings" : "success";
  return { build, halts: step.haltOnFailure };
}
