import { suite } from "../../tools/vitest/base.ts";

// A hundred thousand messages of a test take their time through Node's own copy of the browser's class.
export default suite({ testTimeout: 60_000 });
