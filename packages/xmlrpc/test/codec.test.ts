import { RpcError } from "@rpc/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DocumentCodec } from "../src/codec/document-codec.ts";
import type { DocumentOptions, ProfileName } from "../src/profiles.ts";
import { Decimal, Double, Records, XmlRpcDateTime } from "../src/values.ts";
import { bytesOf, decodeValue } from "./documents.ts";

const lenient = createDocumentCodec();
const strict = createDocumentCodec("strict");
const python = createDocumentCodec("python");
const apache = createDocumentCodec("apache");
const odoo = createDocumentCodec("odoo");

/** What stands in `<value>…</value>` of a reply. */
function written(value: unknown, codec: DocumentCodec = lenient): string {
  return /<param><value>(.*)<\/value><\/param>/s.exec(codec.encodeReply(value))?.[1] ?? "";
}

function back(value: unknown, codec: DocumentCodec = lenient): unknown {
  const reply = codec.decodeReply(bytesOf(codec.encodeReply(value)), "text/xml; charset=utf-8");
  return "value" in reply ? reply.value : reply;
}

function refusal(value: unknown, codec: DocumentCodec = lenient): RpcError {
  try {
    codec.encodeReply(value);
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown;
    throw thrown;
  }
  throw new Error(`it was not refused: ${codec.encodeReply(value)}`);
}

function record(members: Readonly<Record<string, unknown>>): unknown {
  return Object.assign(Object.create(null) as object, members);
}

function* count(to: number): Generator<number> {
  for (let i = 1; i <= to; i++) yield i;
}

