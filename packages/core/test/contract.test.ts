import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bidiStream,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  RpcError,
  serverStream,
  unary,
} from "../src/index.ts";
import { descriptorOf } from "../src/transport.ts";
import { failure, memory, thrownBy } from "./rig.ts";

describe("defineContract", () => {
  it("describes each kind of method", () => {
    const All = defineContract(
      "test.deep.All",
      {
        a: unary({ idempotent: true, timeoutMs: 2_000, doc: "asks" }),
        b: serverStream(),
        c: clientStream(),
        d: bidiStream(),
        e: notification(),
        f: event(),
        g: job({ maxAttempts: 3 }),
      },
      { doc: "everything" },
    );
    const { name, doc, methods } = descriptorOf(All);
    expect([name, doc]).toEqual(["test.deep.All", "everything"]);
    expect([...methods].map(([short, method]) => [short, method.name, method.kind])).toEqual([
      ["a", "test.deep.All.a", "unary"],
      ["b", "test.deep.All.b", "serverStream"],
      ["c", "test.deep.All.c", "clientStream"],
      ["d", "test.deep.All.d", "bidiStream"],
      ["e", "test.deep.All.e", "notification"],
      ["f", "test.deep.All.f", "event"],
      ["g", "test.deep.All.g", "job"],
    ]);
    expect(methods.get("a")).toMatchObject({
      contract: "test.deep.All",
      idempotent: true,
      timeoutMs: 2_000,
      doc: "asks",
    });
    expect(methods.get("b")).toMatchObject({ idempotent: false, timeoutMs: undefined, doc: undefined });
  });

  it.each(["", "1a", "a..b", ".a", "a.", "a b", "a/b", "a-b", "ä", "a\0", "a\n"])(
    "refuses the contract name %j",
    (name) => {
      expect(thrownBy(() => defineContract(name, {}))).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it.each([
    "then",
    "catch",
    "finally",
    "constructor",
    "prototype",
    "toJSON",
    "toString",
    "valueOf",
    "__proto__",
    "_private",
    "1a",
    "",
    "a.b",
    "a b",
    "a-b",
  ])("H72 H73 refuses the method name %j", (name) => {
    const methods = Object.fromEntries([[name, unary()]]);
    expect(thrownBy(() => defineContract("test.T", methods))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_ARGUMENT",
    });
  });

  it.each(["hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "length", "name", "call", "start", "close"])(
    "H71 serves a method named %s like any other",
    async (name) => {
      const Odd = defineContract("test.Odd", Object.fromEntries([[name, unary()]]));
      const router = createRouter(Odd, Object.fromEntries([[name, () => name]]));
      const client = createClient(Odd, memory(router)) as unknown as Record<string, () => Promise<unknown>>;
      expect(await client[name]?.()).toBe(name);
    },
  );

  it.each([0, -1, Number.NaN])("refuses a timeoutMs of %d", (timeoutMs) => {
    expect(thrownBy(() => unary({ timeoutMs }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is frozen and holds nothing but its methods", () => {
    const One = defineContract("test.One", { only: unary() });
    expect(Object.isFrozen(One)).toBe(true);
    expect(Object.keys(One)).toEqual(["only"]);
    expect("toString" in One).toBe(false);
  });

  it("H72 can be awaited, printed and written as JSON without harm", async () => {
    const One = defineContract("test.One", { only: unary() });
    expect(await (One as unknown as Promise<unknown>)).toBe(One);
    expect(JSON.stringify(One)).toBe('{"only":{}}');
  });
});

const Bot = defineContract("test.Bot", {
  build: unary({
    errors: {
      NoSuchCommit: z.object({ commit: z.string() }),
      Busy: undefined,
    },
  }),
  other: unary({ errors: { NoSuchCommit: z.object({ commit: z.string() }) } }),
});

describe("a declared error", () => {
  function throwing(error: unknown): Promise<RpcError> {
    const router = createRouter(Bot, {
      build: () => {
        throw error;
      },
      other: () => null,
    });
    return failure(createClient(Bot, memory(router)).build());
  }

  it("arrives with its reason and typed details", async () => {
    const error: unknown = await throwing(Bot.build.error("NoSuchCommit", { commit: "abc" }));
    expect(Bot.build.isError(error, "NoSuchCommit") && error.details.commit).toBe("abc");
    expect(error).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "NoSuchCommit",
      message: "test.Bot.build: NoSuchCommit",
    });
  });

  it("may have a code and a message of its own", async () => {
    const error = await throwing(
      Bot.build.error("NoSuchCommit", { commit: "abc" }, { code: "NOT_FOUND", message: "abc is gone" }),
    );
    expect(error).toMatchObject({ code: "NOT_FOUND", reason: "NoSuchCommit", message: "abc is gone" });
  });

  it("may carry any details when it has no schema", async () => {
    const error: unknown = await throwing(Bot.build.error("Busy", [1, 2n]));
    expect(Bot.build.isError(error, "Busy") && error.details).toEqual([1, 2n]);
  });

  it("is not recognised when the peer's details break its schema", async () => {
    const error: unknown = await throwing(
      new RpcError("ABORTED", "", { reason: "NoSuchCommit", details: { commit: 7 } }),
    );
    expect(Bot.build.isError(error, "NoSuchCommit")).toBe(false);
  });

  it("is not recognised under another reason", async () => {
    const error: unknown = await throwing(Bot.build.error("Busy", null));
    expect(Bot.build.isError(error, "NoSuchCommit")).toBe(false);
  });

  it.each([
    ["a plain error", new Error("NoSuchCommit")],
    ["a record that looks like one", { reason: "Busy", details: null }],
    ["nothing", undefined],
  ])("is not mistaken for %s", (_what, caught) => {
    expect(Bot.build.isError(caught, "Busy")).toBe(false);
  });

  it("H71 is not recognised by a reason that was inherited", () => {
    const error: unknown = new RpcError("ABORTED", "", { reason: "constructor" });
    expect(Bot.build.isError(error, "constructor" as "Busy")).toBe(false);
  });
});
