import { describe, expect, it } from "vitest";
import { MAX_SHOWN, spansOf } from "../../web/src/log/ansi.ts";

const ESC = "\u001B";

describe("colours of a log line", () => {
  it("leaves plain text as it is", () => {
    expect(spansOf("plain <b>text</b>")).toEqual([{ text: "plain <b>text</b>", classes: [] }]);
    expect(spansOf("")).toEqual([]);
  });

  it("names the sixteen colours and the weights", () => {
    expect(spansOf(`${ESC}[1;31mbad${ESC}[0m good`)).toEqual([
      { text: "bad", classes: ["bold", "ansi-red"] },
      { text: " good", classes: [] },
    ]);
    expect(spansOf(`${ESC}[42mon green`)).toEqual([{ text: "on green", classes: ["bg-ansi-green"] }]);
  });

  it("gives other colours as values", () => {
    expect(spansOf(`${ESC}[38;5;196mred`)).toEqual([{ text: "red", classes: [], color: "rgb(255, 0, 0)" }]);
    expect(spansOf(`${ESC}[38;5;244mgrey`)).toEqual([{ text: "grey", classes: [], color: "rgb(128, 128, 128)" }]);
    expect(spansOf(`${ESC}[48;2;1;2;3mdark`)).toEqual([{ text: "dark", classes: [], background: "rgb(1, 2, 3)" }]);
  });

  it("shows what a progress bar came to, and no other sequences", () => {
    expect(spansOf("10 %\r50 %\r100 %\r")).toEqual([{ text: "100 %", classes: [] }]);
    const link = `${ESC}]8;;http://example.com${ESC}\\name${ESC}]8;;${ESC}\\`;
    const text = spansOf(`${ESC}[2K${link} and ${ESC}[?25l more`);
    expect(text.map((span) => span.text).join("")).toBe("name and  more");
  });

  it("makes nothing of script but text", () => {
    const line = `${ESC}[31m<img src=x onerror=alert(1)>${ESC}[0m`;
    expect(spansOf(line)).toEqual([{ text: "<img src=x onerror=alert(1)>", classes: ["ansi-red"] }]);
  });

  it("cuts a line that would stop the page", () => {
    const shown = spansOf(`${ESC}[31m${"x".repeat(10 * MAX_SHOWN)}`);
    expect(shown.reduce((sum, { text }) => sum + text.length, 0)).toBe(MAX_SHOWN);
  });
});
