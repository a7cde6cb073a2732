import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type BatchTarget, LARGE_BYTES, WriteBatch } from "../src/tools/write-batch.ts";

/** A byte of its length's, then the message. */
class Batch extends WriteBatch {
  add(message: Uint8Array, transfer: boolean): void {
    this.bytes += 1 + message.length;
    const isLarge = message.length >= LARGE_BYTES;
    const slab = this.room(isLarge ? 1 : 1 + message.length);
    slab.memory[slab.used++] = message.length;
    if (isLarge) return this.addPiece(transfer ? message : new Uint8Array(message));
    slab.memory.set(message, slab.used);
    slab.used += message.length;
  }
}

/** A socket that takes nothing away until it is told to. */
class Held implements BatchTarget {
  readonly pieces: Uint8Array[] = [];
  writableLength = 0;
  corks = 0;
  readonly #holds: boolean;

  constructor(holds: boolean) {
    this.#holds = holds;
  }

  cork(): void {
    this.corks++;
  }
  uncork(): void {
    this.corks--;
  }
  write(bytes: Uint8Array): void {
    this.pieces.push(this.#holds ? bytes : new Uint8Array(bytes));
    if (this.#holds) this.writableLength += bytes.length;
  }
}

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 20_000 }),
  fc.constantFrom(LARGE_BYTES - 1, LARGE_BYTES, 70_000),
);
const ticks = fc.array(fc.record({ channel: fc.nat(2), sizes: fc.array(sizes, { maxLength: 30 }) }), { maxLength: 12 });

it("writes every message once and in order, and no byte that a socket still holds anew", () => {
  fc.assert(
    fc.property(
      ticks,
      fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      fc.boolean(),
      (ticks, holds, transfer) => {
        const channels = holds.map((isHeld) => ({
          batch: new Batch(),
          socket: new Held(isHeld),
          expected: [] as number[],
        }));
        let next = 0;
        for (const { channel, sizes } of ticks) {
          const { batch, socket, expected } = channels[channel] as (typeof channels)[number];
          const before = expected.length;
          for (const size of sizes) {
            next = (next + 1) & 0xff;
            const message = new Uint8Array(size).fill(next);
            batch.add(message, transfer);
            if (!transfer) message.fill(0);
            expected.push(size & 0xff, ...new Uint8Array(size).fill(next));
          }
          expect(batch.bytes).toBe(expected.length - before);
          batch.flush(socket);
          expect([batch.bytes, socket.corks]).toEqual([0, 0]);
        }
        for (const { socket, expected } of channels)
          expect(Buffer.concat(socket.pieces).equals(Buffer.from(expected))).toBe(true);
      },
    ),
    { numRuns: 30 },
  );
});

it("forgets what was dropped", () => {
  const [batch, socket] = [new Batch(), new Held(false)];
  batch.add(new Uint8Array(5), false);
  batch.drop();
  batch.flush(socket);
  expect([batch.bytes, socket.pieces]).toEqual([0, []]);
});
