import { join } from "node:path";
import { expect, test } from "vitest";
import { programsOf, runProgram } from "../../../tools/readme/programs.ts";

const HOME = join(import.meta.dirname, "..");
const programs = programsOf(join(HOME, "README.md"));

test("the README begins with a program of at most twelve lines", () => {
  expect(programs[0]?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
});

test.each(programs)("$place prints what the README says", (program) => {
  expect(runProgram(program, HOME)).toBe(program.output);
});
