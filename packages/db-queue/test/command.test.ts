import { defineContract, type Handler, Metadata, RpcError, createRouter, dynamicRouter, forward } from "@rpc/core";
import { descriptorOf, dynamicCodec, EncodedPayload, type MethodDescriptor } from "@rpc/core/transport";
import { job, notification, unary } from "@rpc/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { argumentsOf, inputOf, rowArguments } from "../src/command/arguments.ts";
import { CommandFailure } from "../src/command/command-failure.ts";
import { logEvent, progressEvent, readEvent } from "../src/command/event.ts";
import { errorOfFailure, failureMetadata, failureOf } from "../src/command/failure.ts";
import { metaText, readMeta, timeLeftMs } from "../src/command/meta.ts";
import { methodOf, shortName } from "../src/command/method.ts";
import { readReply, replyText } from "../src/command/reply.ts";
import { spanMs } from "../src/command/span.ts";

const Bot = defineContract("test.Bot", {
  reload: unary({ input: z.object({ force: z.boolean().optional(), at: z.date().optional() }).optional() }),
  rescan: unary({
    input: z.object({ repourl: z.string(), commits: z.array(z.string()), branch: z.string().optional() }),
    errors: { Unknown: z.object({ repourl: z.string(), since: z.date() }) },
  }),
  any: unary(),
  poke: notification(),
  build: job(),
});

const methodNamed = (name: string): MethodDescriptor => {
  const method = descriptorOf(Bot).methods.get(name);
  if (method === undefined) throw new Error(`no ${name}`);
  return method;
};
const any = methodNamed("any");

const roundTrip = (method: MethodDescriptor, input: unknown): unknown => {
  const { args = "[]", kwargs = "{}", payload } = argumentsOf(method, input);
  return inputOf(method, { args, kwargs }, payload);
};

describe("arguments", () => {
  it("Q05 writes a record by name, anything else by position, so that SQL can read it", () => {
    expect(argumentsOf(any, { force: true })).toEqual({ kwargs: '{"force":true}' });
    expect(argumentsOf(any, ["a", "b"])).toEqual({ args: '[["a","b"]]' });
    expect(argumentsOf(any, 5)).toEqual({ args: "[5]" });
    expect(argumentsOf(any, new Date(0))).toEqual({ args: '[{"$date":"1970-01-01T00:00:00.000Z"}]' });
    expect(argumentsOf(any, { $key: 1 })).toEqual({ kwargs: '{"$$key":1}' });
    expect(argumentsOf(any, {})).toEqual({ args: "[{}]" });
    expect(argumentsOf(any, undefined)).toEqual({});
  });

  it("Q05 gives back any value that JSON or its tags can say", () => {
    const leaf = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.double(),
      fc.boolean(),
      fc.bigInt(),
      fc.constant(null),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie("value")),
        fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("$date", "$", "__proto__", "$reply")), tie("value")),
      ),
    }));
    fc.assert(
      fc.property(value, (input) => {
        const same = dynamicCodec.parse(dynamicCodec.stringify(input));
        expect(roundTrip(any, input)).toStrictEqual(same);
        expect(readReply(any, JSON.parse(replyText(any, input))).value).toStrictEqual(same);
      }),
    );
  });

  it("Q05 names positional arguments of a caller without the contract by the fields of the schema", () => {
    const rescan = methodNamed("rescan");
    const { args = "[]", kwargs = "{}" } = rowArguments(["git://x", ["abc"]], { branch: "main" });
    expect(inputOf(rescan, { args, kwargs }, undefined)).toEqual({
      repourl: "git://x",
      commits: ["abc"],
      branch: "main",
    });
    expect(() => inputOf(rescan, { args: "[1,2,3,4]", kwargs: "{}" }, undefined)).toThrow("takes 3 arguments");
    expect(() => inputOf(rescan, { args: "[1]", kwargs: '{"repourl":2}' }, undefined)).toThrow("given twice");
    expect(() => inputOf(any, { args: "[1,2]", kwargs: "{}" }, undefined)).toThrow("takes one input");
    expect(() => inputOf(any, { args: "{}", kwargs: "{}" }, undefined)).toThrow("args must be a list");
  });

  it("passes on what a gateway has encoded already, JSON and protobuf", () => {
    const text = new TextEncoder().encode('{ "a" : {"$date":"1970-01-01T00:00:00.000Z"} }');
    expect(argumentsOf(any, new EncodedPayload("json", text))).toEqual({
      kwargs: '{"a":{"$date":"1970-01-01T00:00:00.000Z"}}',
    });
    const opaque = forward({} as never).method("a.b", "unary");
    if (opaque === undefined) throw new Error("no method");
    expect(roundTrip(opaque, new EncodedPayload("json", text))).toMatchObject({
      json: { a: { $date: "1970-01-01T00:00:00.000Z" } },
    });
    const bytes = Uint8Array.of(8, 1);
    expect(roundTrip(opaque, new EncodedPayload("protobuf", bytes))).toMatchObject({
      format: "protobuf",
      source: bytes,
    });
    expect(() => argumentsOf(any, new EncodedPayload("json", new TextEncoder().encode("{")))).toThrow("not JSON");
  });

  it("has the arguments of a dynamic call by position and by name", () => {
    const router = dynamicRouter();
    router.register({ add: (a: number, b: number) => a + b });
    const add = router.method("dynamic.add", "unary");
    if (add === undefined) throw new Error("no add");
    expect(argumentsOf(add, { args: [1, 2], kwargs: { c: 3 } })).toEqual({ args: "[1,2]", kwargs: '{"c":3}' });
    expect(roundTrip(add, { args: [1, 2] })).toEqual({ args: [1, 2] });
    expect(roundTrip(add, undefined)).toBeUndefined();
  });
});

