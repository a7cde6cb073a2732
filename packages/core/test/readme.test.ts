import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { programsOf, runProgram } from "../../../tools/readme/programs.ts";
import { createMemoryTransport, createRouter, defineContract, type Support } from "../src/index.ts";

const HOME = join(import.meta.dirname, "..");
const programs = programsOf(join(HOME, "README.md"));

test("the README begins with a program of at most twelve lines", () => {
  expect(programs[0]?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
});

test.each(programs)("$place prints what the README says", (program) => {
  expect(runProgram(program, HOME)).toBe(program.output);
});

test("the gaps in the README are those that the memory transport declares, word for word", async () => {
  await using transport = createMemoryTransport(createRouter(defineContract("demo.Nothing", {}), {}));
  const declared = Object.entries(transport.capabilities).flatMap(([name, support]: [string, Support<string>]) =>
    typeof support === "string" ? [] : [`| \`${name}\` | ${support.unsupported} |`],
  );
  const lines = readFileSync(join(HOME, "README.md"), "utf8").split("\n");
  const start = lines.findIndex((line) => line.startsWith("| capability |")) + 2;
  expect(lines.slice(start, lines.indexOf("", start))).toEqual(declared);
});
