import { RpcError } from "@rpc/core";
import { isRecord, type Json, memberOf } from "../command/json-text.ts";
import { readSpilled, spillIn } from "../command/spill.ts";
import type { Engine } from "./engine.ts";

/** Whether the JSON of what a command has come to stands in its events, wholly or in part. */
export function isSpilled(json: unknown): boolean {
  if (Array.isArray(json)) return json.some((copy) => isRecord(copy) && isCopySpilled(copy));
  return spillIn(json) !== undefined || spillIn(detailsOf(json)) !== undefined;
}

/** The same JSON with all that belongs to it. Rejects RESOURCE_EXHAUSTED, or INTERNAL when not all of it is there. */
export async function unspilled(engine: Engine, id: number, json: unknown): Promise<unknown> {
  if (!Array.isArray(json)) return whole(engine, id, json);
  // A broadcast's: each copy has its own events, and its own fault when they cannot be read.
  const copies: unknown[] = [];
  for (const copy of json as readonly unknown[]) {
    copies.push(isRecord(copy) && isCopySpilled(copy) ? await wholeCopy(engine, copy) : copy);
  }
  return copies;
}

function isCopySpilled(copy: Json): boolean {
  return isSpilled(memberOf(copy, "result")) || isSpilled(memberOf(copy, "error"));
}

async function wholeCopy(engine: Engine, copy: Json): Promise<Json> {
  const part = Object.hasOwn(copy, "error") ? "error" : "result";
  try {
    return { ...copy, [part]: await whole(engine, Number(copy["id"]), copy[part]) };
  } catch (thrown) {
    const { code, message, reason } = RpcError.from(thrown);
    return { ...copy, state: "failed", error: { code: "INTERNAL", status: code, reason, message } };
  }
}

async function whole({ store, settings: { maxResultBytes } }: Engine, id: number, json: unknown): Promise<unknown> {
  const result = spillIn(json);
  if (result !== undefined) return readSpilled(store, id, result, maxResultBytes);
  const details = spillIn(detailsOf(json));
  if (details === undefined || !isRecord(json)) return json;
  return { ...json, details: await readSpilled(store, id, details, maxResultBytes) };
}

function detailsOf(json: unknown): unknown {
  return isRecord(json) ? memberOf(json, "details") : undefined;
}
