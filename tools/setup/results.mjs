// Collects what was really run. Every suite and check leaves a JSON file in a `.results` folder; the last line is their sum.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT, say, workspaceFolders } from "./steps.mjs";

function resultFolders() {
  return [".", ...workspaceFolders()].map((folder) => join(ROOT, folder, ".results"));
}

export function clearResults() {
  for (const folder of resultFolders()) rmSync(folder, { recursive: true, force: true });
}

export function writeResult(name, { passed = 0, failed = 0, skipped = 0 }) {
  mkdirSync(join(ROOT, ".results"), { recursive: true });
  writeFileSync(
    join(ROOT, ".results", `${name.replaceAll(" ", "-")}.json`),
    JSON.stringify({ name, passed, failed, skipped }),
  );
}

export function failedCount() {
  return readResults().reduce((total, result) => total + result.failed, 0);
}

/** One entry for each result file: Vitest's JSON report, or our own `{ name, passed, failed, skipped }`. */
function readResults() {
  const results = [];
  for (const folder of resultFolders()) {
    if (!existsSync(folder)) continue;
    for (const file of readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .sort()) {
      const report = JSON.parse(readFileSync(join(folder, file), "utf8"));
      const place = relative(ROOT, join(folder, "..")) || "house";
      if (report.testResults === undefined) {
        results.push({ skipped: 0, ...report, place: place === "house" ? report.name : `${place}: ${report.name}` });
        continue;
      }
      // A test file that cannot even be loaded has no tests in it, but it has failed.
      const broken = report.testResults.filter(
        (suite) => suite.status === "failed" && suite.assertionResults.length === 0,
      ).length;
      const skipped = report.numPendingTests + report.numTodoTests;
      results.push({ place, passed: report.numPassedTests, failed: report.numFailedTests + broken, skipped });
    }
  }
  return results;
}

/** Prints the sums, last of all the line that people and CI look for, and returns the exit code. */
export function printSummary() {
  const results = readResults();
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const failed = failedCount();
  say("");
  for (const result of results) {
    const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : "";
    if (result.passed + result.failed + result.skipped > 0)
      say(`${result.place}: ${result.passed} passed, ${result.failed} failed${skipped}.`);
  }
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  process.stdout.write(`${sum("passed")} passed, ${failed} failed${skipped}\n`);
  return failed === 0 ? 0 : 1;
}
