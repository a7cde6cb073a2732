import { RpcError } from "../words/rpc-error.ts";

/** Throws INVALID_ARGUMENT unless an option is a whole number within bounds. */
export function wholeNumber(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw refusedOption(name, `a whole number of at least ${least}`, value);
}

/** Throws INVALID_ARGUMENT unless an option is a number above 0. */
export function aboveZero(name: string, value: number): number {
  if (value > 0) return value;
  throw refusedOption(name, "a number above 0", value);
}

function refusedOption(name: string, what: string, value: unknown): RpcError {
  return new RpcError("INVALID_ARGUMENT", `option ${name} must be ${what}, got ${String(value)}`, {
    reason: "INVALID_ARGUMENT",
  });
}
