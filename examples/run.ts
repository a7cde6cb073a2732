// Runs every example of this folder: `<name>/main.ts`, each a program of its own. What it prints must be `<name>/expected.txt`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LIMIT_MS = 60_000;
/** How an example ends that lacks a foreign program, and has said which. In CI nothing may be lacking. */
const SKIPPED = 77;
const here = import.meta.dirname;
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

const names = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, "main.ts")))
  .map((entry) => entry.name)
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  // A newcomer reads from the top.
  .toSorted((one, other) => Number(other.startsWith("quickstart")) - Number(one.startsWith("quickstart")));

/** Why an example has failed; undefined: it has not. */
function failureOf(name: string): string | typeof SKIPPED | undefined {
  const child = spawnSync(process.execPath, [join(here, name, "main.ts")], { encoding: "utf8", timeout: LIMIT_MS });
  process.stdout.write(`${child.stdout}${child.stderr}`.trimEnd().replace(/^/gm, "  ") + "\n");
  if (child.error !== undefined) return child.error.message;
  if (child.status === SKIPPED && !process.env["CI"]) return SKIPPED;
  if (child.status !== 0) return `exit code ${child.status ?? child.signal}`;
  const expected = join(here, name, "expected.txt");
  if (!existsSync(expected)) return "expected.txt is missing";
  return child.stdout.trimEnd() === readFileSync(expected, "utf8").trimEnd().replaceAll("\r\n", "\n")
    ? undefined
    : "it printed something else than its expected.txt";
}

let failed = 0;
let skipped = 0;
for (const name of names) {
  console.log(`\n${name}`);
  const failure = failureOf(name);
  if (failure === SKIPPED) skipped += 1;
  if (failure === undefined || failure === SKIPPED) continue;
  failed += 1;
  console.error(`  ${name} failed: ${failure}`);
}

if (names.length === 0) {
  failed = 1;
  console.error(`there is no example ${wanted.join(", ")}`);
}
mkdirSync(join(here, ".results"), { recursive: true });
const result = { name: "examples", passed: Math.max(0, names.length - failed - skipped), failed, skipped };
writeFileSync(join(here, ".results", "examples.json"), JSON.stringify(result));
console.log(
  failed === 0
    ? `\n${skipped === 0 ? "all " : ""}${names.length - skipped} examples ran and printed what they should${skipped === 0 ? "" : `, ${skipped} skipped`}`
    : `\n${failed} of ${names.length} examples failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
