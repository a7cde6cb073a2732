import type { CommandState } from "@rpc/db-queue";
import { InvalidArgumentError } from "commander";
import { spanMs } from "../text/time.ts";

/** Values of the command line. Each throws InvalidArgumentError for what is none. */

const STATES: readonly CommandState[] = ["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"];

export function commandId(text: string): number {
  const id = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new InvalidArgumentError("A command's id is a whole number above 0.");
}

/** Of an argument that may be repeated. */
export function commandIds(text: string, before: readonly number[] = []): number[] {
  return [...before, commandId(text)];
}

/** Of an option that may be repeated; with commas between as well. */
export function commandStates(text: string, before: readonly CommandState[] = []): CommandState[] {
  const states = text.split(",").map((word) => {
    const state = STATES.find((each) => each === word.trim());
    if (state === undefined) throw new InvalidArgumentError(`It is one of ${STATES.join(", ")}.`);
    return state;
  });
  return [...before, ...states];
}

/** In milliseconds. */
export function span(text: string): number {
  const ms = spanMs(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError("A time is a number and its unit: 500ms, 10s, 2m, 1h, 7d.");
}

/** From `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
  };
}
