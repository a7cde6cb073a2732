/** Ours on PostgreSQL, with a past. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { queueOnPostgres } from "./db-queue-shared.ts";

export const queue: QueueEntrant = queueOnPostgres({ finished: 1_000_000 });
