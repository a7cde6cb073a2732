import { Metadata } from "@rpc/core";
import type { JsonText } from "../store/store-words.ts";
import { isRecord, type Json, memberOf, numberIn, parsedJson, textIn } from "./json-text.ts";

/** What a command's `meta` says: what is neither an argument nor the queue's own business. Everything may be missing. */
export interface CommandMeta {
  /** Full name of the method's contract. Missing: the issuer knew only the method's name. */
  readonly contract?: string | undefined;
  /** The caller's `handle.id`. */
  readonly callId?: string | undefined;
  /** `traceparent` is among it. */
  readonly metadata?: Metadata | undefined;
  readonly depth?: number | undefined;
  /** False: nobody reads progress and log, which are not written then. Missing: whoever looks at the table may. */
  readonly observed?: boolean | undefined;
  /** `protobuf`: the one argument is a message that a gateway passed on as it was. */
  readonly payload?: "protobuf" | undefined;
  /** The caller's deadline is so long after the command's expiry, in milliseconds. Missing: it has none. */
  readonly deadlineLagMs?: number | undefined;
  /** The command of which this one is another try, by hand. */
  readonly retryOf?: number | undefined;
}

export function metaText(meta: CommandMeta): JsonText {
  return JSON.stringify({ ...meta, metadata: recordOf(meta.metadata) });
}

/** Never throws: what is not understood is left out. */
export function readMeta(text: JsonText): CommandMeta {
  let json: unknown;
  try {
    json = parsedJson(text, "meta");
  } catch {
    return {};
  }
  if (!isRecord(json)) return {};
  const depth = numberIn(json, "depth");
  return {
    contract: textIn(json, "contract"),
    callId: textIn(json, "callId"),
    metadata: readMetadata(memberOf(json, "metadata")),
    depth: depth !== undefined && Number.isInteger(depth) && depth >= 0 ? depth : undefined,
    observed: memberOf(json, "observed") === false ? false : undefined,
    payload: memberOf(json, "payload") === "protobuf" ? "protobuf" : undefined,
    deadlineLagMs: numberIn(json, "deadlineLagMs"),
    retryOf: numberIn(json, "retryOf"),
  };
}

/** What is left of the caller's deadline, in milliseconds from the claim; undefined: it has none. `remainingMs` is the claim's. */
export function timeLeftMs(meta: CommandMeta, remainingMs: number | undefined): number | undefined {
  if (remainingMs === undefined || meta.deadlineLagMs === undefined) return undefined;
  return remainingMs + meta.deadlineLagMs;
}

/** Metadata as a record; undefined for none. */
export function recordOf(metadata: Metadata | undefined): Json | undefined {
  if (metadata === undefined || metadata.size === 0) return undefined;
  // A key may be called __proto__.
  const record = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of metadata) record[key] = value;
  return record;
}

/** Metadata of a record; what cannot be metadata is left out. */
export function readMetadata(json: unknown): Metadata | undefined {
  if (!isRecord(json)) return undefined;
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(json)) {
    if (typeof value !== "string") continue;
    try {
      metadata.set(key, value);
    } catch {
      // No key or no value of metadata.
    }
  }
  return metadata;
}
