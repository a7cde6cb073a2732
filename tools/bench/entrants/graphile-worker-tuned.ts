/** graphile-worker as its documentation advises for speed: many jobs at once, fetched and completed in batches. */
import type { QueueEntrant } from "../harness/entrant.ts";
import { graphileWorker } from "./graphile-shared.ts";

export const queue: QueueEntrant = graphileWorker({
  concurrentJobs: 64,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
});
