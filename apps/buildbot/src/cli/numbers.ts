import { InvalidArgumentError } from "commander";

/** Of an option: whole numbers from `least` on. */
export function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`it is no whole number from ${least}`);
    }
    return value;
  };
}
