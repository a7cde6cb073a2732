import { type Metadata, RpcError, type StatusCode, isStatusCode } from "@rpc/core";
import { dynamicCodec, isCallError, type MethodDescriptor, outcomeOf, retryDelayOf } from "@rpc/core/transport";
import type { JsonText } from "../store/store-words.ts";
import { CommandFailure } from "./command-failure.ts";
import { isRecord, type Json, jsonText, memberOf, numberIn, textIn, valueOfJson } from "./json-text.ts";
import { readMetadata, recordOf } from "./meta.ts";
import { isTooLargeForRow } from "./spill.ts";

/**
 * A row's `error`: `{"code": <one of these words>, "message": …}`, and beside them, where they say more than the word does, `status`
 * (the status code), `reason`, `details`, `retryable`, `delivered`, `type` (class of what was thrown), `failure` ({title, text, code}), `stack`,
 * `metadata`, and from the queue itself `outcome` (`no`: the handler has not run; `unknown`).
 */
type FailureCode =
  | "METHOD_NOT_FOUND"
  | "INVALID_ARGS"
  | "COMMAND_FAILURE"
  | "NESTED_RPC"
  | "INTERNAL"
  | "RESULT_UNSERIALIZABLE"
  | "EXPIRED"
  | "CANCELLED"
  | "LEASE_LOST"
  | "NO_AGENT";

const STATUSES: ReadonlyMap<string, StatusCode> = new Map<FailureCode, StatusCode>([
  ["METHOD_NOT_FOUND", "UNIMPLEMENTED"],
  ["INVALID_ARGS", "INVALID_ARGUMENT"],
  ["COMMAND_FAILURE", "UNKNOWN"],
  ["NESTED_RPC", "UNKNOWN"],
  ["INTERNAL", "INTERNAL"],
  ["RESULT_UNSERIALIZABLE", "INTERNAL"],
  ["EXPIRED", "DEADLINE_EXCEEDED"],
  ["CANCELLED", "CANCELLED"],
  ["LEASE_LOST", "UNAVAILABLE"],
  ["NO_AGENT", "UNAVAILABLE"],
]);

/** Longest text of a message or a stack. */
const MAX_TEXT = 64 * 1024;

export interface Failure {
  readonly error: JsonText;
  /** The error's details, where they are too large to stand in it. */
  readonly largeDetails: JsonText | undefined;
  /** Whether another try may help; a store tries again only where attempts are left. */
  readonly retryable: boolean;
  /** The pause that the handler asked for. */
  readonly retryDelayMs: number | undefined;
}

export interface FailureOptions {
  /** Said by whoever knows better than the error: it could not be dispatched, its result could not be written. */
  readonly code?: FailureCode | undefined;
  readonly exposeStacks?: boolean | undefined;
  /** What the handler said beside its reply. */
  readonly metadata?: Metadata | undefined;
}

/** What an agent writes of what was thrown. Never throws, whatever the value is. */
export function failureOf(
  thrown: unknown,
  method: MethodDescriptor | undefined,
  options: FailureOptions = {},
): Failure {
  const error = RpcError.from(thrown);
  const code = options.code ?? codeOf(thrown, error);
  const json: Record<string, unknown> = { code, message: wellFormed(error.message), status: error.code };
  if (error.reason !== undefined) json["reason"] = wellFormed(error.reason);
  if (error.retryable !== (error.code === "UNAVAILABLE")) json["retryable"] = error.retryable;
  const delivered = deliveredOf(error);
  if (delivered !== undefined) json["delivered"] = delivered;
  if (error !== thrown) json["type"] = typeNameOf(thrown);
  if (error instanceof CommandFailure) {
    json["failure"] = { title: error.title, text: error.text, code: error.failureCode };
  }
  if (options.exposeStacks === true) json["stack"] = stackOf(error);
  json["metadata"] = recordOf(options.metadata);
  return {
    ...withDetails(json, error, method),
    retryable: isRetryable(code, error, method),
    retryDelayMs: retryDelayOf(error),
  };
}

function codeOf(thrown: unknown, error: RpcError): FailureCode {
  if (error instanceof CommandFailure) return "COMMAND_FAILURE";
  if (isCallError(error)) return "NESTED_RPC";
  if (error !== thrown) return "INTERNAL";
  if (error.code === "UNIMPLEMENTED" && error.reason === "METHOD_NOT_FOUND") return "METHOD_NOT_FOUND";
  if (error.code === "INVALID_ARGUMENT" && (error.reason === "INVALID_ARGUMENT" || error.reason === "INVALID_ARGS"))
    return "INVALID_ARGS";
  if (error.reason === "RESULT_UNSERIALIZABLE") return "RESULT_UNSERIALIZABLE";
  return error.code === "INTERNAL" ? "INTERNAL" : "COMMAND_FAILURE";
}

/** What did not arrive is a call that the handler made; its own has arrived. */
function deliveredOf(error: RpcError): RpcError["delivered"] {
  return error.delivered === "no" && isCallError(error) ? "unknown" : error.delivered;
}

