import { FaultCode, FaultError } from "../fault.ts";

/** The fault of a document that is well-formed, but no call and no response. */
export function invalid(what: string, cause?: unknown): FaultError {
  return new FaultError(FaultCode.InvalidRequest, `ValueError: ${what}`, cause === undefined ? undefined : { cause });
}

/** The fault of a document that is no XML. */
export function notWellFormed(what: string, cause?: unknown): FaultError {
  return new FaultError(FaultCode.NotWellFormed, `ParserError: ${what}`, cause === undefined ? undefined : { cause });
}
