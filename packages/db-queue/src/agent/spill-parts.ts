import { RpcError } from "@rpc/core";
import { errorWithDetails } from "../command/failure.ts";
import { PARTS_AT_ONCE, partsOf, spillText } from "../command/spill.ts";
import type { QueueStore } from "../store/store.ts";
import type { HeldCommand } from "./held-command.ts";

/**
 * Writes what is too large for a row into the command's events, and puts into the answer where it is. Gives what the store refused. After a
 * throw it goes on with the part that nobody knows of, which is not written twice.
 */
export async function writeParts(
  append: QueueStore["appendEvents"],
  command: HeldCommand,
): Promise<RpcError | undefined> {
  const { claim, spill: text = "", verdict } = command;
  const parts = partsOf(text, claim.attempt);
  // What the handler has said was before.
  const said = command.events?.batch ?? 0;
  while (command.spilled.parts < parts.length) {
    const { parts: from, afterSeq } = command.spilled;
    const events = parts.slice(from, from + PARTS_AT_ONCE);
    const batch = said + 1 + from / PARTS_AT_ONCE;
    const [result] = await append([{ id: claim.id, token: claim.token, batch, events }]);
    if (result === undefined || result instanceof RpcError) return result ?? new RpcError("INTERNAL", "no answer");
    command.spilled = { parts: from + events.length, afterSeq: afterSeq ?? result.seq - events.length };
  }
  const where = spillText({
    attempt: claim.attempt,
    parts: parts.length,
    characters: text.length,
    afterSeq: command.spilled.afterSeq ?? 0,
  });
  if (verdict?.outcome === "done") command.verdict = { outcome: "done", result: where };
  else if (verdict?.outcome === "failed")
    command.verdict = { ...verdict, error: errorWithDetails(verdict.error, where) };
  return undefined;
}
