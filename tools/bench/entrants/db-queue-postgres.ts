/** Ours on PostgreSQL. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { queueOnPostgres } from "./db-queue-shared.ts";

export const queue: QueueEntrant = queueOnPostgres({ finished: 0 });
