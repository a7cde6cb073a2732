import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BuildSummary } from "../../src/contracts/values.ts";
import { waterfall } from "../../web/src/data/waterfall.ts";

const MINUTE = 60_000;

function build(id: number, builder: string, from: number, to?: number): BuildSummary {
  return {
    id,
    requestId: id,
    builder,
    number: id,
    bot: "b",
    branch: "main",
    revision: "r",
    subject: "",
    author: "",
    reason: "",
    state: to === undefined ? "running" : "finished",
    summary: "",
    startedAt: from * MINUTE,
    ...(to !== undefined && { finishedAt: to * MINUTE }),
    cancelRequested: false,
  };
}

describe("builds by time", () => {
  it("stand the newer the higher, side by side where they ran at the same time", () => {
    const { columns, height } = waterfall(
      [build(3, "core", 30, 40), build(2, "docs", 5, 12), build(1, "core", 0, 10)],
      0,
    );
    const [first, third] = columns.get("core")?.bars ?? [];
    const [second] = columns.get("docs")?.bars ?? [];
    expect([first?.build.id, second?.build.id, third?.build.id]).toEqual([1, 2, 3]);
    expect(third?.top).toBe(0);
    // The second ended after the first did, and began after it did.
    expect(second?.top).toBeLessThan(first?.top ?? 0);
    expect(second?.top).toBeGreaterThan((third?.top ?? 0) + (third?.height ?? 0));
    expect((first?.top ?? 0) + (first?.height ?? 0)).toBeCloseTo(height);
    expect(columns.get("core")?.lanes).toBe(1);
  });

  it("share the column of a builder that built several at once", () => {
    const { columns } = waterfall(
      [build(3, "core", 20), build(2, "core", 5, 15), build(1, "core", 0, 10)],
      21 * MINUTE,
    );
    expect(columns.get("core")?.bars.map(({ lane }) => lane)).toEqual([0, 1, 0]);
    expect(columns.get("core")?.lanes).toBe(2);
  });

  it("stand nowhere upon each other", () => {
    const some = fc.record({
      builder: fc.constantFrom("core", "docs"),
      from: fc.integer({ min: 0, max: 100 }),
      took: fc.integer({ min: 0, max: 30 }),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 30 }), (all) => {
        const builds = all.map(({ builder, from, took }, id) => build(id, builder, from / 60, (from + took) / 60));
        const { columns, height } = waterfall(builds, 0);
        for (const { bars } of columns.values()) {
          for (const lane of Map.groupBy(bars, (bar) => bar.lane).values()) {
            const down = lane.toSorted((a, b) => a.top - b.top);
            for (const [at, bar] of down.entries()) {
              const next = down[at + 1]?.top ?? height;
              expect(bar.top + bar.height).toBeLessThanOrEqual(next + 1e-6);
            }
          }
        }
      }),
    );
  });

  it("can be read however short they were, and however long nothing was built", () => {
    const { columns, height, marks } = waterfall([build(2, "core", 100_000, 100_000), build(1, "core", 0, 0.001)], 0);
    expect(columns.get("core")?.bars.every((bar) => bar.height >= 24)).toBe(true);
    expect(height).toBeLessThan(200);
    expect(
      marks.map(({ top }) => top).every((top, index, all) => index === 0 || top - (all[index - 1] ?? 0) >= 40),
    ).toBe(true);
    expect(waterfall([], 0)).toMatchObject({ marks: [], columns: new Map() });
  });
});
