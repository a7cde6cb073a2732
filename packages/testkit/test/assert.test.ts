import { describe, expect, it } from "vitest";
import { RpcError } from "@rpc/core";
import { equal, rejects, show, throws } from "../src/assert.ts";

describe("equal", () => {
  it("compares dynamic values by content", () => {
    const record: unknown = Object.assign(Object.create(null), { a: [1, 2n, Number.NaN], b: new Date(5) });
    expect(() => equal(record, { a: [1, 2n, Number.NaN], b: new Date(5) }, "value")).not.toThrow();
    expect(() => equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2), "bytes")).not.toThrow();
  });

  it.each([
    [0, -0],
    [1, 1n],
    [{ a: 1 }, { a: 1, b: undefined }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [[1], { 0: 1 }],
    [Uint8Array.of(1), [1]],
    [new Date(1), new Date(2)],
    [new Date(1), 1],
    [null, undefined],
  ])("tells %o from %o", (actual, expected) => {
    expect(() => equal(actual, expected, "value")).toThrow("value");
  });

  it("names the place of the difference", () => {
    expect(() => equal({ a: [1, { b: "x" }] }, { a: [1, { b: "y" }] }, "value")).toThrow(
      'value.a.1.b: expected "y", got "x"',
    );
  });
});

describe("rejects and throws", () => {
  it("hold an error to code, reason, message and delivered", async () => {
    const error = new RpcError("UNAVAILABLE", "nobody there", { reason: "GONE", delivered: "no" });
    const expected = { code: "UNAVAILABLE", reason: "GONE", message: "nobody", delivered: "no" } as const;
    expect(await rejects(Promise.reject(error), expected, "call")).toBe(error);
    for (const wrong of [
      { code: "INTERNAL" },
      { reason: "HERE" },
      { message: "somebody" },
      { delivered: "unknown" },
    ] as const) {
      await expect(rejects(Promise.reject(error), { ...expected, ...wrong }, "call")).rejects.toThrow("call: expected");
    }
  });

  it("fail on success and on an error of another class", async () => {
    await expect(rejects(Promise.resolve(5), { code: "INTERNAL" }, "call")).rejects.toThrow("but it succeeded with 5");
    await expect(rejects(Promise.reject(new TypeError("x")), { code: "INTERNAL" }, "call")).rejects.toThrow(
      "TypeError",
    );
    expect(() => throws(() => 5, { code: "INTERNAL" }, "call")).toThrow("but it returned 5");
    expect(
      throws(
        () => {
          throw new RpcError("INTERNAL", "x");
        },
        { code: "INTERNAL" },
        "call",
      ).code,
    ).toBe("INTERNAL");
  });

  it("show any value in a short line", () => {
    expect(show("x".repeat(5_000)).length).toBeLessThan(300);
    expect(show({ a: 1 })).toBe("a record of a");
  });
});
