import { assert, boolean, constantFrom, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BINARY_FRAME,
  headerBytes,
  MAX_HEADER_BYTES,
  TEXT_FRAME,
  writeHeader,
  writeMasked,
} from "../src/node/frames.ts";

/** Reads a frame as RFC 6455 §5.2 has it, byte by byte. */
function read(bytes: Uint8Array): { first: number; payload: Buffer; length: number } {
  const buffer = Buffer.from(bytes);
  const short = (buffer[1] ?? 0) & 0x7f;
  const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
  let at = short === 126 ? 4 : short === 127 ? 10 : 2;
  const masked = ((buffer[1] ?? 0) & 0x80) !== 0;
  const key = masked ? buffer.subarray(at, (at += 4)) : Buffer.alloc(4);
  const payload = buffer.subarray(at, at + length).map((byte, i) => byte ^ (key[i & 3] ?? 0));
  return { first: buffer[0] ?? 0, payload: Buffer.from(payload), length: at + length };
}

describe("frames", () => {
  it("are read back as they were written, at any size and place, masked or not", () => {
    const lengths = constantFrom(
      0,
      1,
      2,
      3,
      4,
      5,
      124,
      125,
      126,
      127,
      255,
      256,
      257,
      258,
      259,
      1_000,
      65_535,
      65_536,
      70_001,
    );
    assert(
      property(lengths, integer({ min: 0, max: 9 }), boolean(), boolean(), (length, start, masked, binary) => {
        const payload = Buffer.alloc(length, "0123456789abcdefghijklmnopqrstuvwxyz");
        const first = binary ? BINARY_FRAME : TEXT_FRAME;
        const into = new Uint8Array(start + MAX_HEADER_BYTES + length);
        const at = writeHeader(into, start, first, length, masked);
        if (masked) writeMasked(into, at, payload);
        else into.set(payload, at);
        const frame = read(into.subarray(start));
        expect(frame.first).toBe(first);
        expect(frame.length).toBe(headerBytes(length, masked) + length);
        expect(Buffer.compare(frame.payload, payload)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("announce lengths beyond 32 bits in 64", () => {
    const into = new Uint8Array(MAX_HEADER_BYTES);
    expect(writeHeader(into, 0, BINARY_FRAME, 2 ** 32 + 5, false)).toBe(10);
    expect(Buffer.from(into).readBigUInt64BE(2)).toBe(2n ** 32n + 5n);
  });

  it("have a key of their own each", () => {
    const keys = Array.from({ length: 5_000 }, () => {
      const into = new Uint8Array(4);
      writeMasked(into, 0, new Uint8Array(0));
      return Buffer.from(into).toString("hex");
    });
    expect(new Set(keys).size).toBeGreaterThan(4_990);
  });
});
