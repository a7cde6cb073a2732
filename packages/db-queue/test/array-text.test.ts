import { array, constantFrom, oneof, option, sample, string } from "fast-check";
import { expect, it } from "vitest";
import { arrayText } from "../src/postgres/array-text.ts";
import { createDatabase, query } from "./postgres-database.ts";

it("comes back from PostgreSQL as it went, whatever stands in it", async () => {
  const url = await createDatabase();
  const text = oneof(
    string({ unit: "grapheme" }),
    constantFrom("NULL", "null", "", " ", "{}", '"', "\\", '\\"', "a,b", "\n", JSON.stringify({ a: '"\\' })),
  );
  const lists = sample(array(option(text)), 200);
  for (const list of lists) {
    const sent = list.map((each) => each?.replaceAll("\0", "") ?? null);
    const [row] = await query<{ back: string }>(url, "SELECT to_json($1::text[])::text AS back", [arrayText(sent)]);
    expect(JSON.parse(row?.back ?? "")).toEqual(sent);
  }
});

it("writes numbers, truth values and nothing", () => {
  expect(arrayText([1, 1, -2.5, null, true, false])).toBe("{1,1,-2.5,NULL,true,false}");
  expect(arrayText([])).toBe("{}");
});
