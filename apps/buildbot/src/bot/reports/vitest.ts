import { z } from "zod";
import { FoundTests, type Report } from "./found-tests.ts";

/** What `vitest --reporter=json` writes, and Jest before it; as far as it is read. */
const VitestReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string().default(""),
      status: z.string().optional(),
      message: z.string().optional(),
      assertionResults: z
        .array(
          z.object({
            ancestorTitles: z.array(z.string()).default([]),
            title: z.string().default(""),
            status: z.string(),
            duration: z.number().nullish(),
            failureMessages: z.array(z.string()).nullish(),
          }),
        )
        .default([]),
    }),
  ),
});

/** `root` is taken away from the names of files. */
export function readVitest(text: string, root: string, found: FoundTests = new FoundTests()): Report {
  let report;
  try {
    report = VitestReport.parse(JSON.parse(jsonIn(text)));
  } catch (error) {
    const why =
      error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
    return found.report(`its vitest report cannot be read: ${why.slice(0, 300)}`);
  }
  for (const file of report.testResults) {
    const name = file.name.startsWith(`${root}/`) ? file.name.slice(root.length + 1) : file.name;
    for (const test of file.assertionResults) {
      const state = test.status === "passed" ? "pass" : test.status === "failed" ? "fail" : "skip";
      const message = state === "fail" ? test.failureMessages?.join("\n") : undefined;
      const suite = [name, ...test.ancestorTitles].filter((part) => part !== "").join(" › ");
      found.add({ suite, name: test.title, state, durationMs: test.duration, message });
    }
    // A file that could not be loaded has no tests, and has failed.
    if (file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed")) {
      found.add({ suite: "", name, state: "error", message: file.message });
    }
  }
  return found.report(found.count === 0 ? "its vitest report has no tests" : undefined);
}

/** On standard output other lines may stand before it. */
function jsonIn(text: string): string {
  // Not `\s`: of many empty lines it would try each, to the end of all.
  const begin = text.search(/^[ \t]*\{/m);
  return begin < 0 ? text : text.slice(begin);
}
