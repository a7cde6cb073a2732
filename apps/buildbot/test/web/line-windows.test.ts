import { describe, expect, it } from "vitest";
import type { LogLines } from "../../src/contracts/values.ts";
import { LineWindows } from "../../web/src/log/line-windows.ts";

function logOf(total: number, options: { maxWindows?: number } = {}) {
  const asked: number[] = [];
  const failures: unknown[] = [];
  let broken = false;
  const part = (firstLine: number, limit: number): LogLines => ({
    firstLine,
    lines: Array.from({ length: Math.max(0, Math.min(limit, total - firstLine)) }, (_, offset) => ({
      text: `line ${firstLine + offset}`,
      stream: "out",
    })),
    totalLines: total,
    ended: true,
  });
  const windows = new LineWindows({
    windowLines: 10,
    ...options,
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
