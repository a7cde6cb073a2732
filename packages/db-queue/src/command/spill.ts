import { RpcError } from "@rpc/core";
import type { QueueStore } from "../store/store.ts";
import type { JsonText, NewEvent } from "../store/store-words.ts";
import { isRecord, type Json, memberOf, numberIn, parsedJson, textIn } from "./json-text.ts";

/**
 * What is too large for its row stands in the command's events, in parts: a row is read whole by whoever lists, and an update writes it whole.
 * The row has `{"$spill": {attempt, parts, characters, afterSeq}}` in the place of a result, or of an error's details. No value can look like
 * it, as its own `$` would be doubled.
 */
const SPILL = "$spill";
/** Kind of an event that is a part: `{"attempt", "part", "text"}`. Nobody is shown it. */
export const PART = "$part";
/** Largest text that stands in the row itself. */
const MAX_ROW_BYTES = 1024 * 1024;
/** At most three bytes each: with that a part stays below the 64 KiB of an event. */
const PART_CHARACTERS = 20 * 1024;
/** Of one batch. */
export const PARTS_AT_ONCE = 16;

/** Where a text is to be found. */
export interface Spill {
  /** Of the try that has written it: others may have left theirs. */
  readonly attempt: number;
  readonly parts: number;
  readonly characters: number;
  /** Number of an event that was there before the first part. */
  readonly afterSeq: number;
}

export function isTooLargeForRow(text: JsonText): boolean {
  return text.length * 3 > MAX_ROW_BYTES && Buffer.byteLength(text) > MAX_ROW_BYTES;
}

export function partsOf(text: JsonText, attempt: number): NewEvent[] {
  const parts: NewEvent[] = [];
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + PART_CHARACTERS, text.length);
    // Half of a surrogate pair is no text.
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to -= 1;
    const data = JSON.stringify({ attempt, part: parts.length, text: text.slice(from, to) });
    parts.push({ kind: PART, data });
    from = to;
  }
  return parts;
}

/** What stands in the place of the text. */
export function spillText(spill: Spill): JsonText {
  return `{"${SPILL}":${JSON.stringify(spill)}}`;
}

/** Undefined: it stands where it is. */
export function spillIn(json: unknown): Spill | undefined {
  return isRecord(json) && Object.hasOwn(json, SPILL) ? readSpill(json[SPILL]) : undefined;
}

function readSpill(json: unknown): Spill | undefined {
  if (!isRecord(json)) return undefined;
  const attempt = countIn(json, "attempt");
  const parts = countIn(json, "parts");
  const characters = countIn(json, "characters");
  if (attempt === undefined || parts === undefined || characters === undefined) return undefined;
  return { attempt, parts, characters, afterSeq: countIn(json, "afterSeq") ?? 0 };
}

/** The JSON that stands in parts. Rejects RESOURCE_EXHAUSTED, `maxResultBytes`, or INTERNAL when it is not all there. */
export async function readSpilled(store: QueueStore, id: number, spill: Spill, maxBytes: number): Promise<unknown> {
  // No character has less than a byte.
  if (spill.characters > maxBytes) throw tooLarge(maxBytes);
  const texts = new Map<number, string>();
  let afterSeq = spill.afterSeq;
  while (texts.size < spill.parts) {
    const rows = await store.readEvents(id, { afterSeq, limit: PARTS_AT_ONCE });
    for (const { seq, kind, data } of rows) {
      afterSeq = seq;
      if (kind === PART) keepPart(texts, parsedJson(data, "a part"), spill);
    }
    if (rows.length === 0) break;
  }
  let text = "";
  for (let part = 0; part < spill.parts; part++) text += texts.get(part) ?? "";
  if (texts.size < spill.parts || text.length !== spill.characters) {
    const message = `it stands in ${spill.parts} parts, of which ${texts.size} are there`;
    throw new RpcError("INTERNAL", message, { reason: "INTERNAL" });
  }
  if (Buffer.byteLength(text) > maxBytes) throw tooLarge(maxBytes);
  return parsedJson(text, "what stands in parts");
}

/** One that was sent twice, because nobody knew whether it had arrived, counts once. */
function keepPart(texts: Map<number, string>, json: unknown, spill: Spill): void {
  if (!isRecord(json) || numberIn(json, "attempt") !== spill.attempt) return;
  const part = countIn(json, "part");
  const text = textIn(json, "text");
  if (part === undefined || part >= spill.parts || text === undefined || texts.has(part)) return;
  texts.set(part, text);
}

export function tooLarge(maxBytes: number): RpcError {
  return new RpcError("RESOURCE_EXHAUSTED", `the result has more than ${maxBytes} bytes`, { reason: "maxResultBytes" });
}

function countIn(json: Json, name: string): number | undefined {
  const value = memberOf(json, name);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
