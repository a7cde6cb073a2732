import { suite } from "../../tools/vitest/base.ts";

// The rig of PostgreSQL is that of the queue's tests: started when a file asks for it.
export default suite({
  globalSetup: ["../../packages/db-queue/test/postgres-setup.ts"],
  // Of those that say that they may run side by side: houses of processes, which mostly wait.
  maxConcurrency: 24,
  // Where there are two cores vitest takes one: files of processes mostly wait, and these are the last ones of the whole run.
  maxWorkers: 2,
});
