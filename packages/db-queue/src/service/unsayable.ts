import type { Peer } from "@rpc/core";
import type { Claim } from "../store/store-words.ts";
import type { PoppedCommand } from "./command-words.ts";
import type { AnswerWords } from "./store-shapes.ts";

// oxlint-disable-next-line no-control-regex -- those it looks for
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
/** Messages nest 64 deep, of which the answer itself has some. */
const MAX_DEPTH = 56;
/** Escapes of JSON behind which such a character can be, and numbers that are none. */
const SUSPECT = /\\[bfu]|[\ufffe\uffff]|"\$number"/;

/**
 * Why a command cannot be told to who has popped it by values; undefined: it can. The whole answer would be lost for it, and with it the claims
 * of the others.
 */
export function unsayableAnswer(claim: Claim, command: PoppedCommand, { endpoint }: Peer): AnswerWords | undefined {
  if (isTooDeep(command.args) || isTooDeep(command.kwargs) || isTooDeep(command.meta)) {
    return refusal(claim, `lists and records more than ${MAX_DEPTH} deep`);
  }
  if (!endpoint.startsWith("http")) return undefined;
  const isSuspect = SUSPECT.test(claim.args) || SUSPECT.test(claim.kwargs) || SUSPECT.test(claim.meta);
  const { args, kwargs, meta } = command;
  if (!ILLEGAL.test(claim.method) && !(isSuspect && [args, kwargs, meta].some(hasIllegal))) return undefined;
  return refusal(
    claim,
    "characters or numbers that XML has no place for: send bytes, or let an agent over another wire run it",
  );
}

/** For a command that no message can hold. */
export function tooLargeAnswer(claim: Claim): AnswerWords & { readonly outcome: "failed"; readonly error: string } {
  return refusal(claim, "more text than a message of the service holds: send it in parts, or a reference");
}

function refusal({ id, token, method }: Claim, what: string): AnswerWords & { outcome: "failed"; error: string } {
  const name = method.replaceAll(new RegExp(ILLEGAL, "g"), "\ufffd");
  const message = `${name}: its arguments have ${what}`;
  const error = JSON.stringify({ code: "INVALID_ARGS", message, status: "INVALID_ARGUMENT", reason: "INVALID_ARGS" });
  return { id, token, outcome: "failed", error, retryable: false };
}

/** Recurses no deeper than it lets pass. */
function isTooDeep(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array) return false;
  if (depth === MAX_DEPTH) return true;
  for (const member of Array.isArray(value) ? value : Object.values(value))
    if (isTooDeep(member, depth + 1)) return true;
  return false;
}

/** Values of a row: no deeper than JSON of a row is. */
function hasIllegal(value: unknown): boolean {
  if (typeof value === "string") return ILLEGAL.test(value) || !value.isWellFormed();
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Uint8Array) return false;
  if (Array.isArray(value)) return value.some(hasIllegal);
  return Object.entries(value).some(([name, member]) => ILLEGAL.test(name) || hasIllegal(member));
}
