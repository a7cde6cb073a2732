import { RpcError } from "@rpc/core/transport";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtobufMessageCodec, ProtoReader, ProtoWriter } from "../src/index.ts";
import { thrownBy } from "./thrown.ts";

const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const readerOf = (...bytes: number[]): ProtoReader => new ProtoReader().reset(bytesOf(...bytes));
const repeated = (byte: number, count: number): number[] => Array.from({ length: count }, () => byte);

/** Reads fields of any kind until the end, as a generated reader does with fields that it does not know. */
function skipAll(reader: ProtoReader): void {
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    reader.skipType(tag & 7, tag >>> 3);
  }
}

const PARSE = { code: "INVALID_ARGUMENT", reason: "PARSE" };

describe("ProtoReader", () => {
  it("reads what the writer wrote", () => {
    const bytes = new ProtoWriter()
      .int32(-5)
      .sint32(-6)
      .fixed32(0xffff_ffff)
      .sfixed32(-7)
      .float(0.5)
      .double(-0)
      .bool(true)
      .string("grüße")
      .bytes(bytesOf(1, 2))
      .uint64(300)
      .uint64(2 ** 53 - 1)
      .sint64(-9)
      .int64(-10)
      .fixed64(11)
      .sfixed64(-12)
      .finish();
    const reader = new ProtoReader().reset(bytes);
    expect([reader.int32(), reader.sint32(), reader.fixed32(), reader.sfixed32()]).toEqual([-5, -6, 0xffff_ffff, -7]);
    expect([reader.float(), reader.double(), reader.bool(), reader.string()]).toEqual([0.5, -0, true, "grüße"]);
    expect(reader.bytes()).toEqual(bytesOf(1, 2));
    expect([reader.uint64Number(), reader.uint64Number(), reader.sint64Number()]).toEqual([300, 2 ** 53 - 1, -9]);
    expect([reader.int64Number(), reader.fixed64Number(), reader.sfixed64Number()]).toEqual([-10, 11, -12]);
    expect(reader.pos).toBe(bytes.length);
  });

  it("gives numbers beyond 2^53 - 1 as bigint only, never rounded (H85)", () => {
    const bytes = new ProtoWriter().uint64(2n ** 53n).finish();
    expect(new ProtoReader().reset(bytes).uint64()).toBe(2n ** 53n);
    expect(thrownBy(() => new ProtoReader().reset(bytes).uint64Number())).toMatchObject({ code: "OUT_OF_RANGE" });
    expect(thrownBy(() => new ProtoReader().reset(bytes).int64Number())).toMatchObject({ code: "OUT_OF_RANGE" });
  });

  it("cuts a 64-bit varint to 32 bits, as protobuf demands of int32", () => {
    expect(readerOf(...repeated(0xff, 9), 1).int32()).toBe(-1);
    expect(readerOf(...repeated(0xff, 9), 1).uint32()).toBe(0xffff_ffff);
  });

  it.for([
    ["without end", repeated(0x80, 30)],
    ["of 11 bytes", [...repeated(0x80, 10), 1]],
    ["of more than 64 bits", [...repeated(0x80, 9), 2]],
    ["truncated", [0x80, 0x80]],
    ["missing", []],
  ] as const)("refuses a varint %s (H96)", ([, bytes]) => {
    for (const read of [
      "uint32",
      "int32",
      "sint32",
      "uint64",
      "int64",
      "uint64Number",
      "bool",
      "tag",
      "skip",
      "string",
    ] as const) {
      expect(thrownBy(() => readerOf(...bytes)[read]())).toMatchObject(PARSE);
    }
  });

  it.for([
    ["one byte too long", [5, 1, 2, 3, 4]],
    ["of 4 GB", [0xff, 0xff, 0xff, 0xff, 0x0f, 1]],
    ["of 2^53 and more", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f, 1]],
  ] as const)("refuses a length %s (H97)", ([, bytes]) => {
    for (const read of ["string", "bytes", "lengthEnd"] as const) {
      const reader = readerOf(...bytes);
      expect(thrownBy(() => reader[read]())).toMatchObject(PARSE);
    }
  });

  it("reads no byte behind its end, though the buffer goes on (H97)", () => {
    const reader = new ProtoReader().reset(bytesOf(8, 3, 0x61, 0x62, 0x63, 0x64), 1, 4);
    expect(thrownBy(() => reader.string())).toMatchObject(PARSE);
    expect(thrownBy(() => reader.reset(bytesOf(1, 2, 3, 4), 0, 3).fixed32())).toMatchObject(PARSE);
    expect(thrownBy(() => reader.reset(bytesOf(1, 2), 0, 3))).toMatchObject(PARSE);
  });

  it.for([
    ["field number 0", [0x00, 0x01]],
    ["field number 0, written long", [0x82, 0x00]],
    ["a field number above 2^29 - 1", [0xf8, 0xff, 0xff, 0xff, 0x1f, 0]],
    ["wire type 6", [0x0e, 0]],
    ["wire type 7", [0x0f, 0]],
    ["a group without end", [0x0b, 0x10, 0x01]],
    ["a group that ends as another", [0x0b, 0x14]],
    ["a group end without start", [0x0c]],
  ] as const)("refuses %s (H98)", ([, bytes]) => {
    expect(thrownBy(() => skipAll(readerOf(...bytes)))).toMatchObject(PARSE);
  });

  it("skips groups whole", () => {
    const reader = readerOf(0x0b, 0x13, 0x1a, 2, 7, 7, 0x14, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x0c, 0x08, 5);
    expect(reader.tag()).toBe(0x0b);
    reader.skipType(3, 1);
    expect([reader.tag(), reader.uint32()]).toEqual([8, 5]);
  });

  it("refuses groups nested 10,000 deep, and skips 100 (H99)", () => {
    const nested = (depth: number): number[] => [...repeated(0x0b, depth), ...repeated(0x0c, depth)];
    expect(thrownBy(() => skipAll(readerOf(...nested(10_000))))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxDepth",
    });
    expect(thrownBy(() => skipAll(readerOf(...nested(101))))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    skipAll(readerOf(...nested(100)));
  });

  it.for([
    ["overlong", [0xc0, 0x80]],
    ["overlong in three bytes", [0xe0, 0x80, 0xaf]],
    ["an encoded surrogate", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lone continuation byte", [0x80]],
    ["cut short", [0xe2, 0x82]],
  ] as const)("refuses text that is not UTF-8: %s (H101, H87)", ([, bad]) => {
    for (const padding of [0, 3, 40, 200]) {
      const content = [...repeated(0x61, padding), ...bad];
      const bytes = new ProtoWriter().bytes(bytesOf(...content)).finish();
      expect(thrownBy(() => new ProtoReader().reset(bytes).string())).toMatchObject(PARSE);
    }
  });

  it("refuses more elements than its limit (H102)", () => {
    const reader = new ProtoReader(2).reset(bytesOf(1));
    reader.countElement();
    reader.countElement();
    expect(thrownBy(() => reader.countElement())).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxElements" });
    reader.reset(bytesOf(1)).countElement();
  });

  it("gives bytes that share no memory with their neighbours (H93)", () => {
    const pool = new Uint8Array(64 * 1024).fill(3);
    pool.set([2, 8, 9], 100);
    const value = new ProtoReader().reset(pool, 100, 103).bytes();
    expect(value.buffer.byteLength).toBe(2);
    pool.fill(0);
    expect([...value]).toEqual([8, 9]);
  });

  it("gives a large field as a view only when it fills the buffer it came in", () => {
    const content = new Uint8Array(100_000).fill(1);
    const message = new ProtoWriter().bytes(content).finish().slice();
    expect(new ProtoReader().reset(message).bytes().buffer).toBe(message.buffer);
    const pool = new Uint8Array(200_000);
    pool.set(message, 50_000);
    expect(new ProtoReader().reset(pool, 50_000).bytes().buffer).not.toBe(pool.buffer);
  });

  it("throws nothing but RpcError for any bytes", () => {
    const reads = [
      "uint32",
      "sint64",
      "fixed64",
      "float",
      "double",
      "string",
      "bytes",
      "lengthEnd",
      "bool",
      "sfixed32",
    ] as const;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...reads), (bytes, read) => {
        const reader = new ProtoReader().reset(bytes);
        const error = thrownBy(() => {
          reader[read]();
          skipAll(reader);
        });
        expect(error === undefined || error instanceof RpcError).toBe(true);
        expect(reader.pos).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("ProtobufMessageCodec", () => {
  interface Node {
    readonly name: string;
    readonly inner: Node | undefined;
  }
  // Its nested message is decoded and encoded by the codec itself, as `Any` does.
  const codec: ProtobufMessageCodec<Node> = new ProtobufMessageCodec<Node>({
    typeName: "test.Node",
    write(value, writer) {
      if (value.inner !== undefined) writer.uint32(0x12).bytes(codec.encode(value.inner));
      writer.uint32(0x0a).string(value.name);
    },
    read(reader, end) {
      let name = "";
      let inner: Node | undefined;
      while (reader.pos < end) {
        const tag = reader.tag();
        if (tag === 0x0a) name = reader.string();
        else if (tag === 0x12) inner = codec.decode(reader.bytes());
        else reader.skipType(tag & 7, tag >>> 3);
      }
      return { name, inner };
    },
    fromDynamic: (value) => value as Node,
    toDynamic: (value) => value,
  });
  const tree: Node = { name: "a", inner: { name: "b", inner: { name: "c".repeat(70_000), inner: undefined } } };

  it("may be called from within itself", () => {
    expect(codec.decode(codec.encode(tree))).toEqual(tree);
  });

  it("decodes a part of a buffer and nothing beside it", () => {
    const bytes = codec.encode({ name: "x", inner: undefined });
    const pool = new Uint8Array(20).fill(0xff);
    pool.set(bytes, 7);
    expect(codec.decode(pool, 7, 7 + bytes.length)).toEqual({ name: "x", inner: undefined });
    expect(thrownBy(() => codec.decode(pool, 7, 8 + bytes.length))).toMatchObject(PARSE);
  });

  it("is usable after an error in the middle of a message (H89)", () => {
    const hostile = { name: "a", inner: { name: "\ud800", inner: undefined } };
    expect(thrownBy(() => codec.encode(hostile))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(codec.decode(codec.encode(tree))).toEqual(tree);
  });
});
