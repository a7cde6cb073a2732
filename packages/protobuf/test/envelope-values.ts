import {
  type AnnouncedLimits,
  BINDINGS,
  Body,
  CALL_KINDS,
  type Counts,
  EncodedPayload,
  type Envelope,
  type ItemExtra,
  type LogLine,
  OUTCOMES,
  type Payload,
  RESUME_REFUSALS,
  type WireError,
} from "@rpc/core/transport";
import * as fc from "fast-check";

const text: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 40 }).filter((value) => value.isWellFormed());
const bytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 200 });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const id = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const anyNumber = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const payload: fc.Arbitrary<Payload | undefined> = maybe(
  fc
    .tuple(fc.constantFrom("protobuf" as const, "json" as const), bytes)
    .map(([format, content]) => new EncodedPayload(format, content)),
);
const metadata = maybe(
  fc
    .dictionary(fc.oneof(text, fc.constantFrom("__proto__", "constructor")), text, { minKeys: 1, maxKeys: 5 })
    .map((record) => new Map(Object.entries(record))),
);
const limits: fc.Arbitrary<AnnouncedLimits | undefined> = maybe(
  fc.record({ maxMessageBytes: uint32, maxCalls: uint32, heartbeatMs: uint32, aliveMs: uint32 }),
);
const error: fc.Arbitrary<WireError> = fc.record({
  code: uint32,
  message: text,
  reason: text,
  details: payload,
  retryable: fc.boolean(),
  delivered: fc.constantFrom("no" as const, "unknown" as const, undefined),
  stack: text,
});
const log: fc.Arbitrary<LogLine> = fc.record({
  level: fc.constantFrom("trace", "debug", "info", "notice", "warning", "error", "critical"),
  message: text,
  fields: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: false }),
});

const extra: fc.Arbitrary<ItemExtra | undefined> = maybe(
  fc
    .record({ topic: text, lost: anyNumber, delivery: anyNumber, attempt: uint32, metadata })
    // With nothing to say it is not sent, and comes back as none.
    .filter((each) => Object.values(each).some((value) => value !== undefined && value !== 0 && value !== "")),
);
const binding = fc.constantFrom(...BINDINGS);

/** What may stand beside any of the bodies. */
export const countings: fc.Arbitrary<Counts> = fc.record({
  ack: fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: 0, max: 100_000 }), anyNumber),
  ackRequested: fc.boolean(),
});

const body = <const Number extends number>(number: Number): fc.Arbitrary<Number> => fc.constant(number);

/** Every body that the protobuf envelope carries, with payloads as they look after decoding. */
export const envelopes: fc.Arbitrary<Envelope> = fc.oneof(
  fc.record({
    body: body(Body.Call),
    id,
    method: text,
    kind: fc.constantFrom(...CALL_KINDS),
    payload,
    deadlineMs: maybe(uint32),
    metadata,
    idempotencyKey: maybe(text.filter((value) => value !== "")),
    credits: maybe(uint32),
    depth: uint32,
    parentId: anyNumber,
    observed: fc.boolean(),
    handleId: text,
  }),
  fc.record({ body: body(Body.Result), id, payload, metadata }),
  fc.record({ body: body(Body.Fail), id, error, metadata }),
  fc.record({ body: body(Body.Cancel), id, reason: text }),
  fc.record({ body: body(Body.Notify), method: text, payload, metadata, depth: uint32 }),
  fc.record({ body: body(Body.Item), id, seq: anyNumber, payload, extra }),
  fc.record({
    body: body(Body.Settle),
    id,
    delivery: anyNumber,
    outcome: fc.constantFrom(...OUTCOMES),
    payload,
    error: maybe(error),
  }),
  fc.record({ body: body(Body.Credit), id, credits: uint32 }),
  fc.record({ body: body(Body.End), id, error: maybe(error), metadata }),
  fc.record({ body: body(Body.Drain), reason: text, deadlineMs: uint32 }),
  fc.record({ body: body(Body.Progress), id, payload, log: maybe(log) }),
  fc.record({ body: fc.constantFrom(Body.Ping, Body.Pong), token: anyNumber }),
  fc.record({ body: body(Body.Goodbye), error: maybe(error), sessionOver: fc.boolean() }),
  fc.record({
    body: body(Body.Hello),
    versions: fc.array(uint32, { maxLength: 4 }),
    nonce: bytes,
    instanceId: bytes,
    principal: text,
    mechanisms: fc.array(text, { maxLength: 3 }),
    binding,
    limits,
    features: fc.array(text, { maxLength: 3 }),
    resume: maybe(fc.record({ sessionId: bytes, received: anyNumber })),
    software: text,
  }),
  fc.record({
    body: body(Body.Challenge),
    version: uint32,
    nonce: bytes,
    instanceId: bytes,
    mechanism: text,
    binding,
    limits,
    features: fc.array(text, { maxLength: 3 }),
  }),
  fc.record({ body: body(Body.Proof), mac: bytes, token: text }),
  fc.record({ body: body(Body.Compressed), data: bytes }),
  fc.record({
    body: body(Body.Welcome),
    mac: bytes,
    sessionId: bytes,
    resumed: fc.boolean(),
    received: maybe(anyNumber),
    refusal: fc.constantFrom(...RESUME_REFUSALS),
    resumeWindowMs: uint32,
  }),
);
