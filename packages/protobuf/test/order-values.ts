import * as fc from "fast-check";
import type * as bot from "./generated/bot.rpc.ts";

/** Arbitrary messages of bot.proto, in the form that generated code takes. */
const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 2 ** 31 - 1, -(2 ** 31)));
const uint32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 2 ** 32 - 1));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const float = fc.float();
const double = fc.double();
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom("", "\0", "\uFEFFbom", "\uFFFD", "日本語", "🎉"),
);
const bytes = fc.uint8Array({ maxLength: 40 });

export const scalars: fc.Arbitrary<bot.Scalars> = fc.record({
  int32,
  int64,
  uint32,
  uint64,
  sint32: int32,
  sint64: int64,
  fixed32: uint32,
  fixed64: uint64,
  sfixed32: int32,
  sfixed64: int64,
  float,
  double,
  bool: fc.boolean(),
  string: text,
  bytes,
});

const many = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 4 });

export const lists: fc.Arbitrary<bot.Lists> = fc.record({
  int32: many(int32),
  int64: many(int64),
  uint32: many(uint32),
  uint64: many(uint64),
  sint32: many(int32),
  sint64: many(int64),
  fixed32: many(uint32),
  fixed64: many(uint64),
  sfixed32: many(int32),
  sfixed64: many(int64),
  float: many(float),
  double: many(double),
  bool: many(fc.boolean()),
  string: many(text),
  bytes: many(bytes),
  loose: many(int32),
  maybe: fc.option(fc.boolean(), { nil: undefined }),
  perhaps: fc.option(text, { nil: undefined }),
});

const wholeMs = fc.integer({ min: -315_576_000_000, max: 315_576_000_000 }).map((ms) => ms + 0);
const date = fc.date({
  min: new Date("0001-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59.999Z"),
  noInvalidDate: true,
});
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value, (_, item: unknown) => (Object.is(item, -0) ? 0 : item))) as never);

export const step: fc.Arbitrary<bot.BuildOrder_Step> = fc.letrec<{ step: bot.BuildOrder_Step }>((tie) => ({
  step: fc.record({
    command: text,
    arguments: many(text),
    timeout: fc.option(wholeMs, { nil: undefined }),
    fallbacks: fc.oneof({ maxDepth: 2 }, fc.constant([]), fc.array(tie("step"), { maxLength: 2 })),
  }),
})).step;

const state = fc.constantFrom<bot.BuildState>(0, 1, -1);
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toString"));
const source: fc.Arbitrary<bot.BuildOrder["source"]> = fc.oneof(
  fc.constant(undefined),
  text.map((value) => ({ case: "repository" as const, value })),
  bytes.map((value) => ({ case: "archive" as const, value })),
  step.map((value) => ({ case: "generator" as const, value })),
);

/** Maps have one entry at most, because other implementations choose their own order. */
const one = <K, V>(keys: fc.Arbitrary<K>, values: fc.Arbitrary<V>): fc.Arbitrary<ReadonlyMap<K, V>> =>
  fc.array(fc.tuple(keys, values), { maxLength: 1 }).map((entries) => new Map(entries));

export const order: fc.Arbitrary<bot.BuildOrder> = fc.record({
  commit: text,
  steps: fc.array(step, { maxLength: 3 }),
  environment: fc.dictionary(key, text, { maxKeys: 3, noNullPrototype: false }),
  byNumber: one(int32, step),
  orderNumber: int64,
  priority: fc.option(int32, { nil: undefined }),
  state,
  history: many(state),
  createdAt: fc.option(date, { nil: undefined }),
  extra: fc.option(fc.dictionary(fc.string(), json, { maxKeys: 3 }) as never, { nil: undefined }),
  source,
  attachment: fc.option(fc.record({ typeUrl: text, value: bytes }), { nil: undefined }),
  nickname: fc.option(text, { nil: undefined }),
  seen: one(fc.boolean(), date),
  states: one(uint64, state),
  constructor_: double,
  notes: many(json),
  tags: fc.option(many(json), { nil: undefined }),
});
