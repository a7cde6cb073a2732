import { RpcError } from "@rpc/core";
import { CommandFailure } from "../command/command-failure.ts";
import { failureOf } from "../command/failure.ts";
import type { ClaimName, ErrorWords } from "./command-words.ts";
import type { AnswerWords } from "./store-shapes.ts";

/** The answer of a handler that ran and failed. Another try is made of all but refusals, when attempts are left and nobody says otherwise. */
export function exceptionAnswer({ id, token }: ClaimName, said: string | ErrorWords): AnswerWords {
  const words: ErrorWords = typeof said === "string" ? { message: said } : said;
  const isRefusal = words.title !== undefined;
  const { retryable = !isRefusal, retryDelayMs } = words;
  const thrown = isRefusal
    ? new CommandFailure(words.title ?? "", words.text ?? words.message ?? "", { code: words.code })
    : new RpcError("INTERNAL", words.message ?? words.text ?? "failed", {
        reason: words.reason,
        details: words.details,
        retryable: words.retryable,
      });
  const { error } = failureOf(thrown, undefined, { code: isRefusal ? "COMMAND_FAILURE" : "INTERNAL" });
  const typed =
    words.type === undefined ? error : `${error.slice(0, -1)},"type":${JSON.stringify(words.type.toWellFormed())}}`;
  return { id, token, outcome: "failed", error: typed, retryable, retryDelayMs };
}

/** The answer where nothing was started. */
export function failureAnswer(
  { id, token }: ClaimName,
  message: string,
  code: "METHOD_NOT_FOUND" | "INVALID_ARGS" = "METHOD_NOT_FOUND",
): AnswerWords {
  const status = code === "METHOD_NOT_FOUND" ? "UNIMPLEMENTED" : "INVALID_ARGUMENT";
  const { error } = failureOf(new RpcError(status, message, { reason: code }), undefined, { code });
  return { id, token, outcome: "failed", error, retryable: false };
}
