import { RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { errorOfFailure } from "../command/failure.ts";
import { isRecord, memberOf, numberIn, textIn } from "../command/json-text.ts";
import { readReply } from "../command/reply.ts";
import { unreadable } from "./issued-call.ts";

/** What a broadcast has come to at one agent. */
export type AgentOutcome<Output = unknown> = {
  /** The agent's name. */
  readonly agent: string;
  /** Its copy of the command. */
  readonly id: number;
} & (
  | { readonly state: "done"; readonly result: Output }
  | { readonly state: "failed" | "expired" | "cancelled"; readonly error: RpcError }
);

/** The outcomes of a broadcast, by agent. */
export function readOutcomes(method: MethodDescriptor, json: unknown, broadcastId: number): { value: AgentOutcome[] } {
  if (!Array.isArray(json)) {
    throw new RpcError("INTERNAL", `the result of broadcast ${broadcastId} is no list`, { reason: "INTERNAL" });
  }
  return { value: json.map((each: unknown) => outcomeOf(method, each)) };
}

function outcomeOf(method: MethodDescriptor, json: unknown): AgentOutcome {
  const row = isRecord(json) ? json : {};
  const agent = textIn(row, "agent") ?? "";
  const id = numberIn(row, "id") ?? 0;
  const state = textIn(row, "state");
  if (state !== "done") {
    const error = errorOfFailure(memberOf(row, "error"), method.name, method);
    return { agent, id, state: state === "expired" || state === "cancelled" ? state : "failed", error };
  }
  try {
    return { agent, id, state, result: readReply(method, memberOf(row, "result") ?? null).value };
  } catch (thrown) {
    return { agent, id, state: "failed", error: unreadable(method.name, id, RpcError.from(thrown)) };
  }
}
