import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ledger } from "../src/machines/ledger.ts";
import { ReplayBuffer } from "../src/tools/replay-buffer.ts";
import { DEFAULT_LIMITS } from "../src/transport.ts";

const message = (length: number, seed: number): Uint8Array => new Uint8Array(length).fill(seed & 255);

describe("the replay buffer", () => {
  it("T16 keeps what was pushed and not dropped, in order, whatever its size", () => {
    const step = fc.oneof(
      fc.record({
        push: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3_000 }), fc.constant(70_000)),
        owned: fc.boolean(),
      }),
      fc.record({ drop: fc.nat(30) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const buffer = new ReplayBuffer();
        const model: Uint8Array[] = [];
        const borrowed = new Uint8Array(70_000);
        for (const [i, each] of steps.entries()) {
          if ("drop" in each) {
            buffer.drop(each.drop);
            model.splice(0, each.drop);
          } else {
            const bytes = message(each.push, i);
            model.push(bytes);
            if (each.owned) buffer.push(bytes, true);
            else {
              // As a codec's buffer, which is written to again at once.
              borrowed.set(bytes);
              buffer.push(borrowed.subarray(0, bytes.length), false);
              borrowed.fill(255);
            }
          }
          expect(buffer.count).toBe(model.length);
          expect(buffer.bytes).toBe(model.reduce((sum, { length }) => sum + length, 0));
        }
        expect([...buffer].map((bytes) => `${bytes.subarray(0, 3).join()} of ${bytes.length}`)).toEqual(
          model.map((bytes) => `${bytes.subarray(0, 3).join()} of ${bytes.length}`),
        );
      }),
    );
  });

  it.each([
    ["does not fit in", 2_000, false],
    ["needs no copy", 20, true],
  ])("T16 loses nothing when the first message after a quiet time %s", (_what, length, owned) => {
    const buffer = new ReplayBuffer();
    buffer.push(message(10, 1), false);
    buffer.drop(1);
    buffer.push(message(length, 2), owned);
    buffer.push(message(10, 3), false);
    buffer.drop(1);
    expect([...buffer]).toEqual([message(10, 3)]);
  });
});

describe("the ledger", () => {
  it("T13 takes acknowledgements that go up to what was sent, and names both counts of one that cannot be", () => {
    const ledger = new Ledger(DEFAULT_LIMITS, true);
    for (let i = 0; i < 5; i++) ledger.keep(message(10, i), false);
    expect(ledger.acknowledge(3)).toBeUndefined();
    expect(ledger.replay?.count).toBe(2);
    expect(ledger.acknowledge(3)).toBeUndefined();
    expect(ledger.acknowledge(2)).toBe("acknowledgement of 2 messages after one of 3");
    expect(ledger.acknowledge(6)).toBe("acknowledgement of 6 messages, 5 were sent");
    expect(ledger.acked).toBe(3);
  });

  it("T17 is full at its limit in messages or bytes, and asks before it is", () => {
    const ledger = new Ledger({ ...DEFAULT_LIMITS, maxReplayMessages: 8, maxReplayBytes: 1_000 }, true);
    for (let i = 0; i < 3; i++) ledger.keep(message(10, i), false);
    expect(ledger.shouldAsk).toBe(false);
    ledger.keep(message(10, 3), false);
    expect(ledger.shouldAsk).toBe(true);
    ledger.asked();
    ledger.keep(message(10, 4), false);
    expect(ledger.shouldAsk).toBe(false);
    for (let i = 0; i < 3; i++) ledger.keep(message(10, i), false);
    expect(ledger.full).toBe(true);
    ledger.acknowledge(8);
    expect(ledger.full).toBe(false);
    ledger.keep(message(1_000, 0), false);
    expect(ledger.full).toBe(true);
  });

  it("acknowledges without waiting after 256 messages or 256 KiB", () => {
    const ledger = new Ledger(DEFAULT_LIMITS, true);
    for (let i = 0; i < 255; i++) ledger.accept(10);
    expect(ledger.overdue).toBe(false);
    ledger.accept(10);
    expect(ledger.overdue).toBe(true);
    ledger.tell();
    expect(ledger.overdue).toBe(false);
    ledger.accept(256 * 1024);
    expect(ledger.overdue).toBe(true);
  });
});
