import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BINDINGS,
  Body,
  CALL_KINDS,
  type Counts,
  EncodedPayload,
  type Envelope,
  type ItemExtra,
  jsonEnvelopeCodec,
  OUTCOMES,
  RESUME_REFUSALS,
  ValuePayload,
} from "../src/transport.ts";
import { readUtf8, utf8Bytes } from "../src/tools/utf8.ts";
import { dynamicCodec } from "../src/tools/json-message-codec.ts";
import { call, json, refusalOf, thrownBy } from "./rig.ts";

/** As the codec makes them: with a prototype. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const text = fc.string({ unit: "binary", maxLength: 20 });
const whole = fc.maxSafeNat();
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const bytes = fc.uint8Array({ maxLength: 40 });
const payload = fc.oneof(
  fc
    .jsonValue({ stringUnit: "binary" })
    .map((value): unknown => JSON.parse(JSON.stringify(value)))
    .map((value) => new EncodedPayload("json", undefined, value)),
  bytes.map((value) => new EncodedPayload("protobuf", value)),
);
const noPayload = fc.constant(new EncodedPayload("json", undefined, undefined));
const metadata = fc.option(fc.array(fc.tuple(text, text), { maxLength: 4 }), { nil: undefined });
const limits = fc.option(record({ maxMessageBytes: whole, maxCalls: whole, heartbeatMs: whole, aliveMs: whole }), {
  nil: undefined,
});
const error = record({
  code: fc.nat({ max: 1_000 }),
  message: text,
  reason: text,
  details: fc.option(payload, { nil: undefined }),
  retryable: fc.boolean(),
  delivered: fc.constantFrom(undefined, "no" as const, "unknown" as const),
  stack: text,
});
const optionalError = fc.option(error, { nil: undefined });
const texts = fc.array(text, { maxLength: 3 });
const log = record({
  level: fc.constantFrom(
    "trace" as const,
    "debug" as const,
    "info" as const,
    "notice" as const,
    "warning" as const,
    "error" as const,
    "critical" as const,
  ),
  message: text,
  fields: fc
    .dictionary(text, text, { noNullPrototype: false, maxKeys: 3 })
    .map((fields) => Object.assign(Object.create(null) as Record<string, string>, fields)),
});

const binding = fc.constantFrom(...BINDINGS);
const extra = fc.option(
  record({ topic: text, lost: whole, delivery: whole, attempt: whole, metadata }).filter(
    // With nothing to say it is not sent, and comes back as none.
    (each: ItemExtra) => Object.values(each).some((value) => value !== undefined && value !== 0 && value !== ""),
  ),
  { nil: undefined },
);
const countings: fc.Arbitrary<Counts> = record({ ack: fc.oneof(fc.constant(-1), whole), ackRequested: fc.boolean() });

const bodies: { readonly [Name in keyof typeof Body]: fc.Arbitrary<Envelope> } = {
  Hello: record({
    body: fc.constant(Body.Hello),
    versions: fc.array(fc.nat(), { maxLength: 3 }),
    nonce: bytes,
    instanceId: bytes,
    principal: text,
    mechanisms: texts,
    binding,
    limits,
    features: texts,
    resume: fc.option(record({ sessionId: bytes, received: whole }), { nil: undefined }),
    software: text,
  }),
  Challenge: record({
    body: fc.constant(Body.Challenge),
    version: whole,
    nonce: bytes,
    instanceId: bytes,
    mechanism: text,
    binding,
    limits,
    features: texts,
  }),
  Proof: record({ body: fc.constant(Body.Proof), mac: bytes, token: text }),
  Welcome: record({
    body: fc.constant(Body.Welcome),
    mac: bytes,
    sessionId: bytes,
    resumed: fc.boolean(),
    received: fc.option(whole, { nil: undefined }),
    refusal: fc.constantFrom(...RESUME_REFUSALS),
    resumeWindowMs: whole,
  }),
  Ping: record({ body: fc.constant(Body.Ping), token: whole }),
  Pong: record({ body: fc.constant(Body.Pong), token: whole }),
  Goodbye: record({ body: fc.constant(Body.Goodbye), error: optionalError, sessionOver: fc.boolean() }),
  Call: record({
    body: fc.constant(Body.Call),
    id,
    method: text,
    kind: fc.constantFrom(...CALL_KINDS),
    payload: fc.oneof(payload, noPayload),
    deadlineMs: fc.option(whole, { nil: undefined }),
    metadata,
    idempotencyKey: fc.option(
      text.filter((key) => key !== ""),
      { nil: undefined },
    ),
    credits: fc.option(whole, { nil: undefined }),
    depth: whole,
    parentId: whole,
    observed: fc.boolean(),
    handleId: text,
  }),
  Result: record({ body: fc.constant(Body.Result), id, payload: fc.oneof(payload, noPayload), metadata }),
  Fail: record({ body: fc.constant(Body.Fail), id, error, metadata }),
  Cancel: record({ body: fc.constant(Body.Cancel), id, reason: text }),
  Notify: record({
    body: fc.constant(Body.Notify),
    method: text,
    payload: fc.oneof(payload, noPayload),
    metadata,
    depth: whole,
  }),
  Compressed: record({ body: fc.constant(Body.Compressed), data: bytes }),
  Item: record({ body: fc.constant(Body.Item), id, seq: whole, payload: fc.oneof(payload, noPayload), extra }),
  Settle: fc.oneof(
    record({
      body: fc.constant(Body.Settle),
      id,
      delivery: whole,
      outcome: fc.constant("ack" as const),
      payload: fc.oneof(payload, noPayload),
      error: fc.constant(undefined),
    }),
    record({
      body: fc.constant(Body.Settle),
      id,
      delivery: whole,
      outcome: fc.constantFrom(...OUTCOMES).filter((outcome) => outcome !== "ack"),
      payload: fc.option(payload, { nil: undefined }),
      error: optionalError,
    }),
  ),
  Credit: record({ body: fc.constant(Body.Credit), id, credits: whole }),
  End: record({ body: fc.constant(Body.End), id, error: optionalError, metadata }),
  Drain: record({ body: fc.constant(Body.Drain), reason: text, deadlineMs: whole }),
  Progress: record({
    body: fc.constant(Body.Progress),
    id,
    payload: fc.option(payload, { nil: undefined }),
    log: fc.option(log, { nil: undefined }),
  }),
};

function decoded(value: unknown): Envelope {
  return jsonEnvelopeCodec.decode(utf8Bytes(JSON.stringify(value)));
}

describe("jsonEnvelopeCodec", () => {
  it.each(Object.entries(bodies))("brings every %s back as it went", (_name, body) => {
    fc.assert(
      fc.property(body, (envelope) => {
        const arrived = jsonEnvelopeCodec.decode(jsonEnvelopeCodec.encode(envelope));
        expect(isDeepStrictEqual(arrived, envelope)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("carries acknowledgement beside any body", () => {
    fc.assert(
      fc.property(fc.oneof(...Object.values(bodies)), countings, (envelope, counts) => {
        const arrived: Counts = { ack: 99, ackRequested: true };
        const encoded = jsonEnvelopeCodec.encode(envelope, counts);
        expect(isDeepStrictEqual(jsonEnvelopeCodec.decode(encoded, arrived), envelope)).toBe(true);
        expect(arrived).toEqual(counts);
        expect(isDeepStrictEqual(jsonEnvelopeCodec.decode(encoded), envelope)).toBe(true);
      }),
    );
  });

  it("sends an acknowledgement alone", () => {
    const bare = { body: 0, number: 0 } as const;
    const arrived: Counts = { ack: -1, ackRequested: true };
    const encoded = jsonEnvelopeCodec.encode(bare, { ack: 0, ackRequested: false });
    expect(readUtf8(encoded)).toBe('{"ack":0}');
    expect(jsonEnvelopeCodec.decode(encoded, arrived)).toEqual(bare);
    expect(arrived).toEqual({ ack: 0, ackRequested: false });
    expect(readUtf8(jsonEnvelopeCodec.encode(bare, { ack: -1, ackRequested: true }))).toBe('{"ackRequested":true}');
    expect(() => jsonEnvelopeCodec.encode(bare)).toThrow(expect.objectContaining({ code: "INTERNAL" }) as Error);
    expect(() => jsonEnvelopeCodec.encode(bare, { ack: -1, ackRequested: false })).toThrow(
      expect.objectContaining({ code: "INTERNAL" }) as Error,
    );
  });

  it.each([
    { b: Body.Ping, ack: -1 },
    { b: Body.Ping, ack: 1.5 },
    { b: Body.Ping, ack: 2 ** 53 },
    { b: Body.Ping, ack: "1" },
    { b: Body.Ping, ackRequested: 1 },
    { b: Body.Hello, binding: "ssl" },
    { b: Body.Hello, binding: 1 },
    { b: Body.Hello, resume: [] },
    { b: Body.Hello, resume: { sessionId: "AA==", received: 2 ** 53 } },
    { b: Body.Challenge, binding: "" },
    { b: Body.Welcome, refusal: "no" },
    { b: Body.Welcome, received: -1 },
    { b: Body.Compressed, data: "?" },
    { b: Body.Call, id: 1, kind: "stream" },
    { b: Body.Item, id: 1, delivery: "1" },
    { b: Body.Item, id: 1, lost: -1 },
    { b: Body.Item, id: 1, topic: 5 },
    { b: Body.Settle, delivery: 1 },
    { b: Body.Settle, id: 1, outcome: "done" },
    { b: Body.Settle, id: 1, delivery: 2 ** 53 },
  ])("refuses %j", (wrong) => {
    expect(thrownBy(() => decoded(wrong))).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
  });

  it("writes what belongs to an event beside its payload", () => {
    const event: Envelope = {
      body: Body.Item,
      id: 1,
      seq: 2,
      payload: new EncodedPayload("json", undefined, 5),
      extra: { topic: "demo.News.printed", lost: 3, delivery: 0, attempt: 0, metadata: [["k", "v"]] },
    };
    expect(readUtf8(jsonEnvelopeCodec.encode(event))).toBe(
      '{"b":21,"id":1,"seq":2,"topic":"demo.News.printed","lost":3,"metadata":[["k","v"]],"p":5}',
    );
  });

  it("writes what is asked for to resume", () => {
    const hello: Envelope = {
      body: Body.Hello,
      versions: [1],
      nonce: Uint8Array.of(1),
      instanceId: Uint8Array.of(2),
      principal: "",
      mechanisms: [],
      binding: "tls-exporter",
      limits: undefined,
      features: [],
      resume: { sessionId: Uint8Array.of(3), received: 0 },
      software: "",
    };
    expect(JSON.parse(readUtf8(jsonEnvelopeCodec.encode(hello)))).toMatchObject({
      binding: "tls-exporter",
      resume: { sessionId: "Aw==", received: 0 },
    });
  });

  it("never throws anything but a PROTOCOL error, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        expect(thrownBy(() => jsonEnvelopeCodec.decode(input))).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
      }),
    );
  });

  const names = [
    "id",
    "method",
    "kind",
    "p",
    "pb",
    "metadata",
    "error",
    "credits",
    "seq",
    "limits",
    "versions",
    "nonce",
    "log",
    "deadlineMs",
    "token",
    "ack",
    "ackRequested",
    "binding",
    "resume",
    "received",
    "refusal",
    "topic",
    "lost",
    "delivery",
    "outcome",
  ];
  it("never throws anything but a PROTOCOL error, whatever the fields hold", () => {
    const body = fc.constantFrom(...Object.values(Body), 0, 9, 99, -1, 1.5, "16", null);
    const fields = fc.dictionary(
      fc.constantFrom(...names),
      fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value))),
      { maxKeys: 6 },
    );
    fc.assert(
      fc.property(body, fields, (b, rest) => {
        expect([undefined, "PROTOCOL"]).toContain(refusalOf(() => decoded({ ...rest, b }))?.reason);
      }),
      { numRuns: 1_000 },
    );
  });

  it("never throws anything but a PROTOCOL error for an envelope that was cut or had one byte changed", () => {
    const any = fc.oneof(...Object.values(bodies));
    fc.assert(
      fc.property(any, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (envelope, place, value, cut) => {
        const sound = jsonEnvelopeCodec.encode(envelope);
        const broken = cut ? sound.slice(0, place % sound.length) : sound.slice();
        if (!cut) broken[place % sound.length] = value;
        expect([undefined, "PROTOCOL"]).toContain(refusalOf(() => jsonEnvelopeCodec.decode(broken))?.reason);
      }),
      { numRuns: 1_000 },
    );
  });

  it("leaves out fields that hold their default", () => {
    expect(readUtf8(jsonEnvelopeCodec.encode({ body: Body.Cancel, id: 3, reason: "" }))).toBe('{"b":19,"id":3}');
    const empty = { body: Body.Result, id: 1, payload: undefined, metadata: undefined } as const;
    expect(readUtf8(jsonEnvelopeCodec.encode(empty))).toBe('{"b":17,"id":1}');
  });

  it("keeps a remaining time of zero, which is not the same as none", () => {
    expect(jsonEnvelopeCodec.decode(jsonEnvelopeCodec.encode(call(1, "a.b", { deadlineMs: 0 })))).toMatchObject({
      deadlineMs: 0,
    });
    expect(jsonEnvelopeCodec.decode(jsonEnvelopeCodec.encode(call(1, "a.b")))).toMatchObject({ deadlineMs: undefined });
  });

  it("puts a JSON payload inside as it is, readable by eye", () => {
    const value = new ValuePayload(dynamicCodec, { text: "hi", at: new Date(0) });
    expect(readUtf8(jsonEnvelopeCodec.encode({ body: Body.Result, id: 1, payload: value, metadata: undefined }))).toBe(
      '{"b":17,"id":1,"p":{"text":"hi","at":{"$date":"1970-01-01T00:00:00.000Z"}}}',
    );
  });

  it("puts JSON bytes that pass through a gateway inside as they are", () => {
    const passing = new EncodedPayload("json", utf8Bytes('{"a":[1]}'));
    const arrived = jsonEnvelopeCodec.decode(
      jsonEnvelopeCodec.encode({ body: Body.Result, id: 1, payload: passing, metadata: undefined }),
    );
    expect(arrived).toMatchObject({ payload: { format: "json", json: { a: [1] } } });
  });

  it("cannot send an unknown body", () => {
    expect(thrownBy(() => jsonEnvelopeCodec.encode({ body: 0, number: 99 }))).toMatchObject({ code: "INTERNAL" });
  });

  it("H46 reads a body that it does not know as unknown", () => {
    expect(decoded({ b: 99, id: 5, whatever: true })).toEqual({ body: 0, number: 99 });
    expect(decoded({})).toEqual({ body: 0, number: 0 });
  });

  it("H47 skips fields that it does not know", () => {
    expect(decoded({ b: Body.Cancel, id: 1, reason: "r", extra: { a: 1 }, __proto__2: 1 })).toEqual({
      body: Body.Cancel,
      id: 1,
      reason: "r",
    });
  });

  it("H80 does not read a field through a prototype that the peer sent", () => {
    const source = utf8Bytes('{"b":19,"__proto__":{"id":7}}');
    expect(thrownBy(() => jsonEnvelopeCodec.decode(source))).toMatchObject({ reason: "PROTOCOL" });
  });

  it.each([null, undefined, 0, -1, 1.5, "1", [1], {}, true, 2 ** 53])("H41 refuses the call id %j", (wrong) => {
    for (const b of [Body.Call, Body.Result, Body.Fail, Body.Cancel, Body.Item, Body.Credit, Body.End, Body.Progress]) {
      expect(thrownBy(() => decoded({ b, id: wrong }))).toMatchObject({ code: "INTERNAL", reason: "PROTOCOL" });
    }
  });

  it("H41 refuses a call id beyond what a number holds", () => {
    expect(thrownBy(() => jsonEnvelopeCodec.decode(utf8Bytes('{"b":16,"id":1e999}')))).toMatchObject({
      reason: "PROTOCOL",
    });
  });

  it.each([
    ["missing", undefined, 2],
    ["null", null, 2],
    ["0", 0, 0],
    ["17", 17, 17],
    ["999", 999, 999],
    ["a word", "NOT_FOUND", 2],
    ["negative", -3, 2],
    ["fractional", 3.5, 2],
  ])("H48 reads an error whose code is %s", (_what, code, number) => {
    expect(decoded({ b: Body.Fail, id: 1, error: { code, message: "m" } })).toMatchObject({
      error: { code: number, message: "m" },
    });
  });

  it("H48 reads a failure without any error as UNKNOWN", () => {
    expect(decoded({ b: Body.Fail, id: 1 })).toMatchObject({ error: { code: 2, message: "" } });
  });

  it.each(["\ud800", { a: 1 }, 5, null])("H87 refuses the method name %j", (method) => {
    expect(thrownBy(() => decoded({ b: Body.Call, id: 1, method }))).toMatchObject({ reason: "PROTOCOL" });
  });

  it("H87 refuses bytes that are no UTF-8", () => {
    expect(thrownBy(() => jsonEnvelopeCodec.decode(Uint8Array.of(0x22, 0xc0, 0x80, 0x22)))).toMatchObject({
      reason: "PROTOCOL",
    });
  });

  it("H82 reads an envelope of a hundred thousand levels without running out of stack", () => {
    const deep = `{"b":17,"id":1,"p":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(jsonEnvelopeCodec.decode(utf8Bytes(deep))).toMatchObject({ id: 1 });
  });

  it("carries a JSON payload that stands alone", () => {
    expect(
      jsonEnvelopeCodec.decode(
        jsonEnvelopeCodec.encode({ body: Body.Item, id: 1, seq: 1, payload: json(0), extra: undefined }),
      ),
    ).toMatchObject({ payload: { json: 0 } });
  });
});
