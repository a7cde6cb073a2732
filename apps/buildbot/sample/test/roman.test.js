import assert from "node:assert/strict";
import { test } from "node:test";
import { toRoman } from "../src/roman.js";

for (const [number, text] of [
  [1, "I"],
  [4, "IV"],
  [1994, "MCMXCIV"],
  [2026, "MMXXVI"],
  [3999, "MMMCMXCIX"],
]) {
  test(`${number} is ${text}`, () => assert.equal(toRoman(number), text));
}

test("nothing else has a numeral", () => {
  for (const number of [0, -1, 4000, 1.5, Number.NaN]) assert.throws(() => toRoman(number), RangeError);
});
