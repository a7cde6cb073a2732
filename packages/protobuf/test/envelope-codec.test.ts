import { fileURLToPath } from "node:url";
import {
  type BinaryMessageCodec,
  Body,
  type CallBody,
  type Counts,
  EncodedPayload,
  type Envelope,
  type JsonMessageCodec,
  RpcError,
  ValuePayload,
} from "@rpc/core/transport";
import * as fc from "fast-check";
import protobufjs from "protobufjs";
import { describe, expect, it } from "vitest";
import { createProtobufEnvelopeCodec, ProtobufMessageCodec, protobufEnvelopeCodec } from "../src/index.ts";
import { countings, envelopes } from "./envelope-values.ts";
import "./payload-equality.ts";

const codec = createProtobufEnvelopeCodec();
const reference = protobufjs
  .loadSync(fileURLToPath(new URL("../proto/rpc/v1/envelope.proto", import.meta.url)))
  .lookupType("rpc.v1.Envelope");

/** A message without schema: one text. */
const noteCodec = new ProtobufMessageCodec<string>({
  typeName: "test.Note",
  write: (value, writer) => void writer.uint32(0x0a).string(value),
  read(reader, end) {
    let text = "";
    while (reader.pos < end) {
      const tag = reader.tag();
      if (tag === 0x0a) text = reader.string();
      else reader.skipType(tag & 7, tag >>> 3);
    }
    return text;
  },
  fromDynamic: String,
  toDynamic: (value) => value,
});

const jsonCodec: JsonMessageCodec = {
  format: "json",
  stringify: (value) => JSON.stringify(value),
  parse: (text) => JSON.parse(text) as unknown,
  revive: (value) => value,
};

function callOf(part: Partial<CallBody>): CallBody {
  return {
    body: Body.Call,
    id: 1,
    method: "demo.Echo.say",
    kind: "unary",
    payload: undefined,
    deadlineMs: undefined,
    metadata: undefined,
    idempotencyKey: undefined,
    credits: undefined,
    depth: 0,
    parentId: 0,
    observed: false,
    handleId: "",
    ...part,
  };
}

function payloadAfter(part: Partial<CallBody>): EncodedPayload {
  const envelope = codec.decode(codec.encode(callOf(part)).slice());
  if (envelope.body !== Body.Call || !(envelope.payload instanceof EncodedPayload)) throw new Error("no payload");
  return envelope.payload;
}

/** Field by field what protobufjs sees in the bytes: numbers as numbers, absent as absent. */
function seenByProtobufjs(bytes: Uint8Array): Record<string, unknown> {
  return reference.toObject(reference.decode(bytes), { longs: Number, enums: Number, bytes: Array, oneofs: true });
}

