import { RpcError } from "@rpc/core";
import { MAX_TIMER_MS } from "@rpc/core/transport";

/** The error of a value or an option that this package cannot take. */
export function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT" });
}

/** The value of an option that counts something, or its default. Throws INVALID_ARGUMENT for what is no whole number within the bounds. */
export function wholeNumber(
  name: string,
  value: number | undefined,
  preset: number,
  least = 0,
  most: number = MAX_TIMER_MS,
): number {
  if (value === undefined) return preset;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw refused(`option ${name} must be a whole number from ${least} to ${most}, got ${String(value)}`);
}
