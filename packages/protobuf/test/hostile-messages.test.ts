import { type MessageType, RpcError } from "@rpc/core";
import { afterEach, describe, expect, it } from "vitest";
import { messageFromProto, ProtoWriter } from "../src/index.ts";
import * as bot from "./generated/bot.rpc.ts";
import { BOT_PROTO } from "./protobufjs-values.ts";

type Loose = MessageType<Record<string, unknown>>;
const loose = (type: unknown): Loose => type as Loose;

const GENERATED = { BuildOrder: bot.BuildOrder, Lists: bot.Lists, Scalars: bot.Scalars };

/** Every row is tried with generated code and with closures: they must be equally strict. */
const SIDES: readonly (readonly [string, (name: "BuildOrder" | "Lists" | "Scalars") => Loose])[] = [
  ["generated code", (name) => loose(GENERATED[name])],
  ["closures", (name) => loose(messageFromProto(BOT_PROTO, `buildbot.${name}`))],
];

function caught(run: () => unknown): RpcError {
  try {
    run();
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const bytesOf = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);

describe.for(SIDES)("hostile bytes for %s", ([, type]) => {
  const order = type("BuildOrder").codec;
  const lists = type("Lists").codec;

  it.for([
    ["H96 a varint without end", bytesOf(40, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)],
    ["H96 a varint cut short", bytesOf(40, 128)],
    ["H97 a text beyond the end", bytesOf(10, 5, 65)],
    ["H97 a message beyond the end", bytesOf(18, 5, 10)],
    ["H97 a text beyond its own message", bytesOf(18, 2, 10, 2, 65, 66)],
    ["H98 wire type 6", bytesOf(14)],
    ["H98 wire type 7", bytesOf(15)],
    ["H98 field number 0", bytesOf(0, 0)],
    ["H98 a field number above 2^29", bytesOf(248, 255, 255, 255, 31, 0)],
    ["H98 a group without end", bytesOf(3)],
    ["H98 an end without a group", bytesOf(4)],
    ["H101 overlong UTF-8", bytesOf(10, 2, 0xc0, 0x80)],
    ["a timestamp after the year 9999", bytesOf(74, 7, 8, 255, 255, 255, 255, 255, 63)],
  ] as const)("are refused as INVALID_ARGUMENT: %s", ([, bytes]) => {
    expect(caught(() => order.decode(bytes))).toMatchObject({ code: "INVALID_ARGUMENT", reason: "PARSE" });
  });

  it("are refused as INVALID_ARGUMENT: H97 a packed list that is cut inside an element", () => {
    expect(caught(() => lists.decode(bytesOf(58, 3, 1, 2, 3))).code).toBe("INVALID_ARGUMENT");
    expect(caught(() => lists.decode(bytesOf(10, 2, 1, 128, 1))).code).toBe("INVALID_ARGUMENT");
  });

  it("are refused as RESOURCE_EXHAUSTED: H99 messages nested 10,000 deep", () => {
    const writer = new ProtoWriter();
    writer.uint32(18).fork();
    for (let depth = 0; depth < 10_000; depth++) writer.uint32(34).fork();
    for (let depth = 0; depth < 10_000; depth++) writer.ldelim();
    expect(caught(() => order.decode(writer.ldelim().finish()))).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("are refused as RESOURCE_EXHAUSTED: H99 unknown groups and JSON values nested 10,000 deep", () => {
    expect(caught(() => order.decode(new Uint8Array(10_000).fill(11))).code).toBe("RESOURCE_EXHAUSTED");
    const writer = new ProtoWriter();
    writer.uint32(154).fork();
    for (let depth = 0; depth < 5_000; depth++) writer.uint32(50).fork().uint32(10).fork();
    for (let depth = 0; depth < 5_000; depth++) writer.ldelim().ldelim();
    expect(caught(() => order.decode(writer.ldelim().finish())).code).toBe("RESOURCE_EXHAUSTED");
  });

  it("H100 keep a map key __proto__ or constructor as data, and the last of two equal keys", () => {
    const entry = (key: string, value: string): Uint8Array =>
      new ProtoWriter().uint32(10).string(key).uint32(18).string(value).finish();
    const writer = new ProtoWriter();
    for (const [key, value] of [
      ["__proto__", "a"],
      ["constructor", "b"],
      ["x", "1"],
      ["x", "2"],
    ] as const)
      writer.uint32(26).bytes(entry(key, value));
    const { environment } = order.decode(writer.finish()) as { environment: Record<string, string> };
    expect(Object.entries(environment)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
      ["x", "2"],
    ]);
    expect(Object.getPrototypeOf(environment)).toBeNull();
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });

  it("H102 are refused as RESOURCE_EXHAUSTED when lists have more than a million elements", () => {
    const packed = new ProtoWriter().uint32(10).bytes(new Uint8Array(1_000_001)).finish();
    expect(caught(() => lists.decode(packed))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxElements" });
    const unpacked = new Uint8Array(2_000_002).map((_, index) => (index % 2 === 0 ? 18 : 0));
    expect(caught(() => order.decode(unpacked)).code).toBe("RESOURCE_EXHAUSTED");
  });

  it("H102 are read in linear time when one message field comes a million times", () => {
    const bytes = new Uint8Array(2_000_000).map((_, index) => (index % 2 === 0 ? 82 : 0));
    const start = performance.now();
    order.decode(bytes);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it("H103 leave an Any inside an Any as bytes, whatever its type", () => {
    const inner = new ProtoWriter().uint32(10).string("type.googleapis.com/google.protobuf.Any").finish();
    const any = new ProtoWriter().uint32(10).string("no/such.Type").uint32(18).bytes(inner).finish();
    const value = order.decode(new ProtoWriter().uint32(106).bytes(any).finish());
    expect(value["attachment"]).toEqual({ typeUrl: "no/such.Type", value: inner });
    expect(order.toDynamic(value)).toMatchObject({ attachment: { typeUrl: "no/such.Type", value: inner } });
  });

  it("H104 keep an enum number outside the list, and the last of two fields of a oneof", () => {
    expect(order.decode(bytesOf(56, 99))["state"]).toBe(99);
    const both = new ProtoWriter().uint32(90).string("first").uint32(98).bytes(bytesOf(7)).finish();
    expect(order.decode(both)["source"]).toEqual({ case: "archive", value: bytesOf(7) });
  });

  it("merge a message field that comes twice, as protobuf demands", () => {
    const part = (write: (writer: ProtoWriter) => ProtoWriter): Uint8Array => write(new ProtoWriter()).finish();
    const first = part((writer) => writer.uint32(10).string("make").uint32(18).string("a"));
    const second = part((writer) => writer.uint32(18).string("b"));
    const bytes = new ProtoWriter().uint32(114).bytes(first).uint32(114).bytes(second).finish();
    expect(order.decode(bytes)["source"]).toMatchObject({
      case: "generator",
      value: { command: "make", arguments: ["a", "b"] },
    });
  });

  it("are read packed and unpacked alike, and unknown fields are passed over", () => {
    expect(lists.decode(bytesOf(8, 1, 8, 2))["int32"]).toEqual([1, 2]);
    expect(lists.decode(bytesOf(130, 1, 2, 5, 6))["loose"]).toEqual([5, 6]);
    expect(lists.decode(bytesOf(250, 7, 1, 0, 8, 1))["int32"]).toEqual([1]);
    // The right number with another wire type is an unknown field too.
    expect(order.decode(bytesOf(8, 1))["commit"]).toBe("");
  });
});

describe.for(SIDES)("hostile values for %s", ([, type]) => {
  const order = type("BuildOrder").codec;
  const scalars = type("Scalars").codec;
  afterEach(() => {
    delete (Object.prototype as Record<string, unknown>)["commit"];
  });

  it.for([
    ["commit must be a string, got 5", { commit: 5 }],
    ["steps must be a list, got a string", { steps: "make" }],
    ["steps[2].command must be a string, got 5", { steps: [{}, {}, { command: 5 }] }],
    ["steps[0] must be an object, got null", { steps: [null] }],
    ["steps[0].fallbacks[0].arguments[0] must be a string, got 1", { steps: [{ fallbacks: [{ arguments: [1] }] }] }],
    ['environment["a"] must be a string, got 1', { environment: { a: 1 } }],
    ["environment must be a plain object, got a map", { environment: new Map() }],
    ["byNumber must be a Map, got an object", { byNumber: {} }],
    ["byNumber must have keys that are each a whole number of 32 bits", { byNumber: new Map([[1.5, {}]]) }],
    ["byNumber[7].command must be a string, got 1", { byNumber: new Map([[7, { command: 1 }]]) }],
    ["orderNumber must be a bigint of 64 bits, got 5", { orderNumber: 5 }],
    ["orderNumber must be a bigint of 64 bits, got 9223372036854775808n", { orderNumber: 2n ** 63n }],
    ["priority must be a whole number of 32 bits, got null", { priority: null }],
    ["priority must be a whole number of 32 bits, got 1n", { priority: 1n }],
    ["state must be a number of enum buildbot.BuildState, got 2", { state: 2 }],
    ["history[0] must be a number of enum buildbot.BuildState, got a string", { history: ["RUNNING"] }],
    ["createdAt must be a Date between the years 1 and 9999, got a string", { createdAt: "2026" }],
    ["createdAt must be a Date between the years 1 and 9999, got a date", { createdAt: new Date(Number.NaN) }],
    [
      'extra["a"]["b"] must be null, a boolean, a number, a string, a list or a plain object, got 1n',
      { extra: { a: { b: 1n } } },
    ],
    ['source.case must be one of "repository", "archive", "generator"', { source: { case: "nothing" } }],
    ["source.value must be a Uint8Array, got a string", { source: { case: "archive", value: "x" } }],
    ["source.value.command must be a string, got 1", { source: { case: "generator", value: { command: 1 } } }],
    ["attachment.typeUrl must be a string, got 1", { attachment: { typeUrl: 1 } }],
    ["nickname must be a string, got 5", { nickname: 5 }],
    ["commit must be well-formed text, got one with a lone surrogate", { commit: "\uD800" }],
    [
      "steps[0].arguments[1] must be well-formed text, got one with a lone surrogate",
      { steps: [{ arguments: ["a", "\uDC00"] }] },
    ],
    ["buildbot.BuildOrder must be an object, got 5", 5],
    ["buildbot.BuildOrder must be an object, got undefined", undefined],
    ["buildbot.BuildOrder must be an object, got a list", []],
  ] as const)("are refused with the path: %s", ([message, value]) => {
    const error = caught(() => order.encode(value as never));
    expect([error.code, error.message]).toEqual(["INVALID_ARGUMENT", message]);
  });

  it.for(["int32", "uint32", "sint32", "fixed32", "sfixed32"])("are refused where %s cannot hold them", (name) => {
    for (const value of [2 ** 32, -(2 ** 31) - 1, 0.5, Number.NaN, Infinity, "1", true, 1n, null, {}]) {
      expect(caught(() => scalars.encode({ [name]: value })).code).toBe("INVALID_ARGUMENT");
    }
  });

  it.for(["int64", "uint64", "sint64", "fixed64", "sfixed64"])("are refused where %s cannot hold them", (name) => {
    for (const value of [2n ** 64n, -(2n ** 63n) - 1n, 1, "1", true, null]) {
      expect(caught(() => scalars.encode({ [name]: value })).code).toBe("INVALID_ARGUMENT");
    }
  });

  it("are refused when they contain themselves", () => {
    const step: Record<string, unknown> = { command: "x" };
    step["fallbacks"] = [step];
    expect(caught(() => order.encode({ steps: [step] })).code).toBe("RESOURCE_EXHAUSTED");
    const json: Record<string, unknown> = {};
    json["self"] = json;
    expect(caught(() => order.encode({ extra: json })).code).toBe("RESOURCE_EXHAUSTED");
  });

  it("H108 are read for own properties only when Object.prototype is polluted", () => {
    (Object.prototype as Record<string, unknown>)["commit"] = "polluted";
    expect(order.encode({ steps: [] })).toHaveLength(0);
    expect(order.decode(new Uint8Array(0))["commit"]).toBe("");
  });

  it("H108 do not lend a field called constructor what every object inherits", () => {
    expect(order.encode({})).toHaveLength(0);
    expect(order.decode(new Uint8Array(0))["constructor_"]).toBe(0);
  });
});

describe.for(SIDES)("dynamic values for %s", ([, type]) => {
  const order = type("BuildOrder").codec;

  it("find fields by both names, enums by words, whole numbers for 64 bits, and a oneof's field among the others", () => {
    const value = order.fromDynamic({
      order_number: 7,
      state: "RUNNING",
      archive: bytesOf(1),
      steps: [{ command: "x" }],
      byNumber: { "3": {} },
      extra: null,
    });
    expect(order.decode(order.encode(value))).toMatchObject({
      orderNumber: 7n,
      state: 1,
      source: { case: "archive", value: bytesOf(1) },
      steps: [{ command: "x", arguments: [] }],
      byNumber: new Map([[3, { command: "" }]]),
      extra: undefined,
    });
  });

  it.for([
    ["comit is no field of buildbot.BuildOrder", { comit: "x" }],
    ["steps[0].nothing is no field of buildbot.BuildOrder.Step", { steps: [{ nothing: 1 }] }],
    ['archive and repository cannot be set both: they are one of "source"', { repository: "x", archive: bytesOf() }],
    ["state must be a word or a number of enum buildbot.BuildState, got a string", { state: "DANCING" }],
    ["orderNumber must be a bigint of 64 bits, got 1.5", { orderNumber: 1.5 }],
    ["buildbot.BuildOrder must be an object, got a string", "x"],
  ] as const)("are refused with the path: %s", ([message, value]) => {
    expect(caught(() => order.fromDynamic(value))).toMatchObject({ code: "INVALID_ARGUMENT", message });
  });
});
