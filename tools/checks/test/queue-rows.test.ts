import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { queueRows } from "../queue-rows.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const FILES = ["packages/{db-queue,cli}/test/**/*.ts", "tools/{interop,soak}/{test,queue}/**/*.ts"];

/** Ids in titles, which stand on the line of `it(`, `test(`, `describe(`, or alone on the next. */
const titled = new Set(
  globSync(FILES, { cwd: ROOT, exclude: (name) => name.includes("node_modules") }).flatMap((file) =>
    [...readFileSync(join(ROOT, file), "utf8").matchAll(/^\s*(?:(?:it|test|describe)\b[^"'`]*)?["'`](.*)$/gm)].flatMap(
      ([, title = ""]) => title.match(/\bQ\d\d\b/g) ?? [],
    ),
  ),
);

test("every promise of a queue is proved by a test with its id in its title", () => {
  const missing = [...queueRows].filter(([id]) => !titled.has(id)).map(([id, promise]) => `${id}: ${promise}`);
  expect(missing).toEqual([]);
});

test("no title has an id that is none of a promise", () => {
  expect([...titled].filter((id) => !queueRows.has(id))).toEqual([]);
});
