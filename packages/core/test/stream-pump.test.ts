import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RpcError } from "../src/index.ts";
import { StreamPump } from "../src/tools/stream-pump.ts";
import { settled } from "./fake-clock.ts";
import { Gate } from "./rig.ts";

class Outlet {
  writable = true;
  readonly sent: unknown[] = [];
  readonly ends: (RpcError | undefined)[] = [];
  refuse: unknown = undefined;

  emit(value: unknown): void {
    if (this.refuse !== undefined && value === this.refuse) throw new RpcError("INVALID_ARGUMENT", "cannot travel");
    this.sent.push(value);
  }

  ended(error: RpcError | undefined): void {
    this.ends.push(error);
  }
}

/** Counts upwards, and notes what was asked of it. */
function counting(to: number, asynchronous: boolean) {
  const notes = { produced: 0, closed: 0 };
  const source = asynchronous
    ? (async function* () {
        try {
          for (let i = 1; i <= to; i++) {
            notes.produced = i;
            yield i;
          }
        } finally {
          notes.closed++;
        }
      })()
    : (function* () {
        try {
          for (let i = 1; i <= to; i++) {
            notes.produced = i;
            yield i;
          }
        } finally {
          notes.closed++;
        }
      })();
  return { notes, source };
}

describe.each([
  ["an async generator", true],
  ["a generator", false],
])("StreamPump over %s", (_what, asynchronous) => {
  it("keeps the order and never exceeds its credit, however credit, wire and turns interleave", async () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom("full", "room", "turn"));
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 5 }),
        fc.nat({ max: 30 }),
        fc.array(step, { maxLength: 60 }),
        async (first, length, steps) => {
          const outlet = new Outlet();
          const { source, notes } = counting(length, asynchronous);
          const pump = new StreamPump(outlet, source, first);
          const run = pump.run();
          let granted = first;
          for (const move of steps) {
            if (typeof move === "number") {
              granted += move;
              pump.grant(move);
            } else if (move === "full") {
              outlet.writable = false;
            } else if (move === "room") {
              outlet.writable = true;
              pump.resume();
            } else {
              await settled();
            }
            expect(outlet.sent.length).toBeLessThanOrEqual(granted);
            // Never a step ahead: nothing is produced that there is no credit for.
            expect(notes.produced).toBeLessThanOrEqual(granted);
          }
          outlet.writable = true;
          pump.resume();
          await settled();
          const expected = Math.min(granted, length);
          expect(outlet.sent).toEqual(Array.from({ length: expected }, (_, i) => i + 1));
          pump.grant(length + 1);
          await run;
          expect(outlet.sent).toHaveLength(length);
          expect(outlet.ends).toEqual([undefined]);
          expect(notes.closed).toBe(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("C80 runs the source's finally when it is stopped, even while it waits for credit", async () => {
    const outlet = new Outlet();
    const { source, notes } = counting(10, asynchronous);
    const pump = new StreamPump(outlet, source, 2);
    const run = pump.run();
    await settled();
    expect(outlet.sent).toEqual([1, 2]);
    pump.stop();
    await run;
    await settled();
    expect(notes.closed).toBe(1);
    expect(outlet.ends).toEqual([]);
  });

  it("C80 runs the source's finally when it is stopped while the wire is full", async () => {
    const outlet = new Outlet();
    outlet.writable = false;
    const { source, notes } = counting(10, asynchronous);
    const pump = new StreamPump(outlet, source, 5);
    const run = pump.run();
    await settled();
    pump.stop();
    pump.stop();
    await run;
    expect(outlet.sent).toEqual([]);
    // A generator that never began has nothing to finish.
    expect(notes.closed).toBe(0);
  });

  it("ends with an item that cannot be sent, and closes the source", async () => {
    const outlet = new Outlet();
    outlet.refuse = 3;
    const { source, notes } = counting(10, asynchronous);
    await new StreamPump(outlet, source, 10).run();
    await settled();
    expect(outlet.sent).toEqual([1, 2]);
    expect(outlet.ends).toEqual([expect.objectContaining({ code: "INVALID_ARGUMENT" })]);
    expect(notes.closed).toBe(1);
  });
});

describe("StreamPump", () => {
  it("sends nothing more after it was stopped, though the source still gives", async () => {
    const outlet = new Outlet();
    const gate = new Gate();
    const pump = new StreamPump(
      outlet,
      (async function* () {
        await gate.promise;
        yield "late";
      })(),
      5,
    );
    const run = pump.run();
    pump.stop();
    gate.open();
    await run;
    expect(outlet.sent).toEqual([]);
    expect(outlet.ends).toEqual([]);
  });

  it("ends with what the source throws", async () => {
    const outlet = new Outlet();
    await new StreamPump(
      outlet,
      (function* () {
        yield 1;
        throw new Error("sensor broke");
      })(),
      5,
    ).run();
    expect(outlet.sent).toEqual([1]);
    expect(outlet.ends).toEqual([expect.objectContaining({ code: "UNKNOWN", message: "sensor broke" })]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("stands a source that %s when it is closed", async (_what, close) => {
    const outlet = new Outlet();
    const source = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: false, value: 1 }), return: close }),
    };
    const pump = new StreamPump(outlet, source as AsyncIterable<unknown>, 1);
    const run = pump.run();
    await settled();
    pump.stop();
    await run;
    // An unhandled rejection fails the whole run.
    await settled();
    expect(outlet.sent).toEqual([1]);
  });
});
