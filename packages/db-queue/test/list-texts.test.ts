import { expect, it } from "vitest";
import { statementIn } from "../src/postgres/connections.ts";
import { listCommands, listStatements } from "../src/postgres/list.ts";
import type { CommandFilter } from "../src/store/store-words.ts";

it("lists with the same statements, however many rows are wanted and in whatever order states are named", async () => {
  const asked: { readonly name: string; readonly values: readonly unknown[] }[] = [];
  const session = {
    rows: async (
      { name, text }: { readonly name: string; readonly text: string },
      values: readonly unknown[],
    ): Promise<readonly (readonly unknown[])[]> => {
      asked.push({ name, values });
      if (text.startsWith("WITH")) return [[0, ""]];
      return text.startsWith("SELECT id FROM") ? [[50_000]] : [];
    },
  };
  const filters: readonly CommandFilter[] = [
    { address: "a", states: ["done", "failed"], limit: 5 },
    { address: "b", states: ["failed", "done", "failed"], limit: 7000 },
    { address: "c", states: ["failed", "done"] },
  ];
  for (const filter of filters) await listCommands(session, listStatements(statementIn("public")), filter);
  // Which is the newest of all, what is near it, and all that the address has.
  expect(new Set(asked.map(({ name }) => name)).size).toBe(3);
  const last = Number.MAX_SAFE_INTEGER;
  expect(asked.map(({ values }) => values)).toEqual([
    [last],
    ["a", last, 40_001, 5],
    ["a", last, 5],
    [last],
    ["b", last, 40_001, 1000],
    ["b", last, 1000],
    [last],
    ["c", last, 40_001, 100],
    ["c", last, 100],
  ]);
});
