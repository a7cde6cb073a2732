// A module as users register it, as a whole: the tests say which of these become commands.
import { expose } from "../../src/index.ts";

/** @public */
export const version = 3;

/** @public */
export function double(value: number): number {
  return value * 2;
}

/** @public */
export function _internal(): string {
  return "nobody may call this";
}

/** @public */
export const original: () => string = expose(() => "by another name", { name: "renamed" });

export class Helper {
  help(): void {
    // Not a command.
  }
}
