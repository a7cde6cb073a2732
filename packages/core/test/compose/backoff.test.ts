import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/tools/backoff.ts";
import { MAX_TIMER_MS } from "../../src/words/clock.ts";
import { thrownBy } from "../rig.ts";

const almostOne = (): number => 1 - Number.EPSILON;

describe("Backoff", () => {
  it("doubles its bound from half a second up to thirty seconds", () => {
    const backoff = new Backoff({}, () => 0.5);
    expect(Array.from({ length: 8 }, () => backoff.nextMs())).toEqual([
      250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000,
    ]);
  });

  it("starts small again after a reset", () => {
    const backoff = new Backoff({ minMs: 10, factor: 3 }, () => 0.1);
    expect([backoff.nextMs(), backoff.nextMs()]).toEqual([1, 3]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(1);
  });

  it("never leaves its bounds, and never stops growing before the last one", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1e12, noNaN: true }),
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        fc.array(
          fc.oneof(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.constant("reset" as const)),
        ),
        (minMs, times, factor, steps) => {
          const maxMs = minMs * times;
          let random = 0;
          const backoff = new Backoff({ minMs, maxMs, factor }, () => random);
          let bound = Math.min(minMs, MAX_TIMER_MS);
          for (const step of steps) {
            if (step === "reset") {
              backoff.reset();
              bound = Math.min(minMs, MAX_TIMER_MS);
              continue;
            }
            random = step;
            const waitMs = backoff.nextMs();
            expect(waitMs).toBe(step * bound);
            expect(waitMs).toBeLessThanOrEqual(Math.min(maxMs, MAX_TIMER_MS));
            bound = Math.min(bound * factor, maxMs, MAX_TIMER_MS);
            expect(backoff.boundMs).toBe(bound);
          }
        },
      ),
    );
  });

  it("takes a first bound above the default last one", () => {
    const backoff = new Backoff({ minMs: 60_000 }, almostOne);
    backoff.nextMs();
    expect(backoff.boundMs).toBe(60_000);
  });

  it("stays below the longest delay that a timer keeps", () => {
    const backoff = new Backoff({ minMs: 1e12 }, almostOne);
    expect(backoff.nextMs()).toBeLessThanOrEqual(MAX_TIMER_MS);
  });

  it.each([
    { minMs: 0 },
    { minMs: -1 },
    { minMs: Number.NaN },
    { minMs: 100, maxMs: 99 },
    { maxMs: Number.NaN },
    { factor: 0.5 },
    { factor: Number.NaN },
  ])("refuses %j", (options) => {
    expect(thrownBy(() => new Backoff(options))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
