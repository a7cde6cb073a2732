import { defineContract, unary } from "@rpc/core";
import { type BinaryMessageCodec, descriptorOf, type MethodDescriptor } from "@rpc/core/transport";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { FaultError } from "../src/index.ts";
import { inputFields } from "../src/server/field-shape.ts";
import { inputFromArguments, inputOf, outputOf } from "../src/server/parameters.ts";
import { methodInfo } from "../src/server/signatures.ts";
import { Decimal, Double, XmlRpcDateTime } from "../src/values.ts";

const Tree: z.ZodType = z.object({
  weight: z.number(),
  get children() {
    return z.array(Tree);
  },
});

const Shapes = defineContract("t.Shapes", {
  fields: unary({
    input: z.object({ name: z.string(), count: z.int().optional(), deep: z.boolean().default(false) }),
    output: z.object({ ratio: z.number(), count: z.int(), list: z.array(z.number()) }),
    doc: "Takes three fields.",
  }),
  record: unary({
    input: z.object({ values: z.record(z.string(), z.any()), options: z.object({ limit: z.int() }).optional() }),
  }),
  lists: unary({ input: z.object({ domain: z.array(z.any()), fields: z.array(z.string()).optional() }) }),
  open: unary({ input: z.looseObject({ id: z.int() }) }),
  scalar: unary({ input: z.string(), output: z.bigint() }),
  list: unary({ input: z.array(z.int()) }),
  matrix: unary({ input: z.array(z.array(z.int())) }),
  pair: unary({ input: z.tuple([z.string(), z.int()]) }),
  map: unary({ input: z.record(z.string(), z.int()) }),
  nothing: unary({ input: z.undefined() }),
  dynamic: unary({}),
  types: unary({
    input: z.object({
      date: z.date().optional(),
      text: z.iso.datetime().optional(),
      big: z.bigint().optional(),
      whole: z.int().optional(),
      bytes: z.instanceof(Uint8Array).meta({ contentEncoding: "base64", type: "string" }).optional(),
      nil: z.string().nullable().optional(),
      inner: z.array(z.object({ at: z.date() })).optional(),
    }),
  }),
  tree: unary({ input: Tree, output: Tree }),
});

function method(name: keyof typeof Shapes & string): MethodDescriptor {
  const found = descriptorOf(Shapes).methods.get(name);
  if (found === undefined) throw new Error(name);
  return found;
}

const take = (name: keyof typeof Shapes & string, ...params: unknown[]): unknown =>
  inputOf(method(name), params, "xml");