describe("what is written", () => {
  it.for([
    [1, "<int>1</int>"],
    [-2_147_483_648, "<int>-2147483648</int>"],
    [2_147_483_648, "<i8>2147483648</i8>"],
    [2 ** 60, "<double>1152921504606847000.0</double>"],
    [1.5, "<double>1.5</double>"],
    [-0, "<double>-0.0</double>"],
    [1e21, `<double>1${"0".repeat(21)}.0</double>`],
    [1.5e-7, "<double>0.00000015</double>"],
    [-1.25e-10, "<double>-0.000000000125</double>"],
    [new Double(3), "<double>3.0</double>"],
    [5n, "<i8>5</i8>"],
    [2n ** 63n, "<biginteger>9223372036854775808</biginteger>"],
    [new Decimal("-0.10"), "<bigdecimal>-0.10</bigdecimal>"],
    [true, "<boolean>1</boolean>"],
    ["", "<string></string>"],
    ["a & b <c> \r\n", "<string>a &amp; b &lt;c&gt; &#13;\n</string>"],
    [null, "<nil/>"],
    [Uint8Array.of(1, 2), "<base64>AQI=</base64>"],
    [Uint8Array.of(1, 2, 3).subarray(1), "<base64>AgM=</base64>"],
    [Uint8Array.of(1, 2).buffer, "<base64>AQI=</base64>"],
    [new Date(Date.UTC(1998, 6, 17, 14, 8, 55, 999)), "<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>"],
    [
      new XmlRpcDateTime({ year: 2005, month: 2, day: 10, hour: 1, offset: 330 }),
      "<dateTime.iso8601>20050209T19:30:00</dateTime.iso8601>",
    ],
    [[], "<array><data></data></array>"],
    [{}, "<struct></struct>"],
    [
      { a: 1, gone: undefined, b: "x" },
      "<struct><member><name>a</name><value><int>1</int></value></member><member><name>b</name><value><string>x</string></value></member></struct>",
    ],
  ] as const)("X18 %o becomes %s", ([value, text]) => {
    expect(written(value)).toBe(text);
  });

  it("X17 Map, Set, iterables and generators are what they hold", () => {
    expect(back(new Set([1, "a"]))).toEqual([1, "a"]);
    expect(back(count(3))).toEqual([1, 2, 3]);
    expect(back({ [Symbol.iterator]: () => count(2) })).toEqual([1, 2]);
    expect(back(new Float64Array([0.5]))).toEqual([0.5]);
    const map = new Map<unknown, unknown>([
      ["a", 1],
      [2, new Map([[true, null]])],
      [3n, undefined],
      [null, "n"],
    ]);
    expect(back(map)).toEqual(record({ a: 1, 2: record({ true: null }), null: "n" }));
  });

  it("X17 two keys of the same text are an error, and so is a key that is none", () => {
    expect(
      refusal(
        new Map<unknown, unknown>([
          [1, "a"],
          ["1", "b"],
        ]),
      ).message,
    ).toContain('two keys "1"');
    expect(refusal(new Map([[{}, 1]])).message).toContain("key that is an Object");
    expect(refusal([new Map([["a", [() => 1]]])]).message).toBe("cannot marshal a function, at [0].a[0]");
    const call =
      (...params: unknown[]) =>
      (): unknown =>
        createDocumentCodec().encodeCall("x", params);
    expect(call(1, { a: () => 1 })).toThrow("cannot marshal a function, at params[1].a");
    expect(call(Symbol("x"))).toThrow("cannot marshal a symbol, at params[0]");
    const deep = Object.fromEntries([["x".repeat(500), [undefined]]]);
    expect(call(deep)).toThrow(/^cannot marshal undefined, at params\[0\]\.xxx/);
  });

  it("X16 records become their ids, and a hook says what an object is", () => {
    expect(back(new Records("res.partner", [1, 2, false, null, undefined]))).toEqual([1, 2]);
    expect(back({ toRpc: () => ({ nested: [new Records("x", [7])] }) })).toEqual(record({ nested: [[7]] }));
    class Money {
      readonly #cents = 5;
      toRpc(): unknown {
        return this.#cents / 100;
      }
    }
    expect(back([new Money()])).toEqual([0.05]);
  });

  it("X16 an instance of a class without the hook is refused by its name", () => {
    class Secret {
      readonly password = "x";
    }
    expect(refusal([new Secret()])).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_ARGUMENT" });
    expect(refusal(new Secret()).message).toBe(
      "cannot marshal <Secret object>; pass a plain record, or give it a toRpc()",
    );
    for (const value of [
      /x/,
      new Error("x"),
      Promise.resolve(1),
      new WeakMap(),
      new Proxy(new Secret(), {}),
      Object("s"),
    ]) {
      expect(refusal(value).message).toMatch(/^cannot marshal <\w+ object>/);
    }
  });

  it("X19 a value that contains itself is refused, one that stands in two places is not", () => {
    const list: unknown[] = [];
    list.push({ inner: list });
    const map = new Map<string, unknown>();
    map.set("self", map);
    const hooked: { toRpc(): unknown } = { toRpc: () => [hooked] };
    const set = new Set<unknown>();
    set.add([set]);
    for (const value of [list, map, hooked, set]) expect(refusal(value).message).toContain("cannot marshal recursive");
    const shared = { a: 1 };
    expect(back([shared, shared])).toEqual([record({ a: 1 }), record({ a: 1 })]);
  });

  it.for([
    ["undefined", undefined],
    ["undefined in an array", [1, undefined]],
    ["an array of nothing", Array.from({ length: 2 })],
    ["undefined in a set", new Set([undefined])],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["an invalid Date", new Date(Number.NaN)],
    ["the year 10000", new Date(Date.UTC(10_000, 0))],
    ["the year 0", new Date("0000-06-01T00:00:00Z")],
  ] as const)("is refused: %s", ([, value]) => {
    expect(refusal(value)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(refusal({ a: value === undefined ? [undefined] : value })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("ends at its own limits", () => {
    let deep: unknown = 1;
    for (let i = 0; i < 64; i++) deep = [deep];
    expect(back(deep)).toEqual(deep);
    expect(refusal([deep])).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
    expect(refusal(count(Number.POSITIVE_INFINITY))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxElements",
    });
    expect(refusal(10n ** 5_000n)).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("passes on what a value's own code throws", () => {
    const value = {
      get a(): never {
        throw new RangeError("mine");
      },
    };
    expect(() => lenient.encodeReply(value)).toThrow("mine");
    expect(back(1)).toBe(1);
  });
});

describe("X38 profiles", () => {
  it("X20 write nil as they may", () => {
    expect(written(null)).toBe("<nil/>");
    expect(written(null, odoo)).toBe("<nil/>");
    expect(written(null, apache)).toBe("<ex:nil/>");
    expect(refusal(null, strict).message).toContain("cannot marshal None unless allow_none is enabled");
    expect(refusal(null, python).message).toContain("cannot marshal None unless allow_none is enabled");
    expect(written(null, createDocumentCodec({ profile: "python", nil: true }))).toBe("<nil/>");
    expect(refusal(null, createDocumentCodec({ nil: false }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("write big integers as they may", () => {
    for (const codec of [strict, python]) {
      expect(refusal(2 ** 31, codec).message).toBe("int exceeds XML-RPC limits");
      expect(refusal(2n ** 31n, codec).message).toBe("int exceeds XML-RPC limits");
      expect(written(5n, codec)).toBe("<int>5</int>");
    }
    expect(refusal(new Decimal("1"), strict).message).toContain("no extensions");
    expect(written(2 ** 31, apache)).toBe("<ex:i8>2147483648</ex:i8>");
    expect(written(2 ** 31, createDocumentCodec({ writeBigInts: "double" }))).toBe("<double>2147483648.0</double>");
    expect(refusal(2 ** 31, createDocumentCodec({ writeBigInts: "error" })).message).toBe("int exceeds XML-RPC limits");
  });

  it("bind Apache's prefix, and write zones and fractions there", () => {
    const at = new XmlRpcDateTime({ year: 2005, month: 2, day: 10, millisecond: 250, offset: -90 });
    expect(apache.encodeReply(at)).toContain("<methodResponse xmlns:ex=");
    expect(written(at, apache)).toBe("<ex:dateTime>2005-02-10T00:00:00.250-01:30</ex:dateTime>");
    expect(back(at, apache)).toEqual(at);
  });

  it("refuse an unknown name", () => {
    expect(() => createDocumentCodec("loose" as ProfileName)).toThrow(/^option profile must be one of lenient, strict/);
    expect(() => createDocumentCodec("toString" as ProfileName)).toThrow(/profile must be/);
  });

  it("H82 has no option that turns a limit off by mistake, and none that means nothing", () => {
    const deep = bytesOf(`<methodResponse><params><param>${"<value><array><data>".repeat(65)}`);
    for (const maxDepth of [undefined, 64])
      expect(() => createDocumentCodec({ limits: { maxDepth } as object }).decodeReply(deep, undefined)).toThrow(
        /nested/,
      );
    for (const options of [
      { limits: { maxDepth: Number.NaN } },
      { limits: { maxElements: "1e6" } },
      { limits: { maxMembers: -1 } },
      { writeBigInts: "number" },
      { readBigInts: "i8" },
      { dates: "Date" },
      { structs: "object" },
      { illegalChars: "drop" },
    ])
      expect(() => createDocumentCodec(options as DocumentOptions)).toThrow(/^option /);
  });
});

describe("options", () => {
  const withOptions = (options: DocumentOptions): DocumentCodec => createDocumentCodec(options);

  it("say what big integers, dates and structs become", () => {
    expect(back(2 ** 40)).toBe(2n ** 40n);
    const numbers = withOptions({ readBigInts: "prefer-number" });
    expect(back(2n ** 40n, numbers)).toBe(2 ** 40);
    expect(back(2n ** 60n, numbers)).toBe(2n ** 60n);
    const date = new Date(Date.UTC(2026, 10, 21));
    expect(back(date, withOptions({ dates: "date" }))).toEqual(date);
    expect(back(date)).toEqual(new XmlRpcDateTime({ year: 2026, month: 11, day: 21 }));
    expect(back({ __proto__: null, a: 1 }, withOptions({ structs: "map" }))).toEqual(new Map([["a", 1]]));
    const fault = withOptions({ structs: "map" });
    expect(fault.decodeReply(bytesOf(fault.encodeFault({ code: 4, message: "x" })), undefined)).toEqual({
      fault: { code: 4, message: "x" },
    });
  });

  it("let what is not finite through, append Z, break base64 into lines", () => {
    const open = withOptions({ nonFinite: true, zoneSuffix: true, base64Lines: true });
    expect(back([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], open)).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(written(new Date(0), open)).toBe("<dateTime.iso8601>19700101T00:00:00Z</dateTime.iso8601>");
    expect(written(new XmlRpcDateTime({ year: 1970, month: 1, day: 1 }), open)).not.toContain("Z");
    const bytes = new Uint8Array(200).fill(7);
    expect(
      written(bytes, open)
        .split("\n")
        .map((line) => line.length),
    ).toEqual([84, 76, 76, 49]);
    expect(back(bytes, open)).toEqual(bytes);
  });
});

describe("values", () => {
  it("XmlRpcDateTime is an instant only where its zone is known", () => {
    const naive = new XmlRpcDateTime({ year: 2026, month: 3, day: 1, hour: 12 });
    expect(naive.toDate().toISOString()).toBe("2026-03-01T12:00:00.000Z");
    expect(naive.toDate(90).toISOString()).toBe("2026-03-01T10:30:00.000Z");
    expect(naive.toDate("local")).toEqual(new Date(2026, 2, 1, 12));
    expect(String(naive)).toBe("2026-03-01T12:00:00");
    const zoned = new XmlRpcDateTime({ year: 1, month: 1, day: 1, offset: 60 });
    expect(zoned.toDate("local").toISOString()).toBe("0000-12-31T23:00:00.000Z");
    expect(JSON.stringify(zoned)).toBe('"0001-01-01T00:00:00+01:00"');
    expect(() => new XmlRpcDateTime({ year: 2026, month: 2, day: 29 })).toThrow(/no date and time/);
    expect(() => new XmlRpcDateTime({ year: 2026, month: 13, day: 1 })).toThrow(/no date and time/);
  });

  it("Decimal takes decimal numbers and nothing else", () => {
    expect(String(new Decimal("+1.50e-3"))).toBe("+1.50e-3");
    for (const text of ["", "1,5", "0x1", "NaN", ".", "1".repeat(4097)])
      expect(() => new Decimal(text)).toThrow(RpcError);
  });

  it("decoded bytes are their own, not a part of a pool", () => {
    const bytes = decodeValue("<value><base64>AQID</base64></value>") as Uint8Array;
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
    expect(bytes.constructor).toBe(Uint8Array);
    expect(bytes.buffer.byteLength).toBe(3);
  });
});

const legal = fc
  .string({ unit: "binary", maxLength: 20 })
  // oxlint-disable-next-line no-control-regex -- control characters are what is left out
  .map((text) => text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, ""));
const dateTime = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));

/** Values that a dialect carries without loss. `more` are the leaves of its own. */
function valuesOf(...more: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> {
  const leaf = fc.oneof(
    fc.integer(),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((number) => !Number.isInteger(number) || Object.is(number, -0)),
    fc.boolean(),
    legal,
    fc.uint8Array({ maxLength: 20 }),
    dateTime,
    ...more,
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(legal, tie("value"), { maxKeys: 4, noNullPrototype: false }).map((members) => record(members)),
    ),
  }));
  return value;
}

describe("round trips", () => {
  it.for([
    ["lenient", [fc.constant(null), fc.bigInt(), fc.constant(new Decimal("-0.10"))]],
    ["odoo", [fc.constant(null), fc.bigInt()]],
    ["apache", [fc.constant(null), fc.bigInt(), fc.constant(new Decimal("1e5"))]],
    ["python", []],
    ["strict", []],
  ] as const)("every value that %s can say comes back as it was", ([profile, more]) => {
    const codec = createDocumentCodec({ profile, dates: "date" });
    fc.assert(
      fc.property(valuesOf(...more), legal, (value, method) => {
        expect(back(value, codec)).toStrictEqual(value);
        const name = profile === "strict" || method === "" ? "a.b" : method;
        expect(codec.decodeCall(bytesOf(codec.encodeCall(name, [value, value])), undefined)).toStrictEqual({
          method: name,
          params: [value, value],
        });
      }),
      { numRuns: 300 },
    );
  });

  it("any double comes back to the bit, written without exponent", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = written(new Double(number));
        expect(text).toMatch(/^<double>-?\d+\.\d+<\/double>$/);
        expect(Object.is(back(new Double(number), strict), number)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("any fault comes back", () => {
    fc.assert(
      fc.property(fc.integer(), legal, (code, message) => {
        for (const codec of [lenient, strict]) {
          const reply = codec.decodeReply(bytesOf(codec.encodeFault({ code, message })), undefined);
          expect(reply).toEqual({ fault: { code, message } });
        }
      }),
    );
  });

  it("long texts come back whole, whatever stands around them", () => {
    const piece = fc.constantFrom("x", "&", "\r\n", "é", "]]>", "<", "\n", "😈");
    fc.assert(
      fc.property(fc.array(fc.tuple(piece, fc.nat(700)), { maxLength: 8 }), (runs) => {
        const texts = runs.map(([text, times]) => text.repeat(times));
        expect(back([texts.join(""), ...texts])).toEqual([texts.join(""), ...texts]);
      }),
    );
  });
});
