import { dynamicCodec } from "@rpc/core/transport";
import { isRecord, parsedJson } from "../command/json-text.ts";
import { readMeta, timeLeftMs } from "../command/meta.ts";
import type { Claim, CommandRow, JsonText, Outcome } from "../store/store-words.ts";
import type * as Words from "./command-words.ts";

/** A value as a row's text. Nothing is null: foreign languages have no undefined. Throws INVALID_ARGUMENT for what cannot travel. */
export function jsonOf(value: unknown): JsonText {
  return value === undefined ? "null" : dynamicCodec.stringify(value);
}

/** A claim with values in place of texts. */
export function popped(claim: Claim): Words.PoppedCommand {
  const { id, token, method, attempt, maxAttempts, notification } = claim;
  const args = valueOf(claim.args);
  const kwargs = valueOf(claim.kwargs);
  // Its own words, and no value of anybody's: tags have no meaning there.
  const meta = jsonOrNothing(claim.meta);
  const leftMs = timeLeftMs(readMeta(claim.meta), claim.remainingMs);
  return {
    id,
    token,
    method,
    args: Array.isArray(args) ? args : [args],
    kwargs: isRecord(kwargs) ? kwargs : {},
    meta: isRecord(meta) ? meta : {},
    attempt,
    maxAttempts,
    ...(leftMs !== undefined && { deadlineMs: Math.max(0, leftMs) }),
    notification,
  };
}

export function rowWords(row: CommandRow): Words.CommandWords {
  const { id, address, method, state, attempts, maxAttempts, agent, createdAt, claimedAt, finishedAt, createdBy } = row;
  const progress = row.progress === undefined ? undefined : valueOf(row.progress);
  return {
    id,
    address,
    method,
    state,
    attempts,
    maxAttempts,
    agent,
    createdAt,
    claimedAt,
    finishedAt,
    createdBy,
    ...(progress !== undefined && { progress }),
  };
}

export function outcomeWords({ id, state, result, error }: Outcome): Words.OutcomeWords {
  const value = result === undefined ? undefined : plainReply(valueOrJson(result));
  const json = error === undefined ? undefined : jsonOrNothing(error);
  return { id, state, ...(value !== undefined && { result: value }), ...(isRecord(json) && { error: json }) };
}

/** What an agent of this package wraps a value in, when it said metadata beside it. */
function plainReply(value: unknown): unknown {
  const reply: unknown = isRecord(value) && Object.keys(value).length === 1 ? value["$reply"] : undefined;
  if (!isRecord(reply)) return value;
  return valueOrJson(JSON.stringify(reply["value"] ?? null));
}

/** Rows are anybody's to write: what is no value of ours is given as it stands there. */
function valueOf(text: JsonText): unknown {
  return valueOrJson(text);
}

function valueOrJson(text: JsonText): unknown {
  const json = jsonOrNothing(text);
  try {
    return dynamicCodec.revive(json);
  } catch {
    return json;
  }
}

function jsonOrNothing(text: JsonText): unknown {
  try {
    return parsedJson(text, "a row");
  } catch {
    return undefined;
  }
}
