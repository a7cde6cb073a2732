import type { RpcError } from "@rpc/core";
import { isSameJson } from "./same-json.ts";
import { conflictError } from "./store-errors.ts";
import type { CommandState, Inserted, JsonText, NewCommand } from "./store-words.ts";

/** What has the idempotency key already. */
export interface EarlierCommand {
  readonly id: number;
  readonly state: CommandState;
  readonly method: string;
  readonly args: JsonText;
  readonly kwargs: JsonText;
  readonly notification: boolean;
  readonly attempts: number;
  readonly hasResult: boolean;
}

/** The first command of a key, for whoever sends it again: as it is, or CONFLICT when it is another one. */
export function answerFor(command: NewCommand, earlier: EarlierCommand): Inserted | RpcError {
  const other = differenceOf(command, earlier);
  if (other === undefined) return { id: earlier.id, state: earlier.state, existing: true, copies: 0 };
  return conflictError(command.address, command.idempotencyKey ?? "", { id: earlier.id, other });
}

function differenceOf(command: NewCommand, earlier: EarlierCommand): string | undefined {
  const isSame =
    earlier.method === command.method &&
    isSameJson(earlier.args, command.args ?? "[]") &&
    isSameJson(earlier.kwargs, command.kwargs ?? "{}");
  if (!isSame) return "has another method or other arguments";
  // The outcome of the one would be taken for that of the other.
  const isBroadcast = command.broadcast === true;
  if (isBroadcast !== wasBroadcast(earlier)) return isBroadcast ? "is no broadcast" : "is a broadcast";
  if (earlier.notification && command.notification !== true) return "is a notification, whose outcome nobody can have";
  return undefined;
}

/** It waits, or has a result although nobody has ever claimed it. */
function wasBroadcast({ state, attempts, hasResult }: EarlierCommand): boolean {
  return state === "waiting" || (hasResult && attempts === 0 && (state === "done" || state === "cancelled"));
}
