import { describe, expect, it } from "vitest";
import type { LogLines } from "../../src/contracts/values.ts";
import { LineWindows } from "../../web/src/log/line-windows.ts";

function logOf(total: number, options: { maxWindows?: number; maxChars?: number; most?: number } = {}) {
  const { most = Number.POSITIVE_INFINITY, ...windowed } = options;
  const asked: number[] = [];
  const failures: unknown[] = [];
  let broken = false;
  const part = (firstLine: number, limit: number): LogLines => ({
    firstLine,
    lines: Array.from({ length: Math.max(0, Math.min(limit, most, total - firstLine)) }, (_, offset) => ({
      text: `line ${firstLine + offset}`,
      stream: "out",
    })),
    totalLines: total,
    ended: true,
  });
  const windows = new LineWindows({
    windowLines: 10,
    ...windowed,
    load: async (firstLine, limit) => {
      asked.push(firstLine);
      if (broken) throw new Error("away");
      return part(firstLine, limit);
    },
    changed: () => undefined,
    failed: (error) => failures.push(error),
  });
  return { windows, asked, failures, part, breakIt: (value: boolean) => (broken = value) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the lines that are looked at", () => {
  it("asks for what is on screen, once", async () => {
    const { windows, asked, part } = logOf(100_000);
    windows.add(part(0, 10));
    windows.look(5, 8);
    expect(asked).toEqual([]);
    windows.look(50_005, 50_012);
    windows.look(50_005, 50_012);
    expect(asked).toEqual([50_000, 50_010]);
    await settle();
    expect(windows.line(50_012)?.text).toBe("line 50012");
    windows.look(50_005, 50_012);
    expect(asked).toHaveLength(2);
  });

  it("keeps a bounded part of a log that grows", () => {
    const { windows, part } = logOf(1000, { maxWindows: 3 });
    for (let line = 0; line < 1000; line += 10) windows.add(part(line, 10));
    expect(windows.total).toBe(1000);
    expect(windows.line(995)?.text).toBe("line 995");
    expect(windows.line(965)).toBeUndefined();
  });

  it("comes to the end of its questions where an answer has fewer lines than were asked for", async () => {
    const { windows, asked } = logOf(100, { most: 3 });
    windows.add({ firstLine: 0, lines: [], totalLines: 100, ended: true });
    for (let looks = 0; looks < 10; looks += 1) {
      windows.look(16, 21);
      // oxlint-disable-next-line no-await-in-loop -- as the page draws, and looks again.
      await settle();
    }
    expect(asked).toEqual([10, 20, 16, 19]);
    expect([16, 17, 18, 19, 20, 21].map((line) => windows.line(line)?.text)).toEqual(
      [16, 17, 18, 19, 20, 21].map((line) => `line ${line}`),
    );
  });

  it("does not say that an answer without lines has changed anything", async () => {
    const { windows, part } = logOf(100, { most: 0 });
    windows.add({ ...part(0, 0), totalLines: 100 });
    const { version } = windows;
    windows.look(50, 55);
    await settle();
    expect(windows.version).toBe(version);
  });

  it("keeps a bounded part of a log of long lines, and what is in view in any case", () => {
    const { windows } = logOf(0, { maxChars: 1000 });
    for (let firstLine = 0; firstLine < 1000; firstLine += 10) {
      const lines = Array.from({ length: 10 }, () => ({ text: "x".repeat(50), stream: "out" as const }));
      windows.add({ firstLine, lines, totalLines: firstLine + 10, ended: false });
    }
    expect(windows.line(960)?.text).toHaveLength(50);
    expect(windows.line(959)).toBeUndefined();
  });

  it("does not ask for what nobody looks at, beside a log that grows faster than it is shown", () => {
    const { windows, asked, part } = logOf(1000);
    windows.add(part(0, 10));
    windows.add(part(973, 12));
    windows.look(976, 984);
    expect(asked).toEqual([]);
    windows.look(968, 975);
    expect(asked).toEqual([960, 970]);
  });

  it("takes the last line again when it has grown", () => {
    const { windows } = logOf(0);
    windows.add({ firstLine: 0, lines: [{ text: "begu", stream: "out" }], totalLines: 1, ended: false });
    windows.add({ firstLine: 0, lines: [{ text: "begun", stream: "out" }], totalLines: 1, ended: false });
    expect(windows.line(0)?.text).toBe("begun");
    expect(windows.total).toBe(1);
  });

  it("asks again after a failure", async () => {
    const { windows, asked, failures, part, breakIt } = logOf(100);
    windows.add(part(0, 1));
    breakIt(true);
    windows.look(20, 25);
    await settle();
    expect(failures).toHaveLength(1);
    breakIt(false);
    windows.look(20, 25);
    await settle();
    expect(asked).toEqual([20, 20]);
    expect(windows.line(25)?.text).toBe("line 25");
  });
});
