import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkFloors } from "../floors.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function violations(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), "floors-"));
  folders.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return checkFloors(root).map(({ file, line, text }) => `${file}:${line}: ${text}`);
}

test("accepts imports of the own floor, of lower floors, and of everything from a door", () => {
  expect(
    violations({
      "packages/core/src/words/status.ts": "export const a = 1;\n",
      "packages/core/src/words/error.ts": 'import { a } from "./status.ts";\nexport const b = a;\n',
      "packages/core/src/face/client.ts": 'export { b } from "../words/error.ts";\n',
      "packages/core/src/index.ts": 'export { b } from "./face/client.ts";\nexport { a } from "./words/status.ts";\n',
    }),
  ).toEqual([]);
});

test("names file and line of an import that climbs to a higher floor", () => {
  const found = violations({
    "packages/core/src/face/client.ts": "export const b = 1;\n",
    "packages/core/src/words/error.ts": '// first\nimport { b } from "../face/client.ts";\nexport const c = b;\n',
  });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(
    /^packages\/core\/src\/words\/error\.ts:2: imports "\.\.\/face\/client\.ts" from floor "face"/,
  );
});

test.each([
  ["a package", 'import { z } from "zod";\n'],
  ["a Node module", 'import { connect } from "node:net";\n'],
  ["a type only", 'import type { Socket } from "node:net";\n'],
  ["a type by import()", 'export type S = import("node:net").Socket;\n'],
  ["a lazy import", 'export const net = () => import("node:net");\n'],
  ["a computed import", 'const n = "node:net";\nexport const net = () => import(n);\n'],
  ["a re-export", 'export * from "node:net";\n'],
])("refuses %s in core", (_what, text) => {
  expect(violations({ "packages/core/src/words/a.ts": text })).toHaveLength(1);
});

test("refuses core's door from inside core", () => {
  const found = violations({
    "packages/core/src/index.ts": "export {};\n",
    "packages/core/src/face/a.ts": 'import "../index.ts";\n',
  });
  expect(found[0]).toContain("a door of core");
});

test("refuses a file of core that stands on no floor", () => {
  const found = violations({
    "packages/core/src/words/a.ts": "export {};\n",
    "packages/core/src/helper.ts": 'import "./words/a.ts";\n',
  });
  expect(found[0]).toContain("stands on no floor");
});

test("refuses an adapter that imports another adapter, a foreign package or an unlisted Node module", () => {
  const found = violations({
    "packages/tcp/src/a.ts":
      'import "@rpc/core/transport";\nimport "node:net";\nimport "@rpc/ws";\nimport "ws";\nimport "node:http";\n',
  });
  expect(found.map((line) => line.split(",")[0])).toEqual([
    'packages/tcp/src/a.ts:3: imports "@rpc/ws"',
    'packages/tcp/src/a.ts:4: imports "ws"',
    'packages/tcp/src/a.ts:5: imports "node:http"',
  ]);
});

test("refuses the inside of another package everywhere, also in tests and examples", () => {
  const found = violations({
    "packages/tcp/test/a.test.ts": 'import "@rpc/core/src/words/status.ts";\n',
    "packages/tcp/src/a.ts": 'import "../../core/src/index.ts";\n',
    "examples/x/main.ts": 'import "@rpc/tcp/dist/index.js";\n',
  });
  expect(found).toHaveLength(3);
});

test("refuses a package that nobody has listed", () => {
  expect(violations({ "packages/new/src/index.ts": 'import "@rpc/core";\n' })[0]).toContain(
    "may import nothing from outside",
  );
});

test("refuses a relative import without its extension", () => {
  const found = violations({
    "packages/core/src/words/a.ts": "export {};\n",
    "packages/core/src/words/b.ts": 'import "./a";\n',
  });
  expect(found[0]).toContain("write the whole name with .ts");
});

test("refuses a source file over 400 lines", () => {
  const found = violations({ "packages/core/src/words/a.ts": "export {};\n".repeat(401) });
  expect(found[0]).toContain("a.ts:401: the file has 401 lines");
  expect(violations({ "packages/core/src/words/a.ts": "export {};\n".repeat(400) })).toEqual([]);
});

test("refuses machines of one kind in what every page loads, but for their types", () => {
  const files = {
    "packages/core/src/machines/stream-sender.ts": "export class Sender {}\n",
    "packages/core/src/machines/outgoing-stream.ts":
      'import { Sender } from "./stream-sender.ts";\nexport const a = Sender;\n',
    "packages/core/src/machines/session-parts.ts":
      'import type { Sender } from "./stream-sender.ts";\nexport type B = Sender;\n',
    "packages/core/src/face/kinds.ts": 'import { a } from "../machines/outgoing-stream.ts";\nexport const c = a;\n',
  };
  expect(violations(files)).toEqual([]);
  const session = 'import { a } from "./outgoing-stream.ts";\nexport const d = a;\n';
  expect(violations({ ...files, "packages/core/src/machines/session.ts": session })).toEqual([
    expect.stringMatching(/^packages\/core\/src\/machines\/session\.ts:1: imports ".*", which every page would load/),
  ]);
});
