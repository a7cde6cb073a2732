import { RpcError } from "@rpc/core";
import { errorWithDetails } from "../command/failure.ts";
import { PARTS_AT_ONCE, partsOf, spillText } from "../command/spill.ts";
import type { QueueStore } from "../store/store.ts";
import type { HeldCommand } from "./held-command.ts";

/**
 * Writes what is too large for a row into the command's events, and puts into the answer where it is. Gives what the store refused. After a
 * throw all of it is to be written again: who reads takes each part once.
 */
export async function writeParts(
  append: QueueStore["appendEvents"],
  command: HeldCommand,
): Promise<RpcError | undefined> {
  const { claim, spill: text = "", verdict } = command;
  const parts = partsOf(text, claim.attempt);
  let afterSeq: number | undefined = undefined;
  for (let from = 0; from < parts.length; from += PARTS_AT_ONCE) {
    const events = parts.slice(from, from + PARTS_AT_ONCE);
    const [result] = await append([{ id: claim.id, token: claim.token, events }]);
    if (result === undefined || result instanceof RpcError) return result ?? new RpcError("INTERNAL", "no answer");
    afterSeq ??= result.seq - events.length;
  }
  const where = spillText({
    attempt: claim.attempt,
    parts: parts.length,
    characters: text.length,
    afterSeq: afterSeq ?? 0,
  });
  if (verdict?.outcome === "done") command.verdict = { outcome: "done", result: where };
  else if (verdict?.outcome === "failed")
    command.verdict = { ...verdict, error: errorWithDetails(verdict.error, where) };
  return undefined;
}
