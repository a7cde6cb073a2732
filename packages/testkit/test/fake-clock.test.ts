import { describe, expect, it } from "vitest";
import { createFakeClock } from "../src/index.ts";

describe("createFakeClock", () => {
  it("runs timers in the order of their instants, the older of two at one instant first", () => {
    const clock = createFakeClock();
    const ran: string[] = [];
    clock.setTimeout(() => ran.push("late"), 20);
    clock.setTimeout(() => ran.push("first"), 10);
    clock.setTimeout(() => ran.push("second"), 10);
    clock.advance(20);
    expect(ran).toEqual(["first", "second", "late"]);
  });

  it("shows each timer its own instant, and runs those set on the way", () => {
    const clock = createFakeClock(0);
    const at: number[] = [];
    const again = (): void => {
      at.push(clock.now());
      clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    clock.advance(35);
    expect(at).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
    expect(clock.pendingCount).toBe(1);
  });

  it("runs what is overdue late, once, after a jump", () => {
    const clock = createFakeClock(0);
    const at: number[] = [];
    const again = (): void => {
      at.push(clock.now());
      clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    clock.jump(100);
    expect(at).toEqual([100]);
  });

  it("forgets a cleared timer, also one that another timer clears", () => {
    const clock = createFakeClock();
    const ran: string[] = [];
    const second = clock.setTimeout(() => ran.push("second"), 10);
    clock.setTimeout(() => clock.clearTimeout(third), 5);
    const third = clock.setTimeout(() => ran.push("third"), 10);
    clock.clearTimeout(second);
    clock.advance(10);
    expect(ran).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it("fires a delay beyond 31 bits at once, as every JavaScript timer does", () => {
    const clock = createFakeClock();
    let fired = false;
    clock.setTimeout(() => (fired = true), 2 ** 31);
    clock.advance(1);
    expect(fired).toBe(true);
  });
});
