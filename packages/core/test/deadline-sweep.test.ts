import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeadlineSweep } from "../src/tools/deadline-sweep.ts";
import { MAX_TIMER_MS } from "../src/words/clock.ts";
import { FakeClock } from "./fake-clock.ts";

function rig() {
  const clock = new FakeClock();
  const all = new Set<{ deadline: number | undefined; expire(): void }>();
  const expired: [deadline: number, at: number][] = [];
  const sweep = new DeadlineSweep(clock, () => all);
  const add = (inMs: number | undefined): object => {
    const deadline = inMs === undefined ? undefined : clock.now() + inMs;
    const entry = {
      deadline,
      expire: () => {
        all.delete(entry);
        expired.push([deadline ?? 0, clock.now()]);
      },
    };
    all.add(entry);
    if (deadline !== undefined) sweep.watch(deadline);
    return entry;
  };
  return { clock, all, expired, sweep, add };
}

describe("DeadlineSweep", () => {
  it("ends everything at its own instant, and nothing before it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 1_000 })), { maxLength: 30 }),
        async (plan) => {
          const { clock, expired, all, add } = rig();
          for (const [waitMs, inMs] of plan) {
            await clock.advance(waitMs);
            add(inMs);
          }
          await clock.advance(1_000);
          expect(all.size).toBe(0);
          expect(expired).toHaveLength(plan.length);
          for (const [deadline, at] of expired) expect(at).toBe(deadline);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("never has more than one timer, and none when nothing is left", async () => {
    const { clock, add } = rig();
    for (let i = 0; i < 1_000; i++) add(1_000 + (i % 7));
    expect(clock.timerCount).toBe(1);
    await clock.advance(1_006);
    expect(clock.timerCount).toBe(0);
  });

  it("does not wake up again and again for what has ended in the meantime", async () => {
    const { clock, all, add, expired } = rig();
    for (let i = 0; i < 100; i++) all.delete(add(100 + i) as never);
    await clock.advance(100);
    expect(expired).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });

  it("leaves alone what has no deadline", async () => {
    const { clock, add, all } = rig();
    add(undefined);
    add(10);
    await clock.advance(1_000);
    expect(all.size).toBe(1);
  });

  it("H58 waits out a deadline beyond what a timer keeps", async () => {
    const { clock, add, expired } = rig();
    add(MAX_TIMER_MS + 5_000);
    await clock.advance(MAX_TIMER_MS + 4_999);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired).toHaveLength(1);
  });

  it("H58 stands a deadline that never comes", async () => {
    const { clock, add, expired } = rig();
    add(Number.POSITIVE_INFINITY);
    add(1e18);
    await clock.advance(10 * MAX_TIMER_MS);
    expect(expired).toEqual([]);
  });

  it("H214 ends everything that fell due in a long sleep, in one turn", async () => {
    const { clock, add, expired } = rig();
    for (let i = 1; i <= 50; i++) add(i * 1_000);
    add(10_000_000);
    await clock.sleep(3_600_000);
    expect(expired).toHaveLength(50);
    expect(clock.timerCount).toBe(1);
  });

  it("is rid of its timer once it is stopped", () => {
    const { clock, add, sweep } = rig();
    add(10);
    sweep.stop();
    expect(clock.timerCount).toBe(0);
  });

  it("watches again what ends while others do", async () => {
    const { clock, add, expired, sweep, all } = rig();
    const entry = { deadline: clock.now() + 10, expire: () => void (all.delete(entry), add(10)) };
    all.add(entry);
    sweep.watch(entry.deadline);
    await clock.advance(20);
    expect(expired).toHaveLength(1);
  });
});
