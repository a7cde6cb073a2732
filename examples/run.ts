// Runs every example of this folder: `<name>/main.ts`, each a program that checks itself and tells by its exit code.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LIMIT_MS = 60_000;
const here = import.meta.dirname;
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

const names = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, "main.ts")))
  .map((entry) => entry.name)
  .filter((name) => wanted.length === 0 || wanted.includes(name));

let failed = 0;
for (const name of names) {
  console.log(`\n${name}`);
  const child = spawnSync(process.execPath, [join(here, name, "main.ts")], { encoding: "utf8", timeout: LIMIT_MS });
  process.stdout.write(`${child.stdout}${child.stderr}`.trimEnd().replace(/^/gm, "  ") + "\n");
  if (child.status === 0) continue;
  failed += 1;
  const why = child.error === undefined ? `exit code ${child.status ?? child.signal}` : child.error.message;
  console.error(`  ${name} failed: ${why}`);
}

mkdirSync(join(here, ".results"), { recursive: true });
const result = { name: "examples", passed: names.length - failed, failed, skipped: 0 };
writeFileSync(join(here, ".results", "examples.json"), JSON.stringify(result));
console.log(
  failed === 0
    ? `\nall ${names.length} examples ran and checked themselves`
    : `\n${failed} of ${names.length} examples failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
