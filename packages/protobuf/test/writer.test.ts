import * as fc from "fast-check";
import protobufjs from "protobufjs";
import { describe, expect, it } from "vitest";
import { ProtoReader, ProtoWriter } from "../src/index.ts";
import { thrownBy } from "./thrown.ts";

type Step = (writer: ProtoWriter | protobufjs.Writer) => unknown;

const wellFormed = fc.string({ unit: "binary", maxLength: 300 }).filter((text) => text.isWellFormed());
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const safe = fc.maxSafeInteger();

const step: fc.Arbitrary<Step> = fc.oneof(
  uint32.map(
    (v): Step =>
      (w) =>
        w.uint32(v),
  ),
  int32.map(
    (v): Step =>
      (w) =>
        w.int32(v),
  ),
  int32.map(
    (v): Step =>
      (w) =>
        w.sint32(v),
  ),
  uint32.map(
    (v): Step =>
      (w) =>
        w.fixed32(v),
  ),
  int32.map(
    (v): Step =>
      (w) =>
        w.sfixed32(v),
  ),
  safe.map(
    (v): Step =>
      (w) =>
        w.int64(v),
  ),
  safe.map(
    (v): Step =>
      (w) =>
        w.sint64(v),
  ),
  safe.map(
    (v): Step =>
      (w) =>
        w.sfixed64(v),
  ),
  fc.maxSafeNat().map(
    (v): Step =>
      (w) =>
        w.uint64(v),
  ),
  fc.maxSafeNat().map(
    (v): Step =>
      (w) =>
        w.fixed64(v),
  ),
  fc.float({ noNaN: true }).map(
    (v): Step =>
      (w) =>
        w.float(v),
  ),
  fc.double({ noNaN: true }).map(
    (v): Step =>
      (w) =>
        w.double(v),
  ),
  fc.boolean().map(
    (v): Step =>
      (w) =>
        w.bool(v),
  ),
  fc.uint8Array({ maxLength: 300 }).map(
    (v): Step =>
      (w) =>
        w.bytes(v),
  ),
  fc.uint8Array({ maxLength: 300 }).map(
    (v): Step =>
      (w) =>
        w.raw(v),
  ),
  wellFormed.map(
    (v): Step =>
      (w) =>
        w.string(v),
  ),
  fc.array(int32).map(
    (v): Step =>
      (w) =>
        w.int32s(v),
  ),
  fc.array(uint32).map(
    (v): Step =>
      (w) =>
        w.uint32s(v),
  ),
  fc.array(int32).map(
    (v): Step =>
      (w) =>
        w.sint32s(v),
  ),
  fc.array(safe).map(
    (v): Step =>
      (w) =>
        w.int64s(v),
  ),
  fc.array(safe).map(
    (v): Step =>
      (w) =>
        w.sint64s(v),
  ),
  fc.array(fc.boolean()).map(
    (v): Step =>
      (w) =>
        w.bools(v),
  ),
  fc.array(uint32).map(
    (v): Step =>
      (w) =>
        w.fixed32s(v),
  ),
  fc.array(safe).map(
    (v): Step =>
      (w) =>
        w.sfixed64s(v),
  ),
  fc.array(fc.double({ noNaN: true })).map(
    (v): Step =>
      (w) =>
        w.doubles(v),
  ),
  fc.array(fc.float({ noNaN: true })).map(
    (v): Step =>
      (w) =>
        w.floats(v),
  ),
);

/** Steps, some of them inside length-delimited messages. */
const steps = fc.letrec<{ list: Step[]; nested: Step; one: Step }>((tie) => ({
  list: fc.array(tie("one"), { maxLength: 8, depthIdentifier: "depth" }),
  nested: tie("list").map((inner): Step => (w) => {
    w.fork();
    for (const run of inner) run(w);
    return w.ldelim();
  }),
  one: fc.oneof({ depthIdentifier: "depth", maxDepth: 4 }, step, tie("nested")),
})).list;

