import { expect, it } from "vitest";
import { interopPage } from "../xmlrpc/table.ts";

// Red? Run `node tools/interop/xmlrpc/table.ts`.
it("the tables of docs/wire/xmlrpc.md are what the programs of this folder were seen to do", () => {
  const { now, wanted } = interopPage();
  expect(now).toBe(wanted);
  expect(wanted).toContain("| CPython 3.11 | Ruby xmlrpc 0.3.2 |");
});
