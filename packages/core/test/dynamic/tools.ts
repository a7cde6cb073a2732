// A module as users register it; the tests say which of these become commands.
import { expose } from "../../src/index.ts";

export const version = 3;

export function double(value: number): number {
  return value * 2;
}

export function _internal(): string {
  return "nobody may call this";
}

export const original: () => string = expose(() => "by another name", { name: "renamed" });

export class Helper {
  help(): void {
    // Not a command.
  }
}