function isRetryable(code: FailureCode, error: RpcError, method: MethodDescriptor | undefined): boolean {
  if (code === "NESTED_RPC") return error.retryable;
  if (code === "METHOD_NOT_FOUND" || code === "INVALID_ARGS" || code === "RESULT_UNSERIALIZABLE") return false;
  if (error instanceof CommandFailure) return false;
  if (method === undefined) return error.retryable;
  return outcomeOf(error, method) === "retry";
}

/** Details that cannot be written are left out: the error itself must arrive. */
function withDetails(
  json: Json,
  error: RpcError,
  method: MethodDescriptor | undefined,
): Pick<Failure, "error" | "largeDetails"> {
  const text = JSON.stringify(json);
  let details: JsonText | undefined = undefined;
  if (error.details !== undefined && !(error instanceof CommandFailure)) {
    try {
      details = jsonText(method?.errors.get(error.reason ?? "")?.codec ?? dynamicCodec, error.details);
    } catch {
      // See above.
    }
  }
  if (details === undefined) return { error: text, largeDetails: undefined };
  if (isTooLargeForRow(details)) return { error: text, largeDetails: details };
  return { error: errorWithDetails(text, details), largeDetails: undefined };
}

/** The text of an error with that of its details, or of what stands in their place. */
export function errorWithDetails(error: JsonText, details: JsonText): JsonText {
  return `${error.slice(0, -1)},"details":${details}}`;
}

/** The error that a parsed `error` tells of. `name` is the call's, for the messages of what the queue itself has ended. Never throws. */
export function errorOfFailure(json: unknown, name: string, method: MethodDescriptor | undefined): RpcError {
  const row: Json = isRecord(json) ? json : { message: "failed without an error that can be read" };
  const failure = failureIn(row);
  if (failure !== undefined) return failure;
  const word = textIn(row, "code") ?? "INTERNAL";
  const said = textIn(row, "status");
  const status = isStatusCode(said) ? said : (STATUSES.get(word) ?? "UNKNOWN");
  // Who says a status has said the reason as well, if there is one; the queue's own words are their reason.
  const reason = textIn(row, "reason") ?? (said === undefined ? word : undefined);
  const retryable = memberOf(row, "retryable");
  return new RpcError(status, textIn(row, "message") ?? queueMessage(word, name), {
    reason,
    details: detailsIn(row, reason, method),
    retryable: typeof retryable === "boolean" ? retryable : undefined,
    delivered: deliveredIn(row),
    remoteStack: textIn(row, "stack"),
  });
}

/** What the handler said beside its failure. */
export function failureMetadata(json: unknown): Metadata | undefined {
  return isRecord(json) ? readMetadata(memberOf(json, "metadata")) : undefined;
}

function failureIn(row: Json): CommandFailure | undefined {
  if (textIn(row, "code") !== "COMMAND_FAILURE") return undefined;
  // A foreign agent may write title and text beside the word.
  const failure = memberOf(row, "failure") ?? (Object.hasOwn(row, "title") ? { ...row, code: undefined } : undefined);
  if (!isRecord(failure)) return undefined;
  return new CommandFailure(textIn(failure, "title") ?? "", textIn(failure, "text") ?? "", {
    code: numberIn(failure, "code"),
  });
}

function deliveredIn(row: Json): RpcError["delivered"] {
  const said = memberOf(row, "delivered") ?? memberOf(row, "outcome");
  return said === "no" || said === "unknown" ? said : undefined;
}

function detailsIn(row: Json, reason: string | undefined, method: MethodDescriptor | undefined): unknown {
  if (!Object.hasOwn(row, "details")) return undefined;
  try {
    return valueOfJson(method?.errors.get(reason ?? "")?.codec ?? dynamicCodec, row["details"]);
  } catch {
    return undefined;
  }
}

function queueMessage(word: string, name: string): string {
  switch (word) {
    case "EXPIRED":
      return `${name}: expired before an agent took it; see that one is running, or give it more time with expires`;
    case "CANCELLED":
      return `${name}: cancelled`;
    case "LEASE_LOST":
      return `${name}: its agent was lost while it ran, nobody knows how far it came; let it be tried again with maxAttempts if it may run twice`;
    case "NO_AGENT":
      return `${name}: no live agent is subscribed to its address`;
    default:
      return `${name}: failed (${word})`;
  }
}

function wellFormed(text: string): string {
  return (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text).toWellFormed();
}

function typeNameOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return typeof thrown;
    const name: unknown = thrown.name === "Error" ? thrown.constructor.name : thrown.name;
    return typeof name === "string" ? wellFormed(name.slice(0, 100)) : "Error";
  } catch {
    // A getter that throws (hostile inputs H91).
    return "Error";
  }
}

function stackOf(error: RpcError): string | undefined {
  try {
    const thrown = error.cause instanceof Error ? error.cause : error;
    return typeof thrown.stack === "string" ? wellFormed(thrown.stack) : undefined;
  } catch {
    return undefined;
  }
}
