import { suite } from "../../tools/vitest/base.ts";

// The rig of PostgreSQL is that of the queue's tests: started when a file asks for it.
export default suite({
  globalSetup: ["../../packages/db-queue/test/postgres-setup.ts"],
  // Of those that say that they may run side by side: houses of processes, which mostly wait.
  maxConcurrency: 24,
});
