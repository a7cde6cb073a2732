import { RpcError } from "@rpc/core";
import { fieldError, hasPath, MAX_DEPTH } from "./field-error.ts";

/**
 * The writer refuses a text with a lone surrogate, but does not know whose it is. Looking for it afterwards costs nothing as long as
 * texts are whole.
 */
export function locateBrokenText(caught: unknown, value: unknown): unknown {
  if (!(caught instanceof RpcError) || caught.reason !== "INVALID_ARGUMENT" || hasPath(caught)) return caught;
  const path = pathOfBrokenText(value, "", 0);
  return path === undefined ? caught : fieldError(path, "must be well-formed text, got one with a lone surrogate");
}

function pathOfBrokenText(value: unknown, path: string, depth: number): string | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : path;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || depth > MAX_DEPTH) return undefined;
  const entries: Iterable<readonly [unknown, unknown]> =
    value instanceof Map || Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, item] of entries) {
    if (typeof key === "string" && !key.isWellFormed()) return path;
    const step =
      typeof key === "string" && !(value instanceof Map) ? `${path === "" ? "" : "."}${key}` : `[${String(key)}]`;
    const found = pathOfBrokenText(item, `${path}${step}`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
