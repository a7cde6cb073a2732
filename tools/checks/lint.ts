// `npm run lint`: everything that can be said about the sources without running them. `npm run lint -- floors` runs one part.
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packPackages } from "./pack.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const RESULTS = join(import.meta.dirname, ".results");

interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

const PARTS: Readonly<Record<string, () => Outcome>> = {
  code: () => program("oxlint", ["--type-aware", "--deny-warnings"]),
  format: () => program("oxfmt", ["--check"], "run `npm run format`"),
  floors: () => program("node", ["tools/checks/floors.ts"]),
  knip: () => program("knip", ["--no-progress", "--no-config-hints"]),
  publint: () => publint(),
};

function program(name: string, args: readonly string[], cure = ""): Outcome {
  const { status, stdout, stderr, error } = spawnSync(name, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26 });
  return { ok: status === 0, output: `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}${cure && `\n${cure}`}` };
}

/** Looks at the packages as they would be published, so that a file left out of `files` is seen. */
function publint(): Outcome {
  const folder = join(RESULTS, "tarballs");
  const names = globSync("packages/*/package.json", { cwd: ROOT })
    .filter((file) => JSON.parse(readFileSync(join(ROOT, file), "utf8")).private !== true)
    .map((file) => file.split(/[\\/]/)[1] ?? "");
  const tarballs = packPackages(ROOT, names, folder);
  const outcomes = tarballs.map((tarball) => program("publint", ["run", tarball, "--strict"]));
  rmSync(folder, { recursive: true, force: true });
  return { ok: outcomes.every(({ ok }) => ok), output: outcomes.map(({ output }) => output).join("\n") };
}

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
mkdirSync(RESULTS, { recursive: true });
for (const [name, check] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const start = performance.now();
  const { ok, output } = check();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`lint ${name}: ${ok ? "ok" : "FAILED"} (${seconds} s)`);
  if (!ok) {
    console.log(output.trimEnd());
    process.exitCode = 1;
  }
  const result = { name: `lint ${name}`, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
  writeFileSync(join(RESULTS, `lint-${name}.json`), JSON.stringify(result));
}
