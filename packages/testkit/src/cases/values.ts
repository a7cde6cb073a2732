import { createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { clientOf, one, type OneClient, proves, type TransportCase } from "../transport-bench.ts";
import { patterned } from "./bytes.ts";

/** Every kind of dynamic value, by name. A transport that loses one of them says so in its own table and leaves the name out. */
export const VALUES: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  "negative zero": -0,
  one: 1,
  "minus one": -1,
  fraction: 0.1,
  "smallest number": 5e-324,
  "largest number": 1.7976931348623157e308,
  "largest whole number": Number.MAX_SAFE_INTEGER,
  "smallest whole number": Number.MIN_SAFE_INTEGER,
  NaN: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  "minus infinity": Number.NEGATIVE_INFINITY,
  "bigint 0": 0n,
  "bigint beyond 2^53": 2n ** 53n + 1n,
  "bigint of -2^63": -(2n ** 63n),
  "bigint of 2^64": 2n ** 64n,
  "empty text": "",
  text: "hello",
  "text with NUL, line ends and quotes": 'a\u0000b\r\n\t"\\',
  "text beyond the BMP": "grüße ☺ 😈 \ufeff \ufffe \u2028",
  "empty bytes": new Uint8Array(0),
  bytes: patterned(300, 9),
  "date zero": new Date(0),
  date: new Date("2026-11-21T01:02:03.004Z"),
  "date before 1970": new Date(-1),
  "far date": new Date(8.64e15),
  "empty list": [],
  list: [1, "two", [3, [4, []]], null],
  "empty record": {},
  record: { a: 1, nested: { b: [true, { c: "deep" }] } },
  "record with odd keys": { "": 1, " ": 2, "a.b": 3, $bytes: "no bytes", $: 4, $$: 5, "\u0000": 6, 0: 7 },
  "list of everything": [1n, new Date(1), Uint8Array.of(1), null, -0],
};

