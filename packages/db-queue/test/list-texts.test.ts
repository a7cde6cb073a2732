import { expect, it } from "vitest";
import { statementIn } from "../src/postgres/connections.ts";
import { listCommands, readStatements } from "../src/postgres/reading.ts";
import type { CommandFilter } from "../src/store/store-words.ts";

it("lists with the same statements, however many rows are wanted and in whatever order states are named", async () => {
  const asked: { readonly name: string; readonly values: readonly unknown[] }[] = [];
  const session = {
    rows: async (
      { name, text }: { readonly name: string; readonly text: string },
      values: readonly unknown[],
    ): Promise<readonly (readonly unknown[])[]> => {
      asked.push({ name, values });
      return text.startsWith("SELECT id FROM") ? [[50_000]] : [];
    },
  };
  const filters: readonly CommandFilter[] = [
    { address: "a", states: ["done", "failed"], limit: 5 },
    { address: "b", states: ["failed", "done", "failed"], limit: 7000 },
    { address: "c", states: ["failed", "done"] },
  ];
  for (const filter of filters) await listCommands(session, readStatements(statementIn("public")), filter);
  // Which is the newest of all, what is near it, and all that the address has.
  expect(new Set(asked.map(({ name }) => name)).size).toBe(3);
  expect(asked.map(({ values }) => values)).toEqual([
    [],
    ["a", 40_001, 5],
    ["a", 5],
    [],
    ["b", 40_001, 1000],
    ["b", 1000],
    [],
    ["c", 40_001, 100],
    ["c", 100],
  ]);
});
