import { RpcError } from "@rpc/core";
import { invalid } from "../codec/faults.ts";
import { FaultCode, FaultError } from "../fault.ts";

const MAX_DEPTH = 64;
const MAX_ELEMENTS = 1_000_000;

/**
 * Parsed JSON from outside as values: records without prototype, so that `__proto__` is a member like all others. Throws RESOURCE_EXHAUSTED
 * beyond 64 levels and a million elements, a fault for text with lone surrogates and for numbers that no double holds.
 */
function checkedJson(json: unknown): unknown {
  budget = MAX_ELEMENTS;
  return checked(json, 0);
}

/** {@link checkedJson} of a text. Throws FaultError -32700 for what is no JSON; `what` names it. */
export function parsedText(text: string, what: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the document.
    throw new FaultError(FaultCode.NotWellFormed, `JSONDecodeError: ${what} is not JSON`);
  }
  return checkedJson(json);
}

// Shared by the recursion of one synchronous `checkedJson`, to save an argument on every level.
let budget = 0;

function checked(json: unknown, depth: number): unknown {
  if (--budget < 0)
    throw new RpcError("RESOURCE_EXHAUSTED", `the document has more than ${MAX_ELEMENTS} elements`, {
      reason: "maxElements",
    });
  switch (typeof json) {
    case "string":
      if (!json.isWellFormed()) throw invalid("the document has text with a lone surrogate");
      return json;
    case "number":
      if (!Number.isFinite(json)) throw invalid("the document has a number beyond the range of a double");
      return json;
    case "object":
      break;
    default:
      return json;
  }
  if (json === null) return null;
  if (depth >= MAX_DEPTH)
    throw new RpcError("RESOURCE_EXHAUSTED", `the document is nested deeper than ${MAX_DEPTH} levels`, {
      reason: "maxDepth",
    });
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) json[i] = checked(json[i], depth + 1);
    return json;
  }
  const record = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(json)) {
    if (!name.isWellFormed()) throw invalid("the document has a name with a lone surrogate");
    record[name] = checked(Object.getOwnPropertyDescriptor(json, name)?.value, depth + 1);
  }
  return record;
}
