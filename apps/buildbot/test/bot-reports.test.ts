import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filesBelow } from "../src/bot/reports/glob.ts";
import { readJunit } from "../src/bot/reports/junit.ts";
import { pathBelow, reportReader } from "../src/bot/reports/read-report.ts";
import { TapReader } from "../src/bot/reports/tap.ts";
import { readVitest } from "../src/bot/reports/vitest.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-reports-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function write(name: string, text = ""): void {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), text);
}

function tap(text: string, size = text.length) {
  const reader = new TapReader();
  for (let at = 0; at < text.length; at += size) reader.write(text.slice(at, at + size));
  return reader.end();
}

describe("TAP", () => {
  it("may say of a failure what only YAML can", () => {
    const text =
      "not ok 1 - counts\n  ---\n  wanted: 5n\n  ...\nnot ok 2 - turns\n  ---\n  a: &a\n    b: *a\n  ...\n1..2\n";
    expect(tap(text, 1000)).toMatchObject({
      tests: [
        { name: "counts", state: "fail" },
        { name: "turns", state: "fail" },
      ],
    });
    expect(tap(text, 1000).problem).toBeUndefined();
  });

  it("is read out of other output, in whatever pieces", () => {
    const text = [
      "> npm test",
      "TAP version 14",
      "\u001B[32mok 1 - adds\u001B[0m",
      "not ok 2 - divides",
      "  ---",
      "  duration_ms: 12.5",
      "  error: by zero",
      "  ...",
      "ok 3 - later # SKIP no time",
      "not ok 4 - wished # TODO",
      "1..4",
      "npm error code 1",
    ].join("\n");
    for (const size of [1, 7, 1000]) {
      expect(tap(text, size)).toEqual({
        tests: [
          { suite: "", name: "adds", state: "pass" },
          { suite: "", name: "divides", state: "fail", durationMs: 12.5, message: "by zero" },
          { suite: "", name: "later", state: "skip" },
          { suite: "", name: "wished", state: "skip" },
        ],
      });
    }
  });

  it("counts subtests, and what sums them up only where it alone has failed", () => {
    const text = `TAP version 13
# Subtest: numbers
    # Subtest: small
        ok 1 - one
        1..1
    ok 1 - small
    not ok 2 - two
    1..2
not ok 1 - numbers
# Subtest: words
    ok 1 - a
    1..1
not ok 2 - words
1..2
`;
    expect(tap(text).tests.map(({ suite, name, state }) => [suite, name, state])).toEqual([
      ["numbers › small", "one", "pass"],
      ["numbers", "two", "fail"],
      ["words", "a", "pass"],
      ["", "words", "fail"],
    ]);
  });

  it("says when tests are missing, and when there are none", () => {
    expect(tap("TAP version 14\n1..3\nok 1 - a\n").tests.at(-1)).toMatchObject({
      state: "error",
      message: "planned were 3 tests, and 1 came",
    });
    expect(tap("1..2\nok 1 - a\nBail out! no database\n").tests.at(-1)).toMatchObject({
      state: "error",
      name: "Bail out!",
      message: "no database",
    });
    expect(tap("1..0 # SKIP not here\n")).toEqual({ tests: [] });
    expect(tap("ok 1\n").problem).toBe("its TAP has no plan");
    expect(tap("hello\n")).toEqual({ tests: [], problem: "there is no TAP in its output" });
    expect(tap(`${"x".repeat(300_000)}\n1..1\nok\n`).tests).toMatchObject([{ state: "pass" }]);
  });
});

describe("JUnit", () => {
  it("is read as its writers write it", () => {
    const report = readJunit(`<?xml version="1.0"?>
<testsuites name="all"><testsuite name="outer"><testsuite name="inner">
  <testcase name="a &lt; b" time="0.5"/>
  <testcase classname="pkg.Class" name="fails" time="1,000.5"><failure message="boom" type="E">boom
  at line 3</failure></testcase>
  <testcase name="breaks"><error message="oops"/></testcase>
  <testcase name="later"><skipped/></testcase>
  <testcase name="cdata"><failure><![CDATA[<b> & ]]></failure></testcase>
</testsuite></testsuite></testsuites>`);
    expect(report).toEqual({
      tests: [
        { suite: "outer › inner", name: "a < b", state: "pass", durationMs: 500 },
        { suite: "pkg.Class", name: "fails", state: "fail", durationMs: 1_000_500, message: "boom\n  at line 3" },
        { suite: "outer › inner", name: "breaks", state: "error", message: "oops" },
        { suite: "outer › inner", name: "later", state: "skip" },
        { suite: "outer › inner", name: "cdata", state: "fail", message: "<b> &" },
      ],
    });
    expect(readJunit(`<testsuite name="one"><testcase name="a"/></testsuite>`).tests.length).toBe(1);
  });

  it("says what it cannot read, and lets no document grow", () => {
    expect(readJunit("<html><body>not found</body></html>").problem).toBe("its report is no JUnit XML");
    expect(readJunit("<testsuites></testsuites>").problem).toBe("its JUnit report has no tests");
    expect(readJunit("<testsuite><testcase").problem).toContain("cannot be read");
    expect(readJunit("").problem).toBeDefined();
    const laughs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join("");
    const bomb = readJunit(`<!DOCTYPE x [<!ENTITY l0 "lol">${laughs}]><testsuite><testcase name="&l9;"/></testsuite>`);
    expect(JSON.stringify(bomb).length).toBeLessThan(2_000);
    const deep = readJunit(`${"<testsuite>".repeat(5_000)}${"</testsuite>".repeat(5_000)}`);
    expect(deep.tests).toEqual([]);
    const much = readJunit(
      `<testsuite><testcase name="${"n".repeat(10_000)}"><failure>${"m".repeat(100_000)}</failure></testcase></testsuite>`,
    );
    expect(JSON.stringify(much).length).toBeLessThan(6_000);
  });
});

