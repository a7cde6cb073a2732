import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sessionRows } from "../session-rows.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const tests = globSync(["packages/*/test/**/*.ts", "tools/{interop,soak}/test/**/*.ts"], { cwd: ROOT }).map(read);
const cases = globSync("packages/testkit/src/cases/*.ts", { cwd: ROOT }).map(read).join("\n");

/** Ids at the beginning of titles: `"T13 takes …"`, `"C68 T12 tells …"`. */
const titled = new Set(
  tests.flatMap((text) =>
    [...text.matchAll(/["'`]((?:[A-Z]\d{2,3} )+)\S/g)].flatMap(([, ids = ""]) => ids.trim().split(" ")),
  ),
);
const inSuites = new Set([...cases.matchAll(/proves\w*\(\s*"([CH]\d+)"/g)].map(([, id]) => id));

function isProof(proof: string): boolean {
  const [path = "", title] = proof.split(": ", 2);
  if (title === undefined) return inSuites.has(proof);
  return existsSync(join(ROOT, path)) && read(path).includes(title);
}

test("every promise of a session is proved by a test with its id, or by those that it names", () => {
  const missing = sessionRows.flatMap(({ id, promise, provedBy }) => {
    if (provedBy.length === 0) return titled.has(id) ? [] : [`${id}: no test with this id in its title (${promise})`];
    return provedBy.filter((proof) => !isProof(proof)).map((proof) => `${id}: no such test: ${proof}`);
  });
  expect(missing).toEqual([]);
});

test("ids are given once, and none stands in a title that is not in the list", () => {
  const ids = sessionRows.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect([...titled].filter((id) => /^[TKP]\d\d$/.test(id) && !ids.includes(id))).toEqual([]);
});
