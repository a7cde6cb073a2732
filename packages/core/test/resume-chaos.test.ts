import { describe, expect, it } from "vitest";
import { createFakeClock } from "../../testkit/src/fake-clock.ts";
import { exactlyOnce } from "../../testkit/src/chaos/exactly-once.ts";

const SEEDS = Array.from({ length: 100 }, (_, i) => i + 1);

/** T41 P01: unary calls both ways, streams of every shape and notifications, while connections are cut, stalled and swallowed at random. */
describe("a session over connections that come to harm", () => {
  it.each(SEEDS)("runs every call once, completes every stream, leaves no timer: seed %i", async (seed) => {
    const report = await exactlyOnce({ seed, clock: createFakeClock() });
    expect(report.failed).toBe(0);
  });
});

describe("a session whose handshakes are as slow as they are late", () => {
  it.each(SEEDS)("is not ended by a handshake that was given up: seed %i", async (seed) => {
    const plan = { fates: { cut: 4, stall: 6 }, atMessage: [0, 60], stallMs: [300, 1_500] } as const;
    const report = await exactlyOnce({ seed, clock: createFakeClock(), plan });
    expect(report.failed).toBe(0);
  });
});