describe("parameters become the input of a method", () => {
  it.each<[keyof typeof Shapes & string, unknown[], unknown]>([
    ["fields", [], {}],
    ["fields", ["a"], { name: "a" }],
    ["fields", ["a", 2, true], { name: "a", count: 2, deep: true }],
    ["fields", ["a", null, true], { name: "a", deep: true }],
    ["fields", [{ name: "a", deep: true }], { name: "a", deep: true }],
    ["fields", [{}], {}],
    ["fields", ["a", { deep: true }], { name: "a", deep: true }],
    ["fields", ["a", 2, {}], { name: "a", count: 2 }],
    ["fields", [["a", 2], { deep: true }], { name: "a", count: 2, deep: true }],
    ["fields", [[], { name: "a" }], { name: "a" }],
    ["record", [{ x: 1 }], { values: { x: 1 } }],
    ["record", [{ values: { x: 1 } }], { values: { x: 1 } }],
    ["record", [{ x: 1 }, { limit: 1 }], { values: { x: 1 }, options: { limit: 1 } }],
    ["lists", [[["a", "=", 1]], ["name"]], { domain: [["a", "=", 1]], fields: ["name"] }],
    ["lists", [[["a", "=", 1]], { fields: ["name"] }], { domain: [["a", "=", 1]], fields: ["name"] }],
    ["open", [{ id: 1, more: 2 }], { id: 1, more: 2 }],
    ["open", [1], { id: 1 }],
    ["scalar", ["a"], "a"],
    ["scalar", [], undefined],
    ["list", [[1, 2]], [1, 2]],
    ["list", [1, 2], [1, 2]],
    ["list", [5], [5]],
    ["list", [], []],
    ["matrix", [[[1], [2]]], [[1], [2]]],
    ["matrix", [[1], [2]], [[1], [2]]],
    ["pair", ["a", 1], ["a", 1]],
    ["pair", [["a", 1]], ["a", 1]],
    ["map", [{ a: 1 }], { a: 1 }],
    ["nothing", [], undefined],
    ["dynamic", [], undefined],
    ["dynamic", [[1]], [1]],
    ["dynamic", [1, 2], [1, 2]],
    ["dynamic", [{ a: 1 }], { a: 1 }],
  ])("%s takes %j as %j", (name, params, input) => {
    expect(take(name, ...params)).toEqual(input);
  });

  it.each<[keyof typeof Shapes & string, unknown[], string]>([
    ["fields", ["a", 1, true, 4], "TypeError: too many positional arguments: 4 given, there are name, count, deep"],
    ["fields", [{ nam: "a" }], "TypeError: got an unexpected keyword argument 'nam'"],
    ["fields", [["a"], { name: "b" }], "TypeError: multiple values for argument 'name'"],
    ["scalar", ["a", "b"], "TypeError: too many positional arguments: 2 given, it takes one"],
  ])("%s refuses %j", (name, params, message) => {
    let caught: unknown;
    try {
      take(name, ...params);
    } catch (thrown) {
      caught = thrown;
    }
    expect(caught).toBeInstanceOf(FaultError);
    expect((caught as FaultError).fault).toEqual({ code: -32_602, message });
  });

  it("takes arguments by position and by name that are apart already", () => {
    expect(inputFromArguments(method("fields"), ["a"], { deep: true }, "xml")).toEqual({ name: "a", deep: true });
    expect(() => inputFromArguments(method("fields"), [null], {}, "xml")).not.toThrow();
    expect(() => inputFromArguments(method("lists"), [[], [], 3], {}, "xml")).toThrow("too many positional arguments");
    expect(() => inputFromArguments(method("fields"), ["a"], { name: "a" }, "xml")).toThrow(
      "multiple values for argument 'name'",
    );
    expect(() => inputFromArguments(method("fields"), ["a"], { nope: 1 }, "xml")).toThrow(
      "unexpected keyword argument 'nope'",
    );
    expect(() => inputFromArguments(method("scalar"), [], { a: 1 }, "xml")).toThrow("unexpected keyword argument 'a'");
    expect(inputFields(method("fields"))).toEqual(["name", "count", "deep"]);
    expect(inputFields(method("scalar"))).toBeUndefined();
  });

  it("keeps names like __proto__ as data", () => {
    const kwargs = Object.create(null) as Record<string, unknown>;
    kwargs["__proto__"] = { polluted: 1 };
    expect(() => inputOf(method("fields"), [kwargs], "xml")).toThrow("unexpected keyword argument '__proto__'");
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("gives each value the type that the contract means", () => {
    const date = new Date("2024-02-29T12:00:00Z");
    expect(take("types", { date: XmlRpcDateTime.from(date), text: date, big: 5, whole: 5n, nil: null })).toEqual({
      date,
      text: "2024-02-29T12:00:00.000Z",
      big: 5n,
      whole: 5,
      nil: null,
    });
    expect(take("types", { whole: new Decimal("7"), date: null, inner: [{ at: date }] })).toEqual({
      whole: 7,
      inner: [{ at: date }],
    });
    const json = {
      date: "2024-02-29T12:00:00Z",
      text: "2024-02-29T12:00:00Z",
      big: "12345678901234567890",
      bytes: "AQID",
      inner: [{ at: "2024-02-29" }],
    };
    expect(inputOf(method("types"), [json], "json")).toEqual({
      date,
      text: "2024-02-29T12:00:00Z",
      big: 12_345_678_901_234_567_890n,
      bytes: new Uint8Array([1, 2, 3]),
      inner: [{ at: new Date("2024-02-29") }],
    });
    // XML-RPC has types of its own for these: text stays text, for the contract to refuse.
    expect(take("types", { bytes: "AQID", date: "2024-02-29" })).toEqual({ bytes: "AQID", date: "2024-02-29" });
  });

  it("maps a record by position as it does by name, whatever its values", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.option(fc.integer(), { nil: undefined }),
        fc.option(fc.boolean(), { nil: undefined }),
        (name, count, deep) => {
          const byName = Object.fromEntries(
            Object.entries({ name, count, deep }).filter(([, value]) => value !== undefined),
          );
          const list: unknown[] = [name, count ?? null, deep ?? null];
          const short = deep === undefined ? (count === undefined ? list.slice(0, 1) : list.slice(0, 2)) : list;
          expect(inputOf(method("fields"), short, "xml")).toEqual(byName);
          expect(inputOf(method("fields"), list, "xml")).toEqual(byName);
          expect(inputOf(method("fields"), [byName], "xml")).toEqual(byName);
          expect(inputOf(method("fields"), byName, "json")).toEqual(byName);
        },
      ),
    );
  });

  it("never throws anything but a fault, whatever comes", () => {
    const names = Object.keys(Shapes) as (keyof typeof Shapes & string)[];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(fc.jsonValue(), { maxLength: 5 }), (name, params) => {
        let thrown: unknown = undefined;
        try {
          inputOf(method(name), params, "json");
        } catch (caught) {
          thrown = caught;
        }
        expect(thrown === undefined || thrown instanceof FaultError).toBe(true);
      }),
    );
  });
});

