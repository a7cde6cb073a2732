import { describe, expect, it } from "vitest";
import {
  createClient,
  createRouter,
  defineContract,
  event,
  forward,
  type Handler,
  job,
  mergeRouters,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { all, call, failure, json, listen, memory, rawClient, thrownBy } from "./rig.ts";

const One = defineContract("test.One", { a: unary(), s: serverStream(), n: notification() });
const Two = defineContract("test.deep.Two", { a: unary() });

const one = createRouter(One, { a: () => "one", s: () => ["x", "y"], n: () => undefined });
const two = createRouter(Two, { a: () => "two" });

describe("createRouter", () => {
  it("refuses an implementation that lacks a method", () => {
    const error = thrownBy(() => createRouter(One, { a: () => 1, s: () => [] } as never));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(error.message).toContain("test.One.n");
  });

  it("asks no function for events and jobs", () => {
    const Patterns = defineContract("test.Patterns", { states: event(), work: job() });
    expect(() => createRouter(Patterns, { work: { handle: () => null } })).not.toThrow();
  });

  it("calls a method with its implementation as this", async () => {
    const implementation = {
      greeting: "hello",
      a(this: { readonly greeting: string }) {
        return this.greeting;
      },
    };
    expect(await createClient(Two, memory(createRouter(Two, implementation))).a()).toBe("hello");
  });

  it("serves the members that a class brings, its parents' included", async () => {
    class Base {
      readonly greeting = "hello";
      a(): string {
        return this.greeting;
      }
    }
    class Derived extends Base {}
    expect(await createClient(Two, memory(createRouter(Two, new Derived()))).a()).toBe("hello");
  });

  it.each(["hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString"])(
    "H73 does not take %s from what every object inherits",
    (name) => {
      const Odd = defineContract("test.Odd", Object.fromEntries([[name, unary()]]));
      expect(thrownBy(() => createRouter(Odd, {}))).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("H73 keeps the functions that it was given, whatever happens to the implementation later", async () => {
    const implementation = { a: (): unknown => "first" };
    const client = createClient(Two, memory(createRouter(Two, implementation)));
    implementation.a = () => "second";
    expect(await client.a()).toBe("first");
  });

  it("fails a stream whose handler returns no stream", async () => {
    const broken = createRouter(One, { a: () => 1, s: () => 5 as never, n: () => undefined });
    const error = await failure(all(createClient(One, memory(broken)).s()));
    expect(error).toMatchObject({ code: "INTERNAL" });
    expect(error.message).toContain("async iterable");
  });

  it.each([
    ["a list", () => [1, 2]],
    ["a set", () => new Set([1, 2])],
    [
      "a generator",
      function* () {
        yield 1;
        yield 2;
      },
    ],
    [
      "an async generator",
      async function* () {
        yield 1;
        yield 2;
      },
    ],
  ])("streams %s", async (_what, s) => {
    const router = createRouter(One, { a: () => 1, s, n: () => undefined });
    expect(await all(createClient(One, memory(router)).s())).toEqual([1, 2]);
  });

  it("H90 tells the caller when an output cannot travel", async () => {
    const router = createRouter(Two, { a: () => ({ deep: [() => 1] }) });
    const error = await failure(createClient(Two, memory(router)).a());
    expect(error).toMatchObject({ code: "INTERNAL", reason: "RESULT_UNSERIALIZABLE" });
    expect(error.message).toContain("deep[0]");
  });

  it("H81 never waits for output that only looks like a promise", async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- data that looks like a promise is the point
    const router = createRouter(Two, { a: () => ({ then: "data" }) });
    // oxlint-disable-next-line unicorn/no-thenable -- the same
    expect(await createClient(Two, memory(router)).a()).toEqual({ then: "data" });
  });
});

describe("dispatch", () => {
  const names = [
    "__proto__",
    "constructor",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "then",
    "catch",
    "toJSON",
    "_x",
    "#x",
    "",
    "A",
    "a ",
    "а",
    "a\u200b",
    "a\0",
    "a\r\n",
    "../a",
  ];

  it.each(names)("H71 H72 H73 H74 H75 refuses the method %j of a served contract", async (name) => {
    const peer = await rawClient(listen(one));
    await peer.send(call(1, `test.One.${name}`), call(3, "test.One.a"));
    expect(peer.failures).toEqual([[1, 12, name === "../a" ? "CONTRACT_NOT_FOUND" : "METHOD_NOT_FOUND"]]);
    expect(peer.results).toEqual(["one"]);
  });

  it.each([
    "",
    "a",
    ".",
    "..",
    "test.One",
    "test.One.",
    ".a",
    "test..a",
    "__proto__",
    "__proto__.a",
    "constructor.name",
    "TEST.One.a",
  ])("H71 H74 refuses the full name %j", async (name) => {
    const peer = await rawClient(listen(mergeRouters(one, two)));
    await peer.send(call(1, name), call(3, "test.One.a"));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([[1, 12]]);
    expect(peer.results).toEqual(["one"]);
  });

  it("H74 cuts and escapes the name in its error", async () => {
    const peer = await rawClient(listen(one));
    await peer.send(call(1, `test.One.\u001b[31m${"x".repeat(10_000)}`));
    const message = peer.of(Body.Fail)[0]?.error.message ?? "";
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain("\u001b");
  });

  it("C25 C26 tells an unknown method from an unknown contract", async () => {
    const Newer = defineContract("test.One", { later: unary() });
    const Absent = defineContract("test.Absent", { a: unary() });
    const transport = memory(one);
    expect(await failure(createClient(Newer, transport).later())).toMatchObject({
      code: "UNIMPLEMENTED",
      reason: "METHOD_NOT_FOUND",
    });
    expect(await failure(createClient(Absent, transport).a())).toMatchObject({
      code: "UNIMPLEMENTED",
      reason: "CONTRACT_NOT_FOUND",
    });
    expect(await createClient(One, transport).a()).toBe("one");
  });

  it.each([
    ["a stream as unary call", call(1, "test.One.s")],
    ["a unary method as stream", call(1, "test.One.a", { kind: "serverStream", credits: 1 })],
    ["a server stream as bidi stream", call(1, "test.One.s", { kind: "bidiStream", credits: 1 })],
    ["a notification as unary call", call(1, "test.One.n")],
  ])("H77 refuses %s", async (_what, envelope) => {
    const peer = await rawClient(listen(one));
    await peer.send(envelope);
    expect(peer.failures).toEqual([[1, 12, "METHOD_NOT_FOUND"]]);
    expect(peer.of(Body.Fail)[0]?.error.message).toContain("is not of kind");
  });

  it("H77 drops a unary method that is called as notification, and says so to the log", async () => {
    const listener = listen(one);
    const peer = await rawClient(listener);
    await peer.send({ body: Body.Notify, method: "test.One.a", payload: json(1), metadata: undefined, depth: 0 });
    expect(peer.received.filter(({ body }) => body === Body.Fail || body === Body.Result)).toEqual([]);
    expect(listener.errors.map(({ code }) => code)).toEqual(["UNIMPLEMENTED"]);
  });

  it.each([
    ["calls an event", call(1, "test.Patterns.states")],
    ["calls a job", call(1, "test.Patterns.work")],
  ])("H77 refuses a peer that %s", async (_what, envelope) => {
    const Patterns = defineContract("test.Patterns", { states: event(), work: job() });
    const carried = { topics: "volatile", queue: "volatile" } as const;
    const peer = await rawClient(
      listen(createRouter(Patterns, { work: { handle: () => 1 } }), { capabilities: carried }),
    );
    await peer.send(envelope);
    expect(peer.failures.map(([, code]) => code)).toEqual([12]);
  });
});

describe("mergeRouters", () => {
  it("serves every contract on one listener", async () => {
    const transport = memory(mergeRouters(one, two));
    expect(await createClient(One, transport).a()).toBe("one");
    expect(await createClient(Two, transport).a()).toBe("two");
    expect(await all(createClient(One, transport).s())).toEqual(["x", "y"]);
  });

  it("refuses a contract that is served twice", () => {
    expect(thrownBy(() => mergeRouters(one, two, one))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("gives what nobody else serves to a gateway", async () => {
    const transport = memory(mergeRouters(one, forward(memory(two))));
    expect(await createClient(One, transport).a()).toBe("one");
    expect(await createClient(Two, transport).a()).toBe("two");
  });

  it("refuses what nobody serves", async () => {
    expect(await failure(createClient(Two, memory(mergeRouters(one))).a())).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("serves nothing when nothing is merged", async () => {
    expect(await failure(createClient(Two, memory(mergeRouters())).a())).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("lists all contracts", () => {
    expect(mergeRouters(one, mergeRouters(two)).contracts.map(({ name }) => name)).toEqual([
      "test.One",
      "test.deep.Two",
    ]);
  });
});

describe("a handler of a user's own", () => {
  it("serves without a router", async () => {
    const handler: Handler = {
      contracts: two.contracts,
      method: (name, kind) => two.method(name, kind),
      call: (input, context) => [input, context.method.name],
      stream: (input, context) => two.stream(input, context),
    };
    expect(await createClient(Two, memory(handler)).a("in")).toEqual(["in", "test.deep.Two.a"]);
  });
});
