import { XMLParser } from "fast-xml-parser";
import { FoundTests, type Report } from "./found-tests.ts";

const LISTS = new Set(["testsuite", "testcase", "failure", "error", "skipped"]);

/** Reads JUnit's XML, as its many writers write it. */
export function readJunit(text: string, found: FoundTests = new FoundTests()): Report {
  let root: unknown;
  try {
    root = new XMLParser({
      ignoreAttributes: false,
      maxNestedTags: 64,
      attributeNamePrefix: "@",
      parseAttributeValue: false,
      parseTagValue: false,
      isArray: (name) => LISTS.has(name),
    }).parse(text, true);
  } catch (error) {
    return found.report(`its JUnit report cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const before = found.count;
  const suites = [...listOf(root, "testsuite"), ...listOf(fieldOf(root, "testsuites"), "testsuite")];
  if (suites.length === 0 && fieldOf(root, "testsuites") === undefined)
    return found.report("its report is no JUnit XML");
  for (const suite of suites) readSuite(suite, [], found);
  return found.report(found.count === before ? "its JUnit report has no tests" : undefined);
}

function readSuite(suite: unknown, path: readonly string[], found: FoundTests): void {
  const here = [...path, textOf(fieldOf(suite, "@name"))].filter((name) => name !== "");
  for (const each of listOf(suite, "testsuite")) readSuite(each, here, found);
  for (const test of listOf(suite, "testcase")) {
    const className = textOf(fieldOf(test, "@classname"));
    const [failure] = listOf(test, "failure");
    const [error] = listOf(test, "error");
    const [skipped] = listOf(test, "skipped");
    const why = failure ?? error;
    const seconds = fieldOf(test, "@time");
    found.add({
      suite: className === "" ? here.join(" › ") : className,
      name: textOf(fieldOf(test, "@name")),
      state: failure !== undefined ? "fail" : error !== undefined ? "error" : skipped !== undefined ? "skip" : "pass",
      durationMs: typeof seconds === "string" ? Number(seconds.replaceAll(",", "")) * 1000 : undefined,
      message: why === undefined ? undefined : complaintOf(why),
    });
  }
}

function complaintOf(why: unknown): string {
  if (typeof why === "string") return why.trim();
  const message = textOf(fieldOf(why, "@message"));
  const body = textOf(fieldOf(why, "#text")).trim();
  // Many writers say the message once more where the stack begins.
  return body.includes(message) ? body : `${message}\n${body}`.trim();
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function listOf(value: unknown, name: string): unknown[] {
  const list = fieldOf(value, name);
  return Array.isArray(list) ? list : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
