import { join } from "node:path";
import { programsOf, writeProgram } from "../../../tools/readme/programs.ts";

// The test file of docs/contribute-a-transport.md, run as it stands there: it registers its own suites.
const HOME = join(import.meta.dirname, "..");
const [program] = programsOf(join(HOME, "..", "..", "docs", "contribute-a-transport.md"));
if (program === undefined) throw new Error("docs/contribute-a-transport.md has no program");
await import(writeProgram(program, HOME));
