import { FaultCode, FaultError } from "../fault.ts";

/** The text of a JSON body, which is UTF-8 by its standard. Throws FaultError -32702. */
export function textOfBody(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (thrown) {
    throw new FaultError(FaultCode.InvalidCharacter, "UnicodeDecodeError: the body is not UTF-8", { cause: thrown });
  }
}

/** A JSON text that is one object; nothing at all counts as an empty one. Throws FaultError -32700 or -32600. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === "") return {};
  const value = parsed(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FaultError(FaultCode.InvalidRequest, "ValueError: the body must be a JSON object");
  return value as Readonly<Record<string, unknown>>;
}

function parsed(text: string): unknown {
  try {
    // A member named __proto__ is an own one here, as JSON.parse makes it; nobody copies it by assignment.
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    throw new FaultError(FaultCode.NotWellFormed, `JSONDecodeError: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.slice(0, 200) : "the body is not JSON";
}