describe("vitest", () => {
  it("is read from a file or from what stands in the output", () => {
    const report = {
      testResults: [
        {
          name: "/work/tree/test/a.test.ts",
          status: "failed",
          assertionResults: [
            { ancestorTitles: ["a"], title: "works", status: "passed", duration: 3.25 },
            { ancestorTitles: [], title: "fails", status: "failed", failureMessages: ["Error: x"] },
            { title: "later", status: "todo" },
          ],
        },
        { name: "/work/tree/test/b.test.ts", status: "failed", message: "no such module", assertionResults: [] },
      ],
    };
    const tests = [
      { suite: "test/a.test.ts › a", name: "works", state: "pass", durationMs: 3.25 },
      { suite: "test/a.test.ts", name: "fails", state: "fail", message: "Error: x" },
      { suite: "test/a.test.ts", name: "later", state: "skip" },
      { suite: "", name: "test/b.test.ts", state: "error", message: "no such module" },
    ];
    expect(readVitest(JSON.stringify(report), "/work/tree")).toEqual({ tests });
    // However many lines are empty before it.
    expect(readVitest(`begin${"\n".repeat(200_000)}end\n  ${JSON.stringify(report)}`, "/work/tree")).toEqual({ tests });
    expect(readVitest(`> vitest\n${JSON.stringify(report)}\n`, "/work/tree")).toEqual({ tests });
    expect(readVitest("nothing", "/").problem).toContain("cannot be read");
    expect(readVitest('{"testResults": 3}', "/").problem).toContain("cannot be read");
    expect(readVitest('{"testResults": []}', "/").problem).toBe("its vitest report has no tests");
  });
});

describe("files", () => {
  it("fit patterns, and are looked for inside only", async () => {
    for (const name of [
      "a.js",
      "dist/a.js",
      "dist/sub/b.js",
      "dist/sub/c.map",
      "src/a.ts",
      ".git/config",
      ".hidden/x.js",
      "odd[1].txt",
    ])
      write(name);
    symlinkSync("/etc", join(folder, "etc"));
    symlinkSync("/etc/passwd", join(folder, "passwd.js"));
    const below = (...patterns: string[]) => filesBelow(folder, patterns);
    expect(await below("*.js")).toEqual(["a.js"]);
    expect(await below("**/*.js")).toEqual([".hidden/x.js", "a.js", "dist/a.js", "dist/sub/b.js"]);
    expect(await below("dist")).toEqual(["dist/a.js", "dist/sub/b.js", "dist/sub/c.map"]);
    expect(await below("dist/**", "dist/sub/*.{js,map}")).toEqual(["dist/a.js", "dist/sub/b.js", "dist/sub/c.map"]);
    expect(await below("./dist/?.js", "src/{a,b}.ts")).toEqual(["dist/a.js", "src/a.ts"]);
    expect(await below("odd[1].txt")).toEqual(["odd[1].txt"]);
    expect(await below("../**", "/etc/*", "etc/*", "etc", ".git/config", "nowhere/*")).toEqual([]);
    expect(await pathBelow(folder, "etc")).toBeUndefined();
    expect(await pathBelow(folder, "../..")).toBeUndefined();
    expect(await pathBelow(folder, "dist/../src")).toBeDefined();
  });

  it("of a report are those that the step has written", async () => {
    write("old/one.xml", `<testsuite><testcase name="old"/></testsuite>`);
    await utimes(join(folder, "old/one.xml"), 1_000, 1_000);
    const since = Date.now() - 100;
    const reader = () => reportReader({ tests: "junit", report: "**/*.xml" }, folder, since);
    expect(await reader()?.read()).toEqual({ tests: [], problem: "the step has written no report **/*.xml" });
    write("new/two.xml", `<testsuite><testcase name="new"/></testsuite>`);
    write("new/three.xml", "rubbish");
    const report = await reader()?.read();
    expect(report?.tests.map(({ name }) => name)).toEqual(["new"]);
    expect(report?.problem).toContain("new/three.xml: its JUnit report cannot be read");
    expect(reportReader({ tests: "none" }, folder, since)).toBeUndefined();
  });
});
