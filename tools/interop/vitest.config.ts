import { suite } from "../vitest/base.ts";

// Real processes, on a machine that has others to run.
export default suite({ testTimeout: 30_000 });
