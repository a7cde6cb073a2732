import { stripVTControlCharacters, styleText } from "node:util";
import { describe, expect, test } from "vitest";
import { withoutSecrets } from "../src/problems.ts";
import { jsonObject, RowJson } from "../src/text/json.ts";
import { plain, plainJson } from "../src/text/plain.ts";
import { type Column, tabbedText, tableText } from "../src/text/table.ts";
import { isoTime, shortSpan, spanMs } from "../src/text/time.ts";

interface Row {
  readonly id: number;
  readonly name: string;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "ID", align: "right", show: ({ id }) => String(id) },
  { title: "NAME", least: 8, cut: "middle", show: ({ name }) => [name, "red"] },
  { title: "NOTE", least: 10, show: ({ note }) => note, value: ({ note }) => note.toUpperCase() },
];
const bare = (text: string): string => text;

describe("a table", () => {
  test("gives each column what it needs, without lines or spaces at the end", () => {
    const rows = [
      { id: 1, name: "bot:7", note: "" },
      { id: 12, name: "b", note: "said" },
    ];
    expect(tableText(COLUMNS, rows, 80, bare).split("\n")).toEqual(["ID  NAME   NOTE", " 1  bot:7", "12  b      said"]);
  });

  test("is no wider than the terminal, wide characters included, and cuts names in their middle", () => {
    const rows = [
      { id: 1, name: "software_development.buildbot:7", note: "x".repeat(100) },
      { id: 2, name: "機械機械機械機械機械機械機械機械機械機械", note: "漢".repeat(100) },
    ];
    const lines = tableText(COLUMNS, rows, 60, bare).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^ 1 {2}softw.*….*bot:7 {2}x+…$/);
    expect(lines[1]?.length).toBeLessThanOrEqual(60);
    expect(lines[2]).toContain("…");
  });

  test("measures text and not its colours", () => {
    const rows = [{ id: 1, name: "bot:7", note: "said" }];
    const coloured = tableText(COLUMNS, rows, 80, (text, style) => styleText(style, text, { validateStream: false }));
    expect(coloured).toContain("\u001b[31mbot:7");
    expect(stripVTControlCharacters(coloured)).toBe(tableText(COLUMNS, rows, 80, bare));
  });

  test("is values with tabs between for programs", () => {
    expect(tabbedText(COLUMNS, [{ id: 1, name: "bot:7", note: "said" }])).toBe("1\tbot:7\tSAID");
  });
});

describe("plain text", () => {
  test.each([
    ["\u001b[2J\u0007", "\\u001b[2J\\u0007"],
    ["a\r\n\tb", "a\\r\\n\\tb"],
    ["\u009b31m\u007f", "\\u009b31m\\u007f"],
    ["\u202egnp.exe\u2066\u200f", "\\u202egnp.exe\\u2066\\u200f"],
    ["\u2028\ufeff\u{e0041}\ud800", "\\u2028\\ufeff\\u{e0041}\\ud800"],
    ["Grüße, 漢字, 👩‍🚀", "Grüße, 漢字, 👩‍🚀"],
  ])("%j is written %j", (text, written) => {
    expect(plain(text)).toBe(written);
  });

  test("is cut where it is too long", () => {
    expect(plain("abcdef", 3)).toBe("abc…");
    expect(plain("ab👩", 3)).toBe("ab\ufffd…");
  });

  test("keeps JSON the same JSON", () => {
    const value = { "a\u009b\u202e": "\u001b[2J\u{e0041}\u2028👩‍🚀" };
    const written = plainJson(JSON.stringify(value, null, 2));
    expect(JSON.parse(written)).toEqual(value);
    expect(written).not.toMatch(/[\p{Cc}\p{Zl}]|\u202e/u);
  });
});

test("JSON of a row is passed on digit by digit, and what is none becomes a text", () => {
  const members = { id: 1, big: new RowJson("12345678901234567890.10"), bad: new RowJson("{oops"), none: undefined };
  expect(jsonObject(members)).toBe('{"id":1,"big":12345678901234567890.10,"bad":"{oops"}');
});

test.each([
  [0, "0ms"],
  [999.4, "999ms"],
  [1234, "1.2s"],
  [9949, "9.9s"],
  [9960, "9s"],
  [59_999, "59s"],
  [3_599_999, "59m"],
  [86_399_999, "23h"],
  [12 * 86_400_000, "12d"],
  [-5, "0ms"],
])("%d ms is %s", (ms, text) => {
  expect(shortSpan(ms)).toBe(text);
});

test.each([
  ["500ms", 500],
  ["1.5s", 1500],
  [" 2m ", 120_000],
  ["1h", 3_600_000],
  ["7d", 604_800_000],
  ["5", undefined],
  ["-1s", undefined],
  ["1e3s", undefined],
  ["1w", undefined],
])("%j is %j ms", (text, ms) => {
  expect(spanMs(text)).toBe(ms);
});

test("an instant that no calendar has stays a number", () => {
  expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
  expect(isoTime(9e15)).toBe("9000000000000000");
});

test.each([
  ["postgres://u:p@ss/w@host/db failed", "postgres://u:***@host/db failed"],
  ["at postgresql://u:pw@h/d?password=pw2&x=1", "at postgresql://u:***@h/d?password=***&x=1"],
  ["postgres://host/db", "postgres://host/db"],
])("%j: no secret is left", (text, clean) => {
  expect(withoutSecrets(text, undefined)).toBe(clean);
});

test("the password of the database is taken out wherever it stands, encoded or not", () => {
  const url = "postgres://u:s%20ecret@host/db";
  expect(withoutSecrets("tried s ecret, and s%20ecret", url)).toBe("tried ***, and ***");
});
