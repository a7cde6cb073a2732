import type { RpcError } from "@rpc/core";
import { leaseLostError } from "../store/store-errors.ts";
import { eventsTopic } from "../store/store.ts";
import type { Appended, EventBatch, EventRow } from "../store/store-words.ts";
import type { Work } from "./work.ts";

const MAX_EVENTS = 1000;

export function appendEvents(work: Work, batch: EventBatch): Appended | RpcError {
  const { connection } = work;
  const held = connection.get<{ seq: number; last_batch: number }>(
    `SELECT coalesce((SELECT max(seq) FROM rpc_command_event WHERE command_id = c.id), 0) AS seq, c.last_batch
       FROM rpc_command c WHERE c.id = ? AND c.claim_token = ? AND c.state = 'claimed'`,
    batch.id,
    batch.token,
  );
  if (held === undefined) return leaseLostError(batch.id);
  if (batch.batch !== undefined && batch.batch <= held.last_batch) return { seq: held.seq };
  const now = work.now();
  let { seq } = held;
  let progress: string | undefined;
  for (const event of batch.events) {
    seq += 1;
    connection.run("INSERT INTO rpc_command_event VALUES (?, ?, ?, ?, ?)", batch.id, seq, now, event.kind, event.data);
    if (event.kind === "progress") progress = event.data;
  }
  if (progress !== undefined || batch.batch !== undefined) {
    connection.run(
      "UPDATE rpc_command SET progress = coalesce(?, progress), last_batch = coalesce(?, last_batch) WHERE id = ?",
      progress ?? null,
      batch.batch ?? null,
      batch.id,
    );
  }
  if (batch.events.length > 0) work.topics.set(eventsTopic(batch.id), undefined);
  return { seq };
}

export function readEvents(work: Work, id: number, afterSeq: number, limit: number): EventRow[] {
  return work.connection.all<EventRow>(
    "SELECT seq, at, kind, data FROM rpc_command_event WHERE command_id = ? AND seq > ? ORDER BY seq LIMIT ?",
    id,
    afterSeq,
    Math.min(Math.max(1, Math.floor(limit)), MAX_EVENTS),
  );
}
