/** graphile-worker as `run` starts it: one job at a time, jobs found by LISTEN. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { graphileWorker } from "./graphile-shared.ts";

export const queue: QueueEntrant = graphileWorker({});
