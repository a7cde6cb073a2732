import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Body, CALL_KINDS, EncodedPayload, type Envelope, jsonEnvelopeCodec, ValuePayload } from "../src/transport.ts";
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

const bodies: { readonly [Name in keyof typeof Body]: fc.Arbitrary<Envelope> } = {
  Hello: record({
    body: fc.constant(Body.Hello),
    versions: fc.array(fc.nat(), { maxLength: 3 }),
    nonce: bytes,
    instanceId: bytes,
    principal: text,
    mechanisms: texts,
    limits,
    features: texts,
    software: text,
  }),
  Challenge: record({
    body: fc.constant(Body.Challenge),
    version: whole,
    nonce: bytes,
    instanceId: bytes,
    mechanism: text,
    limits,
    features: texts,
  }),
  Proof: record({ body: fc.constant(Body.Proof), mac: bytes }),
  Welcome: record({
    body: fc.constant(Body.Welcome),
    mac: bytes,
    sessionId: bytes,
    resumed: fc.boolean(),
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
  Item: record({ body: fc.constant(Body.Item), id, seq: whole, payload: fc.oneof(payload, noPayload) }),
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
      jsonEnvelopeCodec.decode(jsonEnvelopeCodec.encode({ body: Body.Item, id: 1, seq: 1, payload: json(0) })),
    ).toMatchObject({ payload: { json: 0 } });
  });
});
