import type { Scheduler } from "../../../src/contracts/values.ts";
import { durationWords } from "./time-words.ts";

/** When it makes its builder build: `after commits on main`. */
export function schedulerWords(scheduler: Scheduler): string {
  switch (scheduler.kind) {
    case "change": {
      const { branches } = scheduler;
      return branches.includes("*") ? "after commits" : `after commits on ${branches.join(", ")}`;
    }
    case "periodic":
      return `every ${durationWords(scheduler.everySeconds * 1000)}${onlyWhen(scheduler)}`;
    case "nightly":
      return `at the times of ${scheduler.cron}${onlyWhen(scheduler)}`;
    default:
      return `after good builds of ${scheduler.upstream}`;
  }
}

function onlyWhen({ onlyWhenChanged }: { readonly onlyWhenChanged: boolean }): string {
  return onlyWhenChanged ? " when there is something new" : "";
}
