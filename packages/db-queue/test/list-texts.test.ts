import { expect, it } from "vitest";
import { statementIn } from "../src/postgres/connections.ts";
import { listCommands, readStatements } from "../src/postgres/reading.ts";
import type { CommandFilter } from "../src/store/store-words.ts";

it("lists with one statement, however many rows are wanted and in whatever order states are named", async () => {
  const asked: { readonly name: string; readonly values: readonly unknown[] }[] = [];
  const session = {
    rows: async ({ name }: { readonly name: string }, values: readonly unknown[]): Promise<readonly []> => {
      asked.push({ name, values });
      return [];
    },
  };
  const filters: readonly CommandFilter[] = [
    { address: "a", states: ["done", "failed"], limit: 5 },
    { address: "b", states: ["failed", "done", "failed"], limit: 7000 },
    { address: "c", states: ["failed", "done"] },
  ];
  for (const filter of filters) await listCommands(session, readStatements(statementIn("public")), filter);
  expect(new Set(asked.map(({ name }) => name)).size).toBe(1);
  expect(asked.map(({ values }) => values)).toEqual([
    ["a", 5],
    ["b", 1000],
    ["c", 100],
  ]);
});
