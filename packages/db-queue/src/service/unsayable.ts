import type { Peer } from "@rpc/core";
import type { Claim } from "../store/store-words.ts";
import type { PoppedCommand } from "./command-words.ts";
import type { AnswerWords } from "./store-shapes.ts";

// oxlint-disable-next-line no-control-regex -- those it looks for
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
/** Escapes of JSON behind which such a character can be, and numbers that are none. */
const SUSPECT = /\\[bfu]|[\ufffe\uffff]|"\$number"/;

/** Whether a command's arguments have what XML has no place for, where its agent may be told by XML: the answer would be lost, and the claim with it. */
export function isUnsayable(claim: Claim, { args, kwargs }: PoppedCommand, { endpoint }: Peer): boolean {
  if (!endpoint.startsWith("http")) return false;
  if (ILLEGAL.test(claim.method)) return true;
  return (SUSPECT.test(claim.args) || SUSPECT.test(claim.kwargs)) && (hasIllegal(args) || hasIllegal(kwargs));
}

export function unsayableAnswer({ id, token, method }: Claim): AnswerWords {
  const message = `${method.replaceAll(new RegExp(ILLEGAL, "g"), "\ufffd")}: its arguments have characters or numbers that XML has no place for, and its agent is called by XML: send bytes, or let an agent over another wire run it`;
  const error = JSON.stringify({ code: "INVALID_ARGS", message, status: "INVALID_ARGUMENT", reason: "INVALID_ARGS" });
  return { id, token, outcome: "failed", error, retryable: false };
}

/** Values of a row: no deeper than JSON of a row is. */
function hasIllegal(value: unknown): boolean {
  if (typeof value === "string") return ILLEGAL.test(value) || !value.isWellFormed();
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some(hasIllegal);
  return Object.entries(value).some(([name, member]) => ILLEGAL.test(name) || hasIllegal(member));
}