describe("ProtoWriter", () => {
  it("writes what protobufjs' writer writes, also when it is used again and again", () => {
    const writer = new ProtoWriter();
    fc.assert(
      fc.property(steps, (all) => {
        const reference = protobufjs.Writer.create();
        for (const run of all) {
          run(writer);
          run(reference);
        }
        expect(Uint8Array.from(writer.finish())).toEqual(Uint8Array.from(reference.finish()));
      }),
      { numRuns: 500 },
    );
  });

  it("serves protobufjs' own generated encoders", () => {
    const { root } =
      protobufjs.parse(`syntax = "proto3"; message A { int32 id = 1; string text = 2; repeated A items = 3;
      map<string, sint64> counts = 4; repeated double ratios = 5; bytes raw = 6; }`);
    const type = root.lookupType("A");
    const value = type.fromObject({
      id: -1,
      text: "é".repeat(70),
      items: [{ id: 7 }, {}],
      counts: { a: 5 },
      ratios: [0.5],
      raw: [1],
    });
    const writer = new ProtoWriter();
    type.encode(value, writer as unknown as protobufjs.Writer);
    expect(Buffer.from(writer.finish())).toEqual(Buffer.from(type.encode(value).finish()));
    type.encodeDelimited(value, writer as unknown as protobufjs.Writer);
    expect(Buffer.from(writer.finish())).toEqual(Buffer.from(type.encodeDelimited(value).finish()));
  });

  it("writes 64-bit values exactly, as bigint, number or two halves", () => {
    const reader = new ProtoReader();
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const low = Number(BigInt.asIntN(32, value));
        const high = Number(BigInt.asIntN(32, value >> 32n));
        const bytes = new ProtoWriter().int64(value).sint64(value).sfixed64(value).int64({ low, high }).finish();
        reader.reset(bytes);
        expect([reader.int64(), reader.sint64(), reader.sfixed64(), reader.int64()]).toEqual([
          value,
          value,
          value,
          value,
        ]);
        const positive = BigInt.asUintN(64, value);
        reader.reset(new ProtoWriter().uint64(positive).fixed64(positive).finish());
        expect([reader.uint64(), reader.fixed64()]).toEqual([positive, positive]);
      }),
    );
  });

  it("refuses numbers that do not fit instead of cutting them (H85)", () => {
    const writer = new ProtoWriter();
    expect(thrownBy(() => writer.uint32(2 ** 32))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => writer.uint32(-1))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => writer.int32(1.5))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => writer.sint32(2 ** 31))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => writer.fixed32(-1))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => writer.uint64(2 ** 53))).toMatchObject({ code: "OUT_OF_RANGE" });
    expect(thrownBy(() => writer.uint64(2n ** 64n))).toMatchObject({ code: "OUT_OF_RANGE" });
    expect(thrownBy(() => writer.int64(-(2n ** 63n) - 1n))).toMatchObject({ code: "OUT_OF_RANGE" });
    expect(thrownBy(() => writer.uint64(Number.NaN))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.for([["\ud800"], ["a".repeat(5) + "\udfff"], ["é".repeat(600) + "\ud83d"], ["\udc00".repeat(100)]])(
    "refuses text with a lone surrogate (H87) %#",
    ([text]) => {
      const writer = new ProtoWriter();
      expect(thrownBy(() => writer.string(text as string))).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("tells where the lone surrogate is", () => {
    expect(thrownBy(() => new ProtoWriter().string("ab😀\udc00"))).toMatchObject({
      message: expect.stringContaining("character 4"),
    });
  });

  it("keeps legal characters as they are: NUL, BOM, U+FFFD, U+FFFE, beyond the BMP (H87)", () => {
    const reader = new ProtoReader();
    for (const text of [
      "\0",
      "\ufeffa",
      "\ufffd",
      "\ufffe",
      "😀",
      "\ufeff".repeat(50),
      "x\ufffd".repeat(30),
      "😀".repeat(400),
    ]) {
      expect(reader.reset(new ProtoWriter().string(text).finish()).string()).toBe(text);
    }
  });

  it("takes back what an abandoned fork wrote", () => {
    const writer = new ProtoWriter().uint32(1).fork().uint32(2).fork().string("gone");
    expect([...writer.reset().ldelim().finish()]).toEqual([1, 1, 2]);
  });

  it("hands large results over in a buffer of their own and goes on with a small one", () => {
    const writer = new ProtoWriter();
    const large = writer.bytes(new Uint8Array(1_000_000).fill(9)).finish();
    expect(writer.buf.buffer).not.toBe(large.buffer);
    expect(writer.buf.length).toBeLessThanOrEqual(4096);
    writer.uint32(5).finish();
    expect(large.at(-1)).toBe(9);
  });

  it("shrinks after a huge message that was never finished", () => {
    const writer = new ProtoWriter();
    writer.bytes(new Uint8Array(5_000_000));
    writer.clear();
    expect(writer.buf.length).toBeLessThanOrEqual(256 * 1024);
  });
});
