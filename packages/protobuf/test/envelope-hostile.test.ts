import { Body, RpcError } from "@rpc/core/transport";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createProtobufEnvelopeCodec, ProtoWriter } from "../src/index.ts";
import { envelopes } from "./envelope-values.ts";
import { thrownBy } from "./thrown.ts";

const codec = createProtobufEnvelopeCodec();

/** An envelope with one body, whose fields `write` writes. */
function envelopeOf(number: number, write: (writer: ProtoWriter) => unknown): Uint8Array {
  const writer = new ProtoWriter().uint32((number << 3) | 2).fork();
  write(writer);
  return writer.ldelim().finish();
}

const refusal = (bytes: Uint8Array): unknown => thrownBy(() => codec.decode(bytes));

/** Whether bytes decode, or are refused as they should be. */
function isServedOrRefused(bytes: Uint8Array): boolean {
  const error = refusal(bytes);
  return error === undefined || (error instanceof RpcError && error.code === "INTERNAL" && error.reason === "PROTOCOL");
}

const PROTOCOL = { code: "INTERNAL", reason: "PROTOCOL" };
const CALL_FIELDS = (writer: ProtoWriter): ProtoWriter => writer.uint32(8).uint64(1).uint32(0x12).string("a.B.c");

describe("the protobuf envelope codec, given hostile bytes", () => {
  it("throws nothing but a protocol error, whatever it gets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(isServedOrRefused(bytes)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it("refuses every envelope that is cut short (H96, H97)", () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const bytes = codec.encode(envelope).slice();
        for (let length = 0; length < bytes.length; length++)
          expect(refusal(bytes.slice(0, length))).toMatchObject(PROTOCOL);
      }),
      { numRuns: 60 },
    );
  });

  it("throws nothing but a protocol error when any byte is changed", () => {
    fc.assert(
      fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), (envelope, at, change) => {
        const bytes = codec.encode(envelope).slice();
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ change;
        expect(isServedOrRefused(bytes)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses a second envelope behind the first in one message (H11)", () => {
    const ping = codec.encode({ body: Body.Ping, token: 1 }).slice();
    expect(refusal(Uint8Array.of(...ping, ...ping))).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(...ping, 0))).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(...ping, 0xff))).toMatchObject(PROTOCOL);
  });

  it("refuses an empty message", () => {
    expect(refusal(new Uint8Array(0))).toMatchObject(PROTOCOL);
  });

  it.for([
    ["missing", (w: ProtoWriter) => w.uint32(0x12).string("a.B.c")],
    ["0", (w: ProtoWriter) => w.uint32(8).uint64(0)],
    ["negative", (w: ProtoWriter) => w.uint32(8).int64(-1)],
    ["2^53", (w: ProtoWriter) => w.uint32(8).uint64(2n ** 53n)],
    ["2^64 - 1", (w: ProtoWriter) => w.uint32(8).uint64(2n ** 64n - 1n)],
    ["fractional", (w: ProtoWriter) => w.uint32(9).double(1.5)],
    ["text", (w: ProtoWriter) => w.uint32(0x0a).string("1")],
  ] as const)("refuses a call id that is %s (H41)", ([, write]) => {
    for (const number of [
      Body.Call,
      Body.Result,
      Body.Fail,
      Body.Cancel,
      Body.Item,
      Body.Settle,
      Body.Credit,
      Body.End,
      Body.Progress,
    ]) {
      expect(refusal(envelopeOf(number, write))).toMatchObject(PROTOCOL);
    }
  });

  it("takes the largest call id, 2^53 - 1 (H41)", () => {
    const bytes = envelopeOf(Body.Cancel, (w) => w.uint32(8).uint64(2 ** 53 - 1));
    expect(codec.decode(bytes)).toMatchObject({ id: 2 ** 53 - 1 });
  });

  it("names the number of a body that it does not know (H46)", () => {
    for (const number of [9, 11, 13, 15, 27, 1000, 2 ** 28]) {
      expect(
        codec.decode(
          new ProtoWriter()
            .uint32(((number << 3) | 2) >>> 0)
            .bytes(new Uint8Array(3))
            .finish(),
        ),
      ).toEqual({
        body: 0,
        number,
      });
    }
  });

  it("skips unknown fields of every wire type, in the envelope and in its body (H47)", () => {
    const unknown = (w: ProtoWriter): ProtoWriter =>
      w
        .uint32(0xf80)
        .uint64(5)
        .uint32(0xf81)
        .fixed64(5)
        .uint32(0xf82)
        .string("x")
        .uint32(0xf85)
        .fixed32(5)
        .uint32(0xf83)
        .uint32(8)
        .uint32(1)
        .uint32(0xf84);
    const writer = unknown(new ProtoWriter().uint32(8).uint64(9).uint32(0x10).bool(true));
    writer.uint32((Body.Call << 3) | 2).fork();
    unknown(CALL_FIELDS(writer)).ldelim();
    expect(codec.decode(unknown(writer).finish())).toMatchObject({ body: Body.Call, id: 1, method: "a.B.c" });
  });

  it("keeps an error's code as the number that came (H48)", () => {
    for (const code of [0, 17, 999]) {
      const bytes = envelopeOf(Body.Fail, (w) =>
        w.uint32(8).uint64(1).uint32(0x12).fork().uint32(8).uint32(code).ldelim(),
      );
      expect(codec.decode(bytes)).toMatchObject({ error: { code } });
    }
    expect(codec.decode(envelopeOf(Body.Fail, (w) => w.uint32(8).uint64(1)))).toMatchObject({ error: { code: 2 } });
  });

  it.for([
    ["negative", (w: ProtoWriter) => w.uint32(0x10).int64(-1)],
    ["2^32", (w: ProtoWriter) => w.uint32(0x10).uint64(2 ** 32)],
    ["2^53", (w: ProtoWriter) => w.uint32(0x10).uint64(2n ** 53n)],
  ] as const)("refuses a credit that is %s (H52)", ([, write]) => {
    expect(refusal(envelopeOf(Body.Credit, (w) => write(w.uint32(8).uint64(1))))).toMatchObject(PROTOCOL);
  });

  it("refuses call kinds and payload codecs that it does not know", () => {
    expect(refusal(envelopeOf(Body.Call, (w) => CALL_FIELDS(w).uint32(0x28).uint32(7)))).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Call, (w) => CALL_FIELDS(w).uint32(0x30).uint32(2)))).toMatchObject(PROTOCOL);
  });

  it.for([
    ["a binding of Hello", Body.Hello, 0x30, 2],
    ["a binding of Challenge", Body.Challenge, 0x28, 2],
    ["a refusal", Body.Welcome, 0x28, 5],
    ["an outcome", Body.Settle, 0x18, 3],
  ] as const)("refuses %s that it does not know", ([, body, tag, first]) => {
    for (const number of [first, 2 ** 32, 2n ** 53n, 2n ** 64n - 1n]) {
      const bytes = envelopeOf(body, (w) => w.uint32(8).uint64(1).uint32(tag).uint64(number));
      expect(refusal(bytes)).toMatchObject(PROTOCOL);
    }
  });

  it.for([2n ** 53n, 2n ** 63n, 2n ** 64n - 1n])("refuses a count of %d, wherever it stands", (count) => {
    const ping = codec.encode({ body: Body.Ping, token: 1 }).slice();
    const ack = new ProtoWriter().uint32(0x08).uint64(count).finish();
    expect(refusal(ack)).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(...ack, ...ping))).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(...ping, ...ack))).toMatchObject(PROTOCOL);
    const resume = (w: ProtoWriter): unknown => w.uint32(0x4a).fork().uint32(0x10).uint64(count).ldelim();
    expect(refusal(envelopeOf(Body.Hello, resume))).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Welcome, (w) => w.uint32(0x20).uint64(count)))).toMatchObject(PROTOCOL);
    for (const tag of [0x28, 0x38]) {
      const item = (w: ProtoWriter): unknown => w.uint32(8).uint64(1).uint32(tag).uint64(count);
      expect(refusal(envelopeOf(Body.Item, item))).toMatchObject(PROTOCOL);
    }
    const settle = (w: ProtoWriter): unknown => w.uint32(8).uint64(1).uint32(0x10).uint64(count);
    expect(refusal(envelopeOf(Body.Settle, settle))).toMatchObject(PROTOCOL);
  });

  it("reads ack and ack_requested before and behind the body; the last one counts, and a wrong wire type counts as none", () => {
    const ping = codec.encode({ body: Body.Ping, token: 1 }).slice();
    const counts = { ack: 5, ackRequested: true };
    const read = (...bytes: number[]): unknown => [codec.decode(Uint8Array.from(bytes), counts).body, { ...counts }];
    expect(read(...ping)).toEqual([Body.Ping, { ack: -1, ackRequested: false }]);
    expect(read(...ping, 0x10, 1, 8, 4)).toEqual([Body.Ping, { ack: 4, ackRequested: true }]);
    expect(read(8, 3, ...ping, 8, 4)).toEqual([Body.Ping, { ack: 4, ackRequested: false }]);
    expect(read(0x10, 1)).toEqual([0, { ack: -1, ackRequested: true }]);
    expect(read(0x0a, 1, 7, 0x12, 1, 7)).toEqual([0, { ack: -1, ackRequested: false }]);
  });

  it("takes an item for one of a stream when none of the fields of events and jobs is there", () => {
    const item = (write: (writer: ProtoWriter) => ProtoWriter): unknown =>
      codec.decode(envelopeOf(Body.Item, (w) => write(w.uint32(8).uint64(1))));
    expect(item((w) => w)).toMatchObject({ extra: undefined });
    expect(item((w) => w.uint32(0xf80).uint64(5))).toMatchObject({ extra: undefined });
    expect(item((w) => w.uint32(0x28).uint64(0))).toMatchObject({ extra: { delivery: 0, topic: "" } });
    expect(item((w) => w.uint32(0x38).uint64(6).uint32(0xf80).uint64(5))).toMatchObject({ extra: { lost: 6 } });
  });

  it("refuses text that is not UTF-8: in names, metadata and errors (H87, H101)", () => {
    const overlong = Uint8Array.of(0xc0, 0xaf);
    expect(refusal(envelopeOf(Body.Call, (w) => w.uint32(8).uint64(1).uint32(0x12).bytes(overlong)))).toMatchObject(
      PROTOCOL,
    );
    expect(
      refusal(envelopeOf(Body.Call, (w) => CALL_FIELDS(w).uint32(0x52).fork().uint32(0x0a).bytes(overlong).ldelim())),
    ).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Cancel, (w) => w.uint32(8).uint64(1).uint32(0x12).bytes(overlong)))).toMatchObject(
      PROTOCOL,
    );
  });

  it("refuses a field that runs over the end of its message (H97)", () => {
    const inner = (w: ProtoWriter): ProtoWriter => w.uint32(8).uint64(1).uint32(0x12).uint32(20);
    const bytes = new ProtoWriter()
      .raw(envelopeOf(Body.Cancel, inner))
      .uint32(0xf82)
      .bytes(new Uint8Array(40))
      .finish();
    expect(refusal(bytes)).toMatchObject(PROTOCOL);
  });

  it("refuses wire types and groups that do not add up (H98), and groups 10,000 deep (H99)", () => {
    expect(refusal(Uint8Array.of(0x0c))).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(0x0e))).toMatchObject(PROTOCOL);
    expect(refusal(Uint8Array.of(0x02, 0))).toMatchObject(PROTOCOL);
    expect(refusal(new Uint8Array(20_000).fill(0x0b, 0, 10_000).fill(0x0c, 10_000))).toMatchObject(PROTOCOL);
  });

  it("refuses a million empty metadata entries, features or versions (H102)", () => {
    const many = (tag: number): Uint8Array => Uint8Array.from({ length: 40_000 }, (_, i) => (i % 2 === 0 ? tag : 0));
    expect(refusal(envelopeOf(Body.Call, (w) => CALL_FIELDS(w).raw(many(0x52))))).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Hello, (w) => w.raw(many(0x42))))).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Item, (w) => w.uint32(8).uint64(1).raw(many(0x4a))))).toMatchObject(PROTOCOL);
    expect(refusal(envelopeOf(Body.Hello, (w) => w.uint32(0x0a).bytes(new Uint8Array(40_000))))).toMatchObject(
      PROTOCOL,
    );
  });

  it("decodes the same after thousands of refusals", () => {
    for (let i = 0; i < 3_000; i++) refusal(Uint8Array.of(0x82, 0x01, 0x05, i & 127));
    expect(codec.decode(codec.encode({ body: Body.Ping, token: 4 }))).toEqual({ body: Body.Ping, token: 4 });
  });
});
