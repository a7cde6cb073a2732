import { inspect, isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dynamicCodec, validatedCodec } from "../src/tools/json-message-codec.ts";
import { MAX_DEPTH } from "../src/tools/json-values.ts";
import { refusalOf, thrownBy } from "./rig.ts";

const wholeMs = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "$bytes", "\0", "\ufeff", "\ufffe", "\u2028", "😀"),
);
const key = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "then",
    "toJSON",
    "$",
    "$$",
    "$bytes",
    "$date",
    "$bigint",
    "$number",
    "$x",
    "0",
    "__defineGetter__",
  ),
);

/** Any dynamic value, records without prototype as they come out. */
const dynamic = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    text,
    fc.uint8Array({ maxLength: 40 }),
    wholeMs.map((ms) => new Date(ms)),
    tie("list"),
    tie("record"),
  ),
  list: fc.array(tie("value"), { maxLength: 6 }),
  record: fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map((entries) => {
    const record = Object.create(null) as Record<string, unknown>;
    for (const [name, value] of entries) record[name] = value;
    return record;
  }),
})).value;

/** A value inside so many lists. */
function nested(levels: number, inner: unknown = 1): unknown {
  let value = inner;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

function roundTrip(value: unknown): unknown {
  return dynamicCodec.parse(dynamicCodec.stringify(value));
}

describe("dynamic values", () => {
  it("come back as they went, whatever they hold", () => {
    fc.assert(
      fc.property(dynamic, (value) => {
        // Node's own comparison: vitest's is misled by members named "constructor".
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("come back as they went inside an envelope that is JSON itself", () => {
    fc.assert(
      fc.property(dynamic, (value) => {
        expect(isDeepStrictEqual(dynamicCodec.revive(JSON.parse(dynamicCodec.stringify(value))), value)).toBe(true);
      }),
    );
  });

  it("hold the same data for a validator, only with ordinary records", () => {
    fc.assert(
      fc.property(dynamic, (value) => {
        const ordinary = validatedCodec.parse(validatedCodec.stringify(value));
        expect(dynamicCodec.stringify(ordinary)).toBe(dynamicCodec.stringify(value));
      }),
    );
  });

  it("are not changed by being sent", () => {
    fc.assert(
      fc.property(dynamic, (value) => {
        const before = inspect(value, { depth: null });
        dynamicCodec.stringify(value);
        expect(inspect(value, { depth: null })).toBe(before);
      }),
    );
  });

  it("are no byte at all when they are undefined", () => {
    expect(dynamicCodec.stringify(undefined)).toBe("");
    expect(dynamicCodec.parse("")).toBeUndefined();
  });

  it("leave out members that are undefined", () => {
    expect(dynamicCodec.stringify({ a: undefined, b: 1 })).toBe('{"b":1}');
    expect(roundTrip({ a: undefined, $b: 1n })).toEqual({ $b: 1n });
  });

  it("of plain JSON travel as plain JSON", () => {
    expect(dynamicCodec.stringify({ a: [1, "x", null, true] })).toBe('{"a":[1,"x",null,true]}');
  });

  it("H93 hold the bytes of a view and none of its neighbours", () => {
    const pool = Uint8Array.from([1, 2, 3, 4, 5]);
    expect(roundTrip(pool.subarray(1, 3))).toEqual(Uint8Array.of(2, 3));
    expect(roundTrip(Buffer.from("abcdef").subarray(2, 4))).toEqual(Uint8Array.from(Buffer.from("cd")));
  });
});

describe("dynamic values from a peer", () => {
  it("never throw anything but an RpcError, whatever JSON they are", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (source) => {
        const refusal = refusalOf(() => dynamicCodec.parse(source));
        expect([undefined, "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE"]).toContain(refusal?.code);
      }),
    );
  });

  it("never throw anything but an RpcError, whatever text they are", () => {
    fc.assert(
      fc.property(fc.string(), (source) => {
        expect([undefined, "INVALID_ARGUMENT"]).toContain(refusalOf(() => dynamicCodec.parse(source))?.code);
      }),
    );
  });

  it.each(["__proto__", "constructor", "prototype", "__defineGetter__"])(
    "H80 keep %s as plain data at every depth",
    (name) => {
      const source = `{"${name}":{"polluted":1},"deep":[{"${name}":{"${name}":{"polluted":1}}}]}`;
      for (const codec of [dynamicCodec, validatedCodec]) {
        const value = codec.parse(source) as Record<string, unknown>;
        expect(Object.getOwnPropertyNames(value)).toEqual([name, "deep"]);
        expect(JSON.stringify(value)).toBe(source);
        expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
      }
    },
  );

  it("H80 have no prototype", () => {
    const value = dynamicCodec.parse('{"a":{"b":[{}]}}') as { readonly a: { readonly b: readonly unknown[] } };
    for (const record of [value, value.a, value.a.b[0]]) expect(Object.getPrototypeOf(record)).toBeNull();
  });

  it("H80 have no prototype of the peer's making where a validator rebuilds them", () => {
    const value = validatedCodec.parse('{"__proto__":{"admin":true},"a":1}') as Record<string, unknown>;
    expect(value["admin"]).toBeUndefined();
    expect(value["a"]).toBe(1);
  });

  it("H81 stay data when they look like a promise or a serializer", async () => {
    const value = await Promise.resolve([dynamicCodec.parse('{"then":"x","toJSON":"y","Symbol(iterator)":1}')]);
    // oxlint-disable-next-line unicorn/no-thenable -- data that looks like a promise is the point
    expect(value).toEqual([{ then: "x", toJSON: "y", "Symbol(iterator)": 1 }]);
  });

  it.each([
    '{"$bytes":7}',
    '{"$bytes":"***"}',
    '{"$bytes":"QQ"}',
    '{"$bytes":null}',
    '{"$bigint":"1.5"}',
    '{"$bigint":"0x10"}',
    '{"$bigint":"01"}',
    '{"$bigint":""}',
    '{"$bigint":5}',
    '{"$number":"5"}',
    '{"$number":"nan"}',
    '{"$number":1}',
    '{"$unknown":1}',
    '{"$":1}',
    '{"$bytes":"AA==","more":1}',
    '{"more":1,"$bytes":"AA=="}',
    '{"$bytes":"AA==","$bigint":"1"}',
    '[{"$class":"os.system"}]',
  ])("H81 H94 are refused with a wrong tag: %s", (source) => {
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => validatedCodec.parse(source))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each([
    '{"$date":"yesterday"}',
    '{"$date":"2024-02-31T00:00:00.000Z"}',
    '{"$date":"2024-01-01T00:00:00+99:00"}',
    '{"$date":"+275761-01-01T00:00:00.000Z"}',
    '{"$date":"2024-01-01"}',
    '{"$date":1700000000000}',
    '{"$date":""}',
  ])("H88 are refused with the date %s", (source) => {
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each(['"\\ud800"', '{"a":["\\udc00x"]}'])("H87 are refused with half a character: %s", (source) => {
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each(["NaN", "Infinity", "-Infinity", "[NaN]", "undefined", "'a'", "{a:1}"])(
    "H84 are refused when they are the bare word %s",
    (source) => {
      expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "INVALID_ARGUMENT", reason: "PARSE" });
    },
  );

  it.each(["1e400", "[-1e999]"])("H85 are refused beyond the range of a number: %s", (source) => {
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "OUT_OF_RANGE" });
  });

  it("H82 are served at the deepest level and refused one below, in both directions", () => {
    expect(roundTrip(nested(MAX_DEPTH))).toEqual(nested(MAX_DEPTH));
    expect(thrownBy(() => dynamicCodec.stringify(nested(MAX_DEPTH + 1)))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxDepth",
    });
    const source = `${"[".repeat(MAX_DEPTH + 1)}${"]".repeat(MAX_DEPTH + 1)}`;
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxDepth",
    });
  });

  it.each([[new Date(0)], [Uint8Array.of(1)], [1n], [Number.NaN]])(
    "H82 are served with %s at the deepest level",
    (leaf) => {
      expect(roundTrip(nested(MAX_DEPTH, leaf))).toEqual(nested(MAX_DEPTH, leaf));
    },
  );

  it("H82 of a hundred thousand levels are refused without running out of stack", () => {
    const source = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(thrownBy(() => dynamicCodec.parse(source))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(thrownBy(() => dynamicCodec.stringify(nested(100_000)))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("H83 of more than a million elements are refused", () => {
    expect(thrownBy(() => dynamicCodec.parse(`[${"0,".repeat(1_000_000)}0]`))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxElements",
    });
  });

  it("H83 count their elements anew for each value", () => {
    const source = `[${"0,".repeat(600_000)}0]`;
    expect(dynamicCodec.parse(source)).toHaveLength(600_001);
    expect(dynamicCodec.parse(source)).toHaveLength(600_001);
  });

  it("H86 with an integer of a million digits are refused before it is converted", () => {
    expect(thrownBy(() => dynamicCodec.parse(`{"$bigint":"${"9".repeat(1_000_000)}"}`))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
    });
  });
});

describe("a value that cannot travel", () => {
  class Point {
    readonly x = 1;
  }
  const ring: unknown[] = [];
  ring.push({ ring });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const sparse: unknown[] = [1];
  sparse.length = 3;
  const hostile: [string, unknown, string][] = [
    ["a function", { a: [() => 1] }, "a[0]"],
    ["a symbol", { a: Symbol("s") }, "a"],
    ["a cycle", { list: ring }, "list[0].ring"],
    ["a hole", { a: sparse }, "a[1]"],
    ["undefined in a list", [1, undefined], "[1]"],
    ["an instance of a class", { points: [new Point()] }, "points[0]"],
    ["a Map", { m: new Map() }, "m"],
    ["an invalid Date", { at: new Date(Number.NaN) }, "at"],
    ["text with a lone surrogate", { t: "\ud800" }, "t"],
    ["a key with a lone surrogate", { t: { "\udc00": 1 } }, "t"],
    ["a function named toJSON", { v: { toJSON: () => "x" } }, "v.toJSON"],
    ["a boxed string", { s: Object("x") as unknown }, "s"],
    ["a typed array other than bytes", { f: new Float64Array(2) }, "f"],
  ];

  it.each(hostile)("H89 is refused with its path: %s", (_what, value, path) => {
    const error = thrownBy(() => dynamicCodec.stringify(value));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_ARGUMENT" });
    expect(error.message.startsWith(`${path} `)).toBe(true);
  });

  it.each([
    [
      "a getter that throws",
      {
        get a(): never {
          throw new Error("no");
        },
      },
    ],
    ["a revoked proxy", { a: proxy }],
  ])("H89 is refused: %s", (_what, value) => {
    expect(thrownBy(() => dynamicCodec.stringify(value))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("H89 is told from one that merely appears twice", () => {
    const shared = { a: 1n };
    expect(roundTrip([shared, shared])).toEqual([shared, shared]);
  });
});
