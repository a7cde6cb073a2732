import type { CommandRow, QueueStore } from "@rpc/db-queue";
import { isPart } from "../text/event.ts";

export type StoredEvent = Awaited<ReturnType<QueueStore["readEvents"]>>[number];

/** Something that has happened to a command. */
export interface Entry {
  /** The command as it was read afterwards. */
  readonly row: CommandRow;
  /**
   * `queued` (new), `claimed`, `requeued`, `cancelling`, `event`, `deleted`, or the state in which it ended; `is` of those that were there
   * before anybody looked.
   */
  readonly kind: "is" | "queued" | "claimed" | "requeued" | "cancelling" | "ended" | "event" | "deleted";
  /** The database's clock; undefined where nothing in the row says when. */
  readonly at: number | undefined;
  /** Of `event`. */
  readonly event?: StoredEvent;
}

/** What is remembered of a command that may go on. */
export interface Known {
  row: CommandRow;
  /** Of its last event that was told. */
  seq: number;
}

/** What must have happened between two looks, in its order; `events` are those that came between them. */
export function entriesBetween(before: CommandRow, row: CommandRow, events: readonly StoredEvent[]): Entry[] {
  const entries: Entry[] = [];
  const isClaimedAnew =
    row.claimedAt !== undefined &&
    (row.attempts > before.attempts || (row.state === "claimed" && before.state !== "claimed"));
  if (isClaimedAnew) {
    // Taken back, and given again at once.
    if (before.state === "claimed") entries.push({ row, kind: "requeued", at: undefined });
    entries.push({ row, kind: "claimed", at: row.claimedAt });
  }
  const meanwhile: Entry[] = events
    .filter((event) => !isPart(event))
    .map((event) => ({ row, kind: "event", at: event.at, event }));
  const wasAsked = before.cancelRequestedAt !== undefined;
  if (row.cancelRequestedAt !== undefined && !wasAsked && row.attempts > 0)
    meanwhile.push({ row, kind: "cancelling", at: row.cancelRequestedAt });
  entries.push(...meanwhile.toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0)));
  if (row.state === "queued" && (before.state === "claimed" || isClaimedAnew))
    entries.push({ row, kind: "requeued", at: undefined });
  if (row.finishedAt !== undefined && before.finishedAt === undefined)
    entries.push({ row, kind: "ended", at: row.finishedAt });
  return entries;
}

/** Of several commands together, by time. What has no time stays behind what came before it in its own command. */
export function inOrder(groups: readonly (readonly Entry[])[]): Entry[] {
  const timed = groups.flatMap((entries) => {
    let latest = Number.NEGATIVE_INFINITY;
    return entries.map((entry) => {
      latest = Math.max(latest, entry.at ?? latest);
      return { entry, latest };
    });
  });
  return timed.toSorted((a, b) => a.latest - b.latest).map(({ entry }) => entry);
}