describe("methods", () => {
  const router: Handler = createRouter(Bot, {
    reload: () => undefined,
    rescan: () => undefined,
    any: () => undefined,
    poke: () => undefined,
    build: { handle: () => undefined },
  });
  const find = (method: string, contract?: string, isNotification = false): string | undefined =>
    methodOf(router, { method, notification: isNotification }, { contract })?.name;

  it("Q14 finds a method by contract and short name, or by its short name alone, and nothing else", () => {
    expect(shortName(any)).toBe("any");
    expect(find("any", "test.Bot")).toBe("test.Bot.any");
    expect(find("any")).toBe("test.Bot.any");
    expect(find("test.Bot.any")).toBe("test.Bot.any");
    expect(find("poke")).toBe("test.Bot.poke");
    expect(find("any", undefined, true)).toBe("test.Bot.any");
    expect(find("build", "test.Bot")).toBe("test.Bot.build");
    for (const name of ["constructor", "__proto__", "then", "stop", "toString", ""]) expect(find(name)).toBeUndefined();
    expect(find("any", "other.Contract")).toBeUndefined();
  });
});

describe("replies", () => {
  it("tells undefined from null, and has metadata beside the value", () => {
    expect(replyText(any, null)).toBe("null");
    expect(replyText(any, undefined)).toBe('{"$reply":{}}');
    const text = replyText(any, 1, new Metadata({ a: "b" }));
    expect(text).toBe('{"$reply":{"value":1,"metadata":{"a":"b"}}}');
    expect(readReply(any, JSON.parse(text)).metadata?.get("a")).toBe("b");
    expect(readReply(any, JSON.parse('{"$reply":{}}')).value).toBeUndefined();
    expect(readReply(any, null).value).toBeNull();
  });
});

