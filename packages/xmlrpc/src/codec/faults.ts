import { FaultCode, FaultError } from "../fault.ts";
import type { DocumentLimits } from "../profiles.ts";

/** The fault of a document that is well-formed, but no call and no response. */
export function invalid(what: string, cause?: unknown): FaultError {
  return new FaultError(FaultCode.InvalidRequest, `ValueError: ${what}`, cause === undefined ? undefined : { cause });
}

/** The fault of a document that is no XML. */
export function notWellFormed(what: string, cause?: unknown): FaultError {
  return new FaultError(FaultCode.NotWellFormed, `ParserError: ${what}`, cause === undefined ? undefined : { cause });
}

/** The fault of a document that is beyond one of the limits. */
export class LimitFault extends FaultError {
  readonly limit: keyof DocumentLimits;

  constructor(limit: keyof DocumentLimits, what: string) {
    super(FaultCode.System, `LimitError: ${what}`);
    this.limit = limit;
  }
}
