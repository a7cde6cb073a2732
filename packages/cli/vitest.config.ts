import { suite } from "../../tools/vitest/base.ts";

// Each run of the command is a process of its own, and other suites may run beside it.
export default suite({ globalSetup: ["../db-queue/test/postgres-setup.ts"] });
