import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { programsOf, runProgram } from "../../../tools/readme/programs.ts";

const HOME = join(import.meta.dirname, "..");
const programs = programsOf(join(HOME, "README.md"));
const page = readFileSync(join(HOME, "README.md"), "utf8");

test("the README begins with a program of at most twelve lines", () => {
  expect(programs[0]?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
});

test.each(programs)("$place prints what the README says", (program) => {
  expect(runProgram(program, HOME)).toBe(program.output);
});

test.each([
  ["server/options.ts", "XmlRpcHandlerOptions", "Of `serveXmlRpc` and `createXmlRpcHandler`"],
  ["server/options.ts", "XmlRpcListenerOptions", "Of `serveXmlRpc` and `createXmlRpcHandler`"],
  ["databases/databases.ts", "DatabasesOptions", "Of `databases`"],
  ["client/options.ts", "XmlRpcTransportOptions", "Of `createXmlRpcTransport` and `xmlRpcProxy`"],
  ["profiles.ts", "DocumentOptions", "Profiles and documents"],
  ["profiles.ts", "DocumentLimits", "Profiles and documents"],
  ["fault-mapping.ts", "FaultMapping", "Errors"],
])("%s: the README has every member of %s", (file, name, heading) => {
  const source = readFileSync(join(HOME, "src", file), "utf8");
  const [, members = ""] = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([^]*?)^\\}`, "m").exec(source) ?? [];
  const names = [...members.matchAll(/^ {2}readonly (\w+)/gm)].map(([, member]) => member ?? "");
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((member) => !section.includes(`\`${member}\``))).toEqual([]);
});