/** C23, H80–H88, H93, H94: values that travel. */
export const valueCases: readonly TransportCase[] = [
  proves("C23", "carries every dynamic value there and back unchanged", async (bench) => {
    const seen: unknown[] = [];
    const { client } = await one(bench, (input) => {
      seen.push(input);
      return input;
    });
    for (const [name, value] of Object.entries(VALUES)) {
      if (bench.loses(name)) {
        check(await isLost(client, value), `${name} is documented as a loss, and travels: take it off the list`);
        continue;
      }
      equal(await client.run({ value }), { value }, `${name}, there and back`);
      equal(seen.at(-1), { value }, `${name}, at the handler`);
      equal(await client.run(value), value, `${name}, as the whole message`);
      equal(await client.run([value, value]), [value, value], `${name}, in a list`);
    }
  }),

  proves("C23", "leaves out members of a record that are undefined", async (bench) => {
    const { client } = await one(bench, (input) => ({ ...(input as object), gone: undefined }));
    equal(await client.run({ a: 1, b: undefined }), { a: 1 }, "record");
  }),

  proves("H80", "keeps __proto__ and constructor as plain data at every depth", async (bench) => {
    const seen: unknown[] = [];
    const { client } = await one(bench, (input) => {
      seen.push(input);
      return input;
    });
    const evil = JSON.parse(
      '{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":2},"constructor":{"prototype":{"polluted":3}}}}',
    );
    const output = await client.run([evil, evil]);
    for (const [place, list] of [
      ["handler", seen[0]],
      ["caller", output],
    ] as const) {
      const first = (list as readonly object[])[0] ?? {};
      check(Object.hasOwn(first, "__proto__"), `${place}: __proto__ is not an own member`);
      check(Reflect.get(first, "polluted") === undefined, `${place}: the record inherits from data`);
      const inner: unknown = Reflect.get(first, "a");
      check(
        typeof inner === "object" && inner !== null && Object.hasOwn(inner, "__proto__"),
        `${place}: lost in depth`,
      );
    }
    check(Reflect.get({}, "polluted") === undefined, "Object.prototype was changed");
  }),

  proves("H81", "keeps data that looks like a runtime type as data", async (bench) => {
    const { client } = await one(bench, (input) => input);
    const lookalikes = [
      { $date: "2026-11-21T00:00:00.000Z" },
      { $bytes: "AAAA" },
      { $bigint: "12" },
      { $number: "NaN" },
      { $$date: 1 },
      { $unknown: 1, a: 2 },
      { "@@toPrimitive": 1, length: 3, type: "Buffer", data: [1, 2] },
    ];
    for (const value of lookalikes) equal(await client.run({ value }), { value }, Object.keys(value).join(", "));
  }),

  proves("H81", "never awaits or calls what came in", async (bench) => {
    const { client } = await one(bench, (input) => input);
    const value = JSON.parse('{"then":"now","catch":1,"toJSON":"text"}') as unknown;
    equal(await client.run({ value }), { value }, "record with then");
    equal(await client.run(value), value, "record with then as the whole message");
  }),

  proves("H82", "takes nesting up to the limit and refuses more RESOURCE_EXHAUSTED", async (bench) => {
    const { client } = await one(bench, (input) => input);
    equal(await client.run(nested(50)), nested(50), "50 levels");
    for (const depth of [200, 100_000]) {
      await rejects(
        (async () => client.run(nested(depth)))(),
        { code: ["RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"] },
        `${depth} levels in`,
      );
      const { client: deep } = await one(bench, () => nested(depth));
      await rejects(deep.run(), { code: ["RESOURCE_EXHAUSTED", "INTERNAL"] }, `${depth} levels out`);
    }
    equal(await client.run(1), 1, "next call");
  }),

  proves("H83", "bounds a message of more than a million elements", async (bench) => {
    let runs = 0;
    const { client } = await one(bench, () => void (runs += 1));
    const million = Array.from({ length: 1_000_001 }, () => 0);
    await rejects((async () => client.run(million))(), { code: "RESOURCE_EXHAUSTED" }, "1,000,001 elements");
    equal(runs, 0, "runs of the handler");
    await client.run([1, 2, 3]);
  }),

  proves("H84", "keeps the numbers that JSON has no word for, or refuses them", async (bench) => {
    const { client } = await one(bench, (input) => input);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]) {
      const output = await client.run([value]).catch((caught: unknown) => RpcError.from(caught).code);
      if (output !== "INVALID_ARGUMENT") equal(output, [value], "number");
    }
  }),

  proves("H85", "never rounds a whole number", async (bench) => {
    if (bench.loses("bigint beyond 2^53")) setAside("the wire has no big integers");
    const { client } = await one(bench, (input) => input);
    for (const value of [2n ** 53n + 1n, -(2n ** 63n), 2n ** 64n, 10n ** 300n]) {
      const output = await client.run({ value }).catch((caught: unknown) => RpcError.from(caught).code);
      if (output !== "OUT_OF_RANGE" && output !== "INVALID_ARGUMENT") equal(output, { value }, "whole number");
    }
  }),

  proves("H86", "refuses an integer of a million digits without converting it", async (bench) => {
    const { client } = await one(bench, (input) => input);
    // 2^3,000,000 has 900,000 digits; it is made by a shift, which is quick.
    const monster = 1n << 3_000_000n;
    await rejects(
      (async () => client.run({ monster }))(),
      { code: ["RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "INVALID_ARGUMENT"] },
      "integer",
    );
    equal(await client.run(1), 1, "next call");
  }),

  proves("H87", "refuses lone surrogates and keeps every legal character", async (bench) => {
    const { client } = await one(bench, (input) => input);
    for (const text of ["\ud800", "a\udc00b", "\ude08\ud83d"]) {
      await rejects((async () => client.run({ text }))(), { code: "INVALID_ARGUMENT" }, JSON.stringify(text));
      await rejects(
        (async () => client.run({ [text]: 1 }))(),
        { code: "INVALID_ARGUMENT" },
        `key ${JSON.stringify(text)}`,
      );
    }
    // A wire that has no word for some of them says so in its table.
    const hard = bench.loses("text with NUL, line ends and quotes") ? "" : "\u0000\ufffe\uffff";
    const legal = `${hard}\ufeff\u{10ffff}é\u0301`;
    equal(await client.run(legal), legal, "legal characters");
  }),

  proves("H88", "refuses an invalid date and keeps the first and the last one", async (bench) => {
    const { client } = await one(bench, (input) => input);
    await rejects(
      (async () => client.run({ when: new Date(Number.NaN) }))(),
      { code: "INVALID_ARGUMENT", message: "when" },
      "invalid date",
    );
    if (bench.loses("date zero")) setAside("the wire has no dates");
    const farthest = bench.loses("far date")
      ? [new Date(-62_135_596_800_000), new Date(253_402_300_799_000)]
      : [new Date(-62_167_219_200_000), new Date(8.64e15), new Date(-8.64e15)];
    for (const when of farthest) {
      equal(await client.run({ when }), { when }, `date ${when.getTime()}`);
    }
  }),

  proves("H93", "sends exactly the bytes of a view, as they were at the call", async (bench) => {
    if (bench.loses("bytes")) setAside("the wire has no bytes");
    const { client } = await one(bench, (input) => input);
    const pool = patterned(10_000, 4);
    const view = pool.subarray(5_000, 5_020);
    const expected = view.slice();
    const call = client.run({ view });
    pool.fill(0xee);
    equal(await call, { view: expected }, "view");
    const output = (await client.run({ view: Uint8Array.of(1, 2, 3) })) as { readonly view: Uint8Array };
    check(output.view.buffer.byteLength < 100_000, "received bytes keep a large buffer alive");
  }),

  proves("H94", "keeps input that names code as data", async (bench) => {
    const { client } = await one(bench, (input) => input);
    const inputs = ["cos\nsystem\n(S'id'\ntR.", { rpy_class: "os.system", module: "child_process", $type: "Error" }];
    for (const value of inputs) equal(await client.run({ value }), { value }, "value");
  }),

  proves("C23", "carries a typed value through its schema", async (bench) => {
    const Typed = defineContract("testkit.Typed", { run: unary() });
    const pair = await bench.connect(createRouter(Typed, { run: (input) => input }));
    const b = bench.loses("bigint 0") ? "2" : 2n;
    equal(await clientOf(bench, Typed, pair.transport).run({ a: [1, { b }] }), { a: [1, { b }] }, "value");
  }),
];

/** Whether a value is refused, or comes back as another one, in any of the forms of C23. */
async function isLost(client: OneClient, value: unknown): Promise<boolean> {
  for (const form of [{ value }, value, [value, value]]) {
    try {
      equal(await client.run(form), form, "form");
    } catch {
      return true;
    }
  }
  return false;
}

function nested(depth: number): unknown {
  let value: unknown = "bottom";
  for (let i = 0; i < depth; i += 1) value = i % 2 === 0 ? [value] : { value };
  return value;
}