describe("failures", () => {
  const there = (thrown: unknown, method = any): RpcError =>
    errorOfFailure(JSON.parse(failureOf(thrown, method).error), method.name, method);
  const codeOf = (thrown: unknown): unknown => (JSON.parse(failureOf(thrown, any).error) as { code: unknown }).code;

  it("Q11 Q12 tells a refusal, a throw and a call that could not be dispatched apart", () => {
    const failure = there(new CommandFailure("Error!", "the master is not active", { code: 7 }));
    expect(failure).toBeInstanceOf(CommandFailure);
    expect(failure).toMatchObject({
      title: "Error!",
      text: "the master is not active",
      failureCode: 7,
      code: "UNKNOWN",
    });
    expect(codeOf(new TypeError("broke"))).toBe("INTERNAL");
    expect(there(new TypeError("broke"))).toMatchObject({ code: "UNKNOWN", message: "broke", reason: undefined });
    expect(codeOf(new RpcError("UNIMPLEMENTED", "x", { reason: "METHOD_NOT_FOUND" }))).toBe("METHOD_NOT_FOUND");
    expect(codeOf(new RpcError("INVALID_ARGUMENT", "x", { reason: "INVALID_ARGUMENT" }))).toBe("INVALID_ARGS");
  });

  it("Q11 keeps code, reason, delivered, retryable and declared details", () => {
    const rescan = methodNamed("rescan");
    const declared = there(Bot.rescan.error("Unknown", { repourl: "git://x", since: new Date(5) }), rescan);
    expect(Bot.rescan.isError(declared, "Unknown")).toBe(true);
    expect(declared.details).toEqual({ repourl: "git://x", since: new Date(5) });
    expect(there(new RpcError("UNAVAILABLE", "busy", { delivered: "no", retryable: false }))).toMatchObject({
      code: "UNAVAILABLE",
      delivered: "no",
      retryable: false,
    });
    const said = failureOf(new RpcError("ABORTED", "x"), any, { metadata: new Metadata({ k: "v" }) });
    expect(failureMetadata(JSON.parse(said.error))?.get("k")).toBe("v");
  });

  it("knows which failures another try may help", () => {
    const retryable = (thrown: unknown): boolean => failureOf(thrown, any).retryable;
    expect(retryable(new Error("broke"))).toBe(true);
    expect(retryable(new CommandFailure("No", "never"))).toBe(false);
    expect(retryable(new RpcError("UNIMPLEMENTED", "x", { reason: "METHOD_NOT_FOUND" }))).toBe(false);
    expect(retryable(new RpcError("INVALID_ARGUMENT", "x"))).toBe(false);
    expect(retryable(new RpcError("UNAVAILABLE", "x"))).toBe(true);
  });

  it("reads the queue's own words and those of a foreign agent", () => {
    const read = (json: unknown): RpcError => errorOfFailure(json, "Bot.x", undefined);
    expect(read({ code: "EXPIRED", outcome: "no" })).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      reason: "EXPIRED",
      delivered: "no",
    });
    expect(read({ code: "LEASE_LOST", outcome: "unknown" })).toMatchObject({
      code: "UNAVAILABLE",
      reason: "LEASE_LOST",
      delivered: "unknown",
    });
    expect(read({ code: "COMMAND_FAILURE", title: "Oh", text: "no" })).toMatchObject({ title: "Oh", failureCode: 100 });
    for (const odd of [null, 5, [], "text", { code: 5 }, { message: {} }, { code: "__proto__", details: { $x: 1 } }])
      expect(read(odd)).toBeInstanceOf(RpcError);
  });

  it("writes whatever was thrown, and never throws itself", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const thrown of [undefined, null, 1, "text", proxy, new RpcError("ABORTED", "\ud800", { details: circular })])
      expect(JSON.parse(failureOf(thrown, any, { exposeStacks: true }).error)).toHaveProperty("code");
  });
});

describe("meta and events", () => {
  it("gives back what was said, and nothing of what is none of it", () => {
    const meta = {
      contract: "a.B",
      metadata: new Metadata({ traceparent: "00-1", __proto__x: "y" }),
      depth: 2,
      deadlineLagMs: 0,
    };
    const read = readMeta(metaText(meta));
    expect(read).toMatchObject({ contract: "a.B", depth: 2, deadlineLagMs: 0 });
    expect(read.metadata?.get("traceparent")).toBe("00-1");
    expect(timeLeftMs(read, 50)).toBe(50);
    expect(timeLeftMs({}, 50)).toBeUndefined();
    for (const odd of ["", "5", "[]", '{"depth":-1,"metadata":{"a b":"c","d":5}}'])
      expect(readMeta(odd)).not.toHaveProperty("depth", -1);
  });

  it("Q53 carries progress and log lines, also of a foreign agent", () => {
    const at = { seq: 1, at: 5 };
    expect(readEvent({ ...at, ...progressEvent(any, { done: 5n }) })).toMatchObject({
      kind: "progress",
      value: { done: 5n },
    });
    const line = { level: "warning", message: "low", fields: { disk: "sda" } } as const;
    expect(readEvent({ ...at, ...logEvent(line) })).toEqual({
      ...at,
      kind: "log",
      line: { ...line, fields: line.fields },
    });
    expect(readEvent({ ...at, kind: "log", data: '"bare"' })).toMatchObject({
      line: { message: "bare", level: "info" },
    });
    expect(readEvent({ ...at, kind: "step", data: "1" })).toMatchObject({ kind: "other", name: "step", value: 1 });
  });
});

describe("spans", () => {
  it("Q08 reads spans, old and new", () => {
    for (const [span, ms] of [
      ["10s", 10_000],
      ["2m", 120_000],
      ["1h", 3_600_000],
      ["500ms", 500],
      ["1.5 s", 1500],
      ["now +10sec", 10_000],
      ["now +2mins", 120_000],
      [250, 250],
    ] as const)
      expect(spanMs(span, "expires")).toBe(ms);
    for (const wrong of ["", "10", "s", "-1s", "10 parsecs", Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(() => spanMs(wrong, "expires")).toThrow(/expires must be milliseconds or text/);
  });
});
