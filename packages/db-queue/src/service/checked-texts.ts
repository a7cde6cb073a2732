import { RpcError } from "@rpc/core";
import type { Answer, EventBatch, JsonText, NewCommand } from "../store/store-words.ts";
import type { AnswerWords } from "./store-shapes.ts";

/** In characters: whoever has a login could write more, whoever has none cannot. */
const MAX_ARGUMENT = 2 * 1024 * 1024;
const MAX_META = 64 * 1024;
const MAX_RESULT = 4 * 1024 * 1024;
const MAX_ERROR = 256 * 1024;
const MAX_EVENT = 256 * 1024;

/** Why the texts of a command cannot be stored; undefined: they can. Rows are read by others, who rely on their being JSON. */
export function commandTextFault({ args, kwargs, meta }: NewCommand): RpcError | undefined {
  return (
    textFault("args", args, MAX_ARGUMENT, "a list") ??
    textFault("kwargs", kwargs, MAX_ARGUMENT, "an object") ??
    textFault("meta", meta, MAX_META, "an object")
  );
}

export function eventTextFault({ events }: EventBatch): RpcError | undefined {
  for (const { data } of events) {
    const fault = textFault("an event's data", data, MAX_EVENT);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The answer with what belongs to its outcome, or why it is none. */
export function answerOf({
  id,
  token,
  outcome,
  result,
  error,
  retryable,
  retryDelayMs,
}: AnswerWords): Answer | RpcError {
  if (outcome === "released") return { id, token, outcome };
  if (outcome === "done") {
    const text = result ?? "null";
    return textFault("a result", text, MAX_RESULT) ?? { id, token, outcome, result: text };
  }
  if (error === undefined) return invalid(`an answer that says ${outcome} needs an error`);
  const fault = textFault("an error", error, MAX_ERROR, "an object");
  if (fault !== undefined) return fault;
  return outcome === "failed" ? { id, token, outcome, error, retryable, retryDelayMs } : { id, token, outcome, error };
}

function textFault(
  what: string,
  text: JsonText | undefined,
  maxLength: number,
  kind?: "a list" | "an object",
): RpcError | undefined {
  if (text === undefined) return undefined;
  if (text.length > maxLength) {
    const message = `${what} of ${text.length} characters: no more than ${maxLength} can be stored; send it in parts, or a reference`;
    return new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxMessageBytes", delivered: "no" });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return invalid(`${what} must be JSON`);
  }
  const isList = Array.isArray(json);
  if (kind === "a list" ? isList : kind === undefined || (typeof json === "object" && json !== null && !isList))
    return undefined;
  return invalid(`${what} must be ${kind}`);
}

function invalid(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", message, { reason: "INVALID_ARGUMENT", delivered: "no" });
}
