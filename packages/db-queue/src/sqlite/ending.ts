import type { CommandState, JsonText, Outcome } from "../store/store-words.ts";
import type { Work } from "./work.ts";

/** What has to be known of a command to end it. */
export interface Endable {
  readonly id: number;
  readonly address_id: number;
  readonly parent_id: number | null;
  readonly ordering_key: string | null;
  readonly notification: number;
}

export const ENDABLE = "id, address_id, parent_id, ordering_key, notification";

interface Copy {
  readonly id: number;
  readonly target_agent: string;
  readonly state: CommandState;
  readonly result: string | null;
  readonly error: string | null;
}

const END = `UPDATE rpc_command SET state = ?, finished_at = ?, lease_until = NULL, result = ?, error = ? WHERE id = ?`;

export function endCommand(
  work: Work,
  row: Endable,
  state: CommandState,
  outcome: { readonly result?: JsonText | undefined; readonly error?: JsonText | undefined },
): void {
  work.connection.run(END, state, work.now(), outcome.result ?? null, outcome.error ?? null, row.id);
  afterEnd(work, row, { id: row.id, state, result: outcome.result, error: outcome.error });
}

function afterEnd(work: Work, row: Endable, outcome: Outcome): void {
  // The next one of its key can start now, and perhaps not with the agent that has ended this one.
  if (row.ordering_key !== null) work.wakeAgentsOf(row.address_id);
  if (row.notification === 1) work.connection.run("DELETE FROM rpc_command WHERE id = ?", row.id);
  else work.wakeIssuers(row.id, outcome);
  if (row.parent_id !== null) endBroadcast(work, row.parent_id);
}

/** Ends a broadcast when its last copy has. */
export function endBroadcast(work: Work, parentId: number): void {
  const { connection } = work;
  const open = connection.get(
    "SELECT 1 FROM rpc_command WHERE parent_id = ? AND state IN ('queued', 'claimed') LIMIT 1",
    parentId,
  );
  if (open !== undefined) return;
  const parent = connection.get<Endable & { readonly cancel_requested_at: number | null }>(
    `SELECT ${ENDABLE}, cancel_requested_at FROM rpc_command WHERE id = ? AND state = 'waiting'`,
    parentId,
  );
  if (parent === undefined) return;
  const copies = connection.all<Copy>(
    "SELECT id, target_agent, state, result, error FROM rpc_command WHERE parent_id = ? ORDER BY target_agent",
    parentId,
  );
  const state = parent.cancel_requested_at === null ? "done" : "cancelled";
  // A broadcast has no key of its own to wait for: its copies have.
  endCommand(work, { ...parent, ordering_key: null }, state, { result: `[${copies.map(copyOutcome).join(",")}]` });
}

function copyOutcome(copy: Copy): JsonText {
  const result = copy.result === null ? "" : `,"result":${copy.result}`;
  const error = copy.error === null ? "" : `,"error":${copy.error}`;
  return `{"agent":${JSON.stringify(copy.target_agent)},"id":${copy.id},"state":"${copy.state}"${result}${error}}`;
}
