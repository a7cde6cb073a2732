import { decodeDocument } from "../codec/charset.ts";
import { FaultCode, FaultError } from "../fault.ts";
import type { EndpointRequest } from "../server/endpoint.ts";
import { parsedText } from "../server/json-input.ts";

/** A JSON body that is one object; nothing at all counts as an empty one. Throws FaultError -32700 to -32702 and -32600. */
export function jsonObject({ body, contentType }: EndpointRequest): Readonly<Record<string, unknown>> {
  const text = decodeDocument(body, contentType);
  if (text.trim() === "") return {};
  const value = parsedText(text, "the body");
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FaultError(FaultCode.InvalidRequest, "ValueError: the body must be a JSON object");
  return value as Readonly<Record<string, unknown>>;
}