describe("the protobuf envelope codec", () => {
  it("gives every body back as it was", () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        expect(codec.decode(codec.encode(envelope).slice())).toEqual(envelope);
      }),
      { numRuns: 1000 },
    );
  });

  it("writes what protobufjs reads and writes the same: every byte is in the canonical order", () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const bytes = codec.encode(envelope).slice();
        // The order of map entries is not fixed by protobuf, so decoding again is what counts.
        const again = reference.encode(reference.decode(bytes)).finish();
        expect(again.length).toBe(bytes.length);
        expect(codec.decode(Uint8Array.from(again))).toEqual(envelope);
        expect(seenByProtobufjs(bytes)).toEqual(seenByProtobufjs(again));
      }),
      { numRuns: 500 },
    );
  });

  it("carries acknowledgement beside any body, in the canonical order", () => {
    fc.assert(
      fc.property(envelopes, countings, (envelope, counts) => {
        const bytes = codec.encode(envelope, counts).slice();
        const arrived: Counts = { ack: 99, ackRequested: true };
        expect(codec.decode(bytes, arrived)).toEqual(envelope);
        expect(arrived).toEqual(counts);
        expect(codec.decode(bytes)).toEqual(envelope);
        const again = reference.encode(reference.decode(bytes)).finish();
        expect(again.length).toBe(bytes.length);
        expect(seenByProtobufjs(bytes)).toMatchObject({
          ...(counts.ack < 0 ? {} : { ack: counts.ack }),
          ...(counts.ackRequested ? { ackRequested: true } : {}),
        });
      }),
      { numRuns: 500 },
    );
  });

  it("puts nothing in front of the body when there is nothing to acknowledge", () => {
    const ping = { body: Body.Ping, token: 1 } as const;
    const bytes = codec.encode(ping).slice();
    expect(codec.encode(ping, { ack: -1, ackRequested: false })).toEqual(bytes);
    expect(codec.encode(ping, { ack: 0, ackRequested: false })).toEqual(Uint8Array.of(8, 0, ...bytes));
    expect(codec.encode(ping, { ack: -1, ackRequested: true })).toEqual(Uint8Array.of(0x10, 1, ...bytes));
    expect(codec.encode(ping, { ack: 300, ackRequested: true })).toEqual(Uint8Array.of(8, 0xac, 2, 0x10, 1, ...bytes));
  });

  it.for([0, 1, 127, 128, 2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 49, 2 ** 53 - 1])(
    "counts to %d",
    (ack) => {
      const arrived: Counts = { ack: -1, ackRequested: true };
      const large = callOf({ payload: new EncodedPayload("protobuf", new Uint8Array(2 ** 21)) });
      expect(codec.decode(codec.encode(large, { ack, ackRequested: true }), arrived)).toMatchObject({ id: 1 });
      expect(arrived).toEqual({ ack, ackRequested: true });
      expect(codec.decode(codec.encode({ body: 0, number: 0 }, { ack, ackRequested: false }), arrived)).toEqual({
        body: 0,
        number: 0,
      });
      expect(arrived).toEqual({ ack, ackRequested: false });
    },
  );

  it("refuses to count further, and to send an envelope that says nothing", () => {
    expect(() => codec.encode({ body: Body.Ping, token: 1 }, { ack: 2 ** 53, ackRequested: false })).toThrow(RpcError);
    expect(() => codec.encode({ body: 0, number: 0 })).toThrow(RpcError);
    expect(() => codec.encode({ body: 0, number: 0 }, { ack: -1, ackRequested: false })).toThrow(RpcError);
  });

  it("leaves compressed bytes in the message they came in", () => {
    const bytes = codec.encode({ body: Body.Compressed, data: Uint8Array.of(1, 2, 3) }).slice();
    expect(seenByProtobufjs(bytes)).toEqual({ body: "compressed", compressed: [1, 2, 3] });
    expect(codec.decode(bytes)).toMatchObject({ data: { buffer: bytes.buffer, byteOffset: 2 } });
  });

  it("means by each field number of an item and of its settlement what the definition says", () => {
    const item: Envelope = {
      body: Body.Item,
      id: 1,
      seq: 2,
      payload: new EncodedPayload("json", Uint8Array.of(0x31)),
      extra: { topic: "t", lost: 3, delivery: 4, attempt: 5, metadata: new Map([["k", "v"]]) },
    };
    expect(seenByProtobufjs(codec.encode(item))).toEqual({
      body: "item",
      item: {
        id: 1,
        seq: 2,
        codec: 1,
        payload: [0x31],
        topic: "t",
        lost: 3,
        delivery: 4,
        attempt: 5,
        metadata: { k: "v" },
      },
    });
    const settle: Envelope = {
      body: Body.Settle,
      id: 1,
      delivery: 4,
      outcome: "reject",
      payload: new EncodedPayload("json", Uint8Array.of(0x31)),
      error: undefined,
    };
    expect(seenByProtobufjs(codec.encode(settle))).toEqual({
      body: "settle",
      settle: { id: 1, delivery: 4, outcome: 2, codec: 1, payload: [0x31] },
    });
  });

  it("means by each field number of the handshake what the definition says", () => {
    const hello: Envelope = {
      body: Body.Hello,
      versions: [],
      nonce: new Uint8Array(0),
      instanceId: new Uint8Array(0),
      principal: "p",
      mechanisms: ["token"],
      binding: "tls-exporter",
      limits: undefined,
      features: ["ack"],
      resume: { sessionId: Uint8Array.of(9), received: 7 },
      software: "s",
    };
    expect(seenByProtobufjs(codec.encode(hello))).toEqual({
      body: "hello",
      hello: {
        principal: "p",
        mechanisms: ["token"],
        binding: 1,
        features: ["ack"],
        resume: { sessionId: [9], received: 7 },
        software: "s",
      },
    });
    const welcome: Envelope = {
      body: Body.Welcome,
      mac: Uint8Array.of(1),
      sessionId: Uint8Array.of(2),
      resumed: true,
      received: 0,
      refusal: "other-principal",
      resumeWindowMs: 30_000,
    };
    expect(seenByProtobufjs(codec.encode(welcome))).toEqual({
      body: "welcome",
      welcome: { mac: [1], sessionId: [2], resumed: true, received: 0, refusal: 4, resumeWindowMs: 30_000 },
    });
    expect(seenByProtobufjs(codec.encode({ body: Body.Proof, mac: new Uint8Array(0), token: "t" }))).toEqual({
      body: "proof",
      proof: { token: "t" },
    });
  });

  it("means by each field number of a call what the definition says", () => {
    const bytes = codec.encode(
      callOf({
        id: 2 ** 40 + 1,
        kind: "bidiStream",
        payload: new EncodedPayload("json", Uint8Array.of(0x31)),
        deadlineMs: 2.5,
        metadata: [["trace", "t"]],
        idempotencyKey: "k",
        credits: 0,
        depth: 3,
        parentId: 8,
        observed: true,
        handleId: "h",
      }),
    );
    expect(seenByProtobufjs(bytes)).toEqual({
      body: "call",
      call: {
        id: 2 ** 40 + 1,
        method: "demo.Echo.say",
        kind: 3,
        codec: 1,
        payload: [0x31],
        deadlineMs: 3,
        idempotencyKey: "k",
        metadata: { trace: "t" },
        credits: 0,
        parentId: 8,
        depth: 3,
        debug: true,
        handleId: "h",
      },
    });
  });

  it("tells an empty payload from none", () => {
    expect(payloadAfter({ payload: new EncodedPayload("protobuf", new Uint8Array(0)) }).bytes).toEqual(
      new Uint8Array(0),
    );
    expect(codec.decode(codec.encode(callOf({})))).toMatchObject({ payload: undefined });
  });

  it("writes values by their codec, whichever it is", () => {
    const { fromDynamic, toDynamic } = noteCodec;
    const plain: BinaryMessageCodec<string> = {
      format: "protobuf",
      encode: (value) => noteCodec.encode(value),
      decode: (bytes) => noteCodec.decode(bytes),
      fromDynamic,
      toDynamic,
    };
    const note = noteCodec.encode("hello");
    expect(payloadAfter({ payload: new ValuePayload(noteCodec, "hello") })).toEqual(
      new EncodedPayload("protobuf", note),
    );
    expect(payloadAfter({ payload: new ValuePayload(plain, "hello") })).toEqual(new EncodedPayload("protobuf", note));
    const json = new TextEncoder().encode('{"a":"é"}');
    expect(payloadAfter({ payload: new ValuePayload(jsonCodec, { a: "é" }) })).toEqual(
      new EncodedPayload("json", json),
    );
    expect(payloadAfter({ payload: new EncodedPayload("json", undefined, { a: "é" }) })).toEqual(
      new EncodedPayload("json", json),
    );
  });

  it("leaves payloads in the message they came in", () => {
    const bytes = codec.encode(callOf({ payload: new ValuePayload(noteCodec, "hello") })).slice();
    const envelope = codec.decode(bytes);
    expect((envelope as CallBody).payload).toMatchObject({ bytes: expect.objectContaining({ buffer: bytes.buffer }) });
  });

  it("hands large envelopes over in a buffer of their own, and says so", () => {
    const own = createProtobufEnvelopeCodec();
    const large = own.encode(callOf({ payload: new ValuePayload(noteCodec, "x".repeat(100_000)) }));
    expect(own.ownsLast).toBe(true);
    const copy = large.slice();
    expect(own.encode(callOf({ payload: new ValuePayload(noteCodec, "y") })).buffer).not.toBe(large.buffer);
    expect(own.ownsLast).toBe(false);
    expect(large).toEqual(copy);
  });

  it("may be called from within itself: a getter in a payload makes a call of its own", () => {
    const outer = codec.encode(
      callOf({
        payload: new ValuePayload(jsonCodec, {
          get text() {
            codec.encode(callOf({ id: 7, method: "inner" }));
            return "ok";
          },
        }),
      }),
    );
    expect(codec.decode(outer)).toMatchObject({
      id: 1,
      method: "demo.Echo.say",
      payload: { bytes: new TextEncoder().encode('{"text":"ok"}') },
    });
  });

  it("leaves nothing half-written when a value cannot be encoded (H89)", () => {
    const bad = (): Uint8Array => codec.encode(callOf({ payload: new ValuePayload(noteCodec, "\ud800") }));
    expect(bad).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
    expect(codec.decode(codec.encode(callOf({ id: 5 })))).toMatchObject({ id: 5, payload: undefined });
  });

  it("refuses to send an envelope that it could not name", () => {
    expect(() => codec.encode({ body: 0, number: 99 })).toThrow(RpcError);
  });

  it("knows names again without mixing them up", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: "binary", maxLength: 160 }).filter((name) => name.isWellFormed()),
          { maxLength: 50 },
        ),
        (names) => {
          for (const method of names) expect(codec.decode(codec.encode(callOf({ method })))).toMatchObject({ method });
        },
      ),
    );
  });

  it("survives a flood of method names", () => {
    for (let i = 0; i < 5_000; i++) {
      const method = `flood.Contract.method${i}`;
      expect((codec.decode(codec.encode(callOf({ method }))) as CallBody).method).toBe(method);
    }
  });

  it("keeps metadata keys plain data (H100, H80)", () => {
    const entries = [
      ["__proto__", "a"],
      ["constructor", "b"],
      ["then", "c"],
    ] as const;
    const decoded = codec.decode(codec.encode(callOf({ metadata: entries }))) as CallBody;
    expect([...(decoded.metadata ?? [])]).toEqual(entries);
    const twice = codec.decode(
      codec.encode(
        callOf({
          metadata: [
            ["a", "1"],
            ["a", "2"],
          ],
        }),
      ),
    ) as CallBody;
    expect([...(twice.metadata ?? [])]).toEqual([["a", "2"]]);
    const line: Envelope = {
      body: Body.Progress,
      id: 1,
      payload: undefined,
      log: { level: "info", message: "", fields: JSON.parse('{"__proto__":"x"}') as Record<string, string> },
    };
    const log = codec.decode(codec.encode(line));
    expect(log).toMatchObject({ log: { fields: Object.fromEntries([["__proto__", "x"]]) } });
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  it("comes ready made", () => {
    expect(protobufEnvelopeCodec.name).toBe("protobuf");
    expect(protobufEnvelopeCodec.decode(protobufEnvelopeCodec.encode({ body: Body.Pong, token: 3 }))).toEqual({
      body: Body.Pong,
      token: 3,
    });
  });
});
