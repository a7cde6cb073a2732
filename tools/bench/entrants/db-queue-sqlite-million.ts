/** Ours on SQLite, with a past. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { queueOnSqlite } from "./db-queue-shared.ts";

export const queue: QueueEntrant = queueOnSqlite({ finished: 1_000_000 });
