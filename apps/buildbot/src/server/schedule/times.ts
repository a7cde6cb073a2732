import { Cron } from "croner";
import type { Scheduler } from "../../contracts/values.ts";

/** When a scheduler fires first after an instant; null: it goes by other things than time, or its time never comes. */
export function nextAfter(scheduler: Scheduler, at: number): number | null {
  if (scheduler.kind === "periodic") return at + scheduler.everySeconds * 1000;
  if (scheduler.kind !== "nightly") return null;
  return nextOfCron(scheduler.cron, at);
}

/** In the server's time zone, summer time and all. Throws for what is no expression of five fields. */
export function nextOfCron(expression: string, at: number): number | null {
  const cron = new Cron(expression, { mode: "5-part", paused: true });
  return cron.nextRun(new Date(at))?.getTime() ?? null;
}
