/** Ours on SQLite with `synchronous = FULL`, the default. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { queueOnSqlite } from "./db-queue-shared.ts";

export const queue: QueueEntrant = queueOnSqlite({ finished: 0 });
