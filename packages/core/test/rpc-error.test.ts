import { describe, expect, it, vi } from "vitest";
import { isStatusCode, RpcError } from "../src/index.ts";
import { STATUS_NUMBERS, statusFromNumber, withoutTrace } from "../src/transport.ts";

describe("RpcError", () => {
  it("keeps code, message, reason, details and cause", () => {
    const cause = new Error("disk");
    const error = new RpcError("NOT_FOUND", "no such commit", {
      reason: "NoSuchCommit",
      details: { commit: "abc" },
      cause,
    });
    expect(error).toMatchObject({
      code: "NOT_FOUND",
      message: "no such commit",
      reason: "NoSuchCommit",
      details: { commit: "abc" },
      cause,
    });
  });

  it("is an Error that prints with its name", () => {
    const error = new RpcError("INTERNAL", "broken");
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe("RpcError: broken");
  });

  it("has no own cause when none was given", () => {
    expect(Object.hasOwn(new RpcError("INTERNAL", "broken"), "cause")).toBe(false);
  });

  it("is retryable for UNAVAILABLE, and for nothing else unless it is said", () => {
    expect(new RpcError("UNAVAILABLE", "").retryable).toBe(true);
    expect(new RpcError("INTERNAL", "").retryable).toBe(false);
    expect(new RpcError("UNAVAILABLE", "", { retryable: false }).retryable).toBe(false);
    expect(new RpcError("ABORTED", "", { retryable: true }).retryable).toBe(true);
  });

  it("recognises the error of a second copy of the package", async () => {
    vi.resetModules();
    const copy = await import("../src/words/rpc-error.ts");
    expect(copy.RpcError).not.toBe(RpcError);
    const foreign: unknown = new copy.RpcError("ABORTED", "from the other copy");
    expect(foreign).toBeInstanceOf(RpcError);
    expect(RpcError.from(foreign)).toBe(foreign);
    expect(new RpcError("ABORTED", "")).toBeInstanceOf(copy.RpcError);
  });

  it("does not take another error, a primitive or nothing for an RpcError", () => {
    for (const value of [new Error("plain"), "text", 7, null, undefined, {}])
      expect(value instanceof RpcError).toBe(false);
  });

  it("lets a subclass recognise its own errors alone", () => {
    class BuildError extends RpcError {}
    expect(new BuildError("ABORTED", "")).toBeInstanceOf(BuildError);
    expect(new BuildError("ABORTED", "")).toBeInstanceOf(RpcError);
    expect(new RpcError("ABORTED", "")).not.toBeInstanceOf(BuildError);
  });
});

describe("RpcError.from", () => {
  it("gives an RpcError back as it is", () => {
    const error = new RpcError("ABORTED", "as it is");
    expect(RpcError.from(error)).toBe(error);
  });

  it("makes UNKNOWN of another error and keeps it as cause", () => {
    const thrown = new TypeError("x is not a function");
    expect(RpcError.from(thrown)).toMatchObject({ code: "UNKNOWN", message: "x is not a function", cause: thrown });
  });

  it("makes CANCELLED of what an aborted signal throws", () => {
    expect(RpcError.from(AbortSignal.abort().reason)).toMatchObject({ code: "CANCELLED", reason: "CANCELLED" });
  });

  it("makes DEADLINE_EXCEEDED of a timeout error", () => {
    expect(RpcError.from(new DOMException("too late", "TimeoutError"))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      reason: "DEADLINE",
      message: "too late",
    });
  });

  it("H91 takes the message from a thrown string", () => {
    expect(RpcError.from("out of paper")).toMatchObject({ code: "UNKNOWN", message: "out of paper" });
  });

  class Throwing {
    get name(): string {
      throw new Error("no name");
    }
    get message(): string {
      throw new Error("no message");
    }
  }
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const hostile: [string, unknown][] = [
    ["undefined", undefined],
    ["null", null],
    ["a number", 42],
    ["a symbol", Symbol("s")],
    ["a function", () => undefined],
    ["a frozen object", Object.freeze({})],
    ["an object without prototype", Object.create(null)],
    ["an error whose getters throw", new Throwing()],
    ["an error whose message is no text", Object.assign(new Error("x"), { message: { toString: 1 } })],
    ["an error named constructor", Object.assign(new Error("x"), { name: "constructor" })],
    ["a revoked proxy", proxy],
    ["a proxy whose traps throw", new Proxy({}, { has: boom, get: boom, getPrototypeOf: boom })],
  ];
  function boom(): never {
    throw new Error("trap");
  }

  it.each(hostile)("H91 makes UNKNOWN of %s", (_what, thrown) => {
    const error = RpcError.from(thrown);
    expect(error.code).toBe("UNKNOWN");
    expect(typeof error.message).toBe("string");
  });

  it("H92 stands a cause that leads back to itself", () => {
    const thrown = new Error("ring");
    thrown.cause = thrown;
    expect(RpcError.from(thrown)).toMatchObject({ code: "UNKNOWN", message: "ring" });
  });
});

describe("status codes", () => {
  it("are the sixteen of gRPC, numbered 1 to 16", () => {
    expect(Object.values(STATUS_NUMBERS)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  });

  it("come back from their numbers", () => {
    for (const [code, number] of Object.entries(STATUS_NUMBERS)) expect(statusFromNumber(number)).toBe(code);
  });

  it.each([0, 17, 999, -1, 1.5, Number.NaN])("H48 reads the unknown number %d as UNKNOWN", (number) => {
    expect(statusFromNumber(number)).toBe("UNKNOWN");
  });

  it("are told from other words, inherited names included", () => {
    expect(isStatusCode("NOT_FOUND")).toBe(true);
    for (const word of ["OK", "not_found", "toString", "constructor", "__proto__", 5, undefined])
      expect(isStatusCode(word)).toBe(false);
  });
});

describe("withoutTrace", () => {
  it("leaves the trace out of the errors made in it, and of no others", () => {
    const make = (): RpcError => new RpcError("UNAVAILABLE", "the peer has gone");
    const error = withoutTrace(make);
    expect(error).toMatchObject({ code: "UNAVAILABLE", message: "the peer has gone" });
    expect(error.stack).not.toContain("\n");
    expect(make().stack).toContain("\n");
    expect(() =>
      withoutTrace(() => {
        throw new Error("boom");
      }),
    ).toThrow("boom");
    expect(make().stack).toContain("\n");
  });
});
