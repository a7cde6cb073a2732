import type { Clock } from "../words/clock.ts";

/** Stops a timer, if there is one, and gives what stands for none. */
export function stopped(clock: Clock, timer: unknown): undefined {
  if (timer !== undefined) clock.clearTimeout(timer);
}