describe("outputs", () => {
  it("keep whole numbers doubles where the contract says number", () => {
    const value = outputOf(method("fields"), { ratio: 3, count: 3, list: [1, 2.5] }, "xml");
    expect(value).toEqual({ ratio: new Double(3), count: 3, list: [new Double(1), 2.5] });
    expect(outputOf(method("fields"), { ratio: 3, count: 3, list: [] }, "json")).toEqual({
      ratio: 3,
      count: 3,
      list: [],
    });
  });

  it("of shapes that hold themselves are looked through", () => {
    const tree = { weight: 1, children: [{ weight: 2, children: [] }] };
    expect(outputOf(method("tree"), tree, "xml")).toEqual({
      weight: new Double(1),
      children: [{ weight: new Double(2), children: [] }],
    });
  });
});

describe("protobuf messages", () => {
  const codec: BinaryMessageCodec = {
    format: "protobuf",
    encode: () => new Uint8Array(),
    decode: () => ({}),
    fromDynamic: (value) => ({ from: value }),
    toDynamic: (value) => ({ to: value }),
  };
  const jsonSchema = (): unknown => ({
    $ref: "#/$defs/t.Message",
    $defs: {
      "t.Message": {
        type: "object",
        properties: {
          id: { type: "integer", format: "int64" },
          at: { type: "string", format: "date-time" },
          data: { type: "string", contentEncoding: "base64" },
          next: { $ref: "#/$defs/t.Message" },
        },
      },
    },
  });
  const Proto = defineContract("t.Proto", {
    take: unary({
      input: { typeName: "t.Message", codec, jsonSchema },
      output: { typeName: "t.Message", codec, jsonSchema },
    }),
  });
  const take_ = descriptorOf(Proto).methods.get("take");

  it("are made from names and from positions, and said by names", () => {
    if (take_ === undefined) throw new Error("take");
    const at = new Date("2024-02-29T12:00:00Z");
    expect(inputOf(take_, [5, at], "xml")).toEqual({ from: { id: 5, at } });
    expect(inputOf(take_, [{ at: at.toISOString(), data: "AQID", next: { data: "AQ==" } }], "json")).toEqual({
      from: { at, data: new Uint8Array([1, 2, 3]), next: { data: new Uint8Array([1]) } },
    });
    expect(inputOf(take_, [], "xml")).toEqual({ from: {} });
    expect(outputOf(take_, { id: 1n }, "xml")).toEqual({ to: { id: 1n } });
    expect(methodInfo(take_).signatures).toEqual([
      ["struct", "int", "dateTime.iso8601", "base64", "struct"],
      ["struct", "struct"],
    ]);
  });
});

describe("X30 signatures", () => {
  it.each<[keyof typeof Shapes & string, unknown]>([
    [
      "fields",
      [
        ["struct", "string", "int", "boolean"],
        ["struct", "struct"],
      ],
    ],
    ["scalar", [["i8", "string"]]],
    ["list", [["mixed", "array"]]],
    ["map", [["mixed", "struct"]]],
    ["dynamic", []],
    [
      "types",
      [
        ["mixed", "dateTime.iso8601", "string", "i8", "int", "base64", "string", "array"],
        ["mixed", "struct"],
      ],
    ],
  ])("of %s come from the contract", (name, signatures) => {
    expect(methodInfo(method(name)).signatures).toEqual(signatures);
  });

  it("come with the help of the contract", () => {
    expect(methodInfo(method("fields"))).toMatchObject({ name: "t.Shapes.fields", help: "Takes three fields." });
  });
});
