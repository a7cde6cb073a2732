import { createRouter, defineContract, RpcError, type StatusCode, unary } from "@rpc/core";
import { type MethodDescriptor, STATUS_NUMBERS } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import { FaultError } from "../src/fault.ts";
import { errorOf, type FaultMapping, faultOf, STATUS_HEADER, statusHeaders } from "../src/fault-mapping.ts";

const Shop = defineContract("test.Shop", {
  buy: unary({
    input: z.object({ item: z.string() }),
    output: z.object({}),
    errors: { SoldOut: z.object({ item: z.string(), left: z.number() }) },
  }),
});
const buy = methodOf("test.Shop.buy");

function methodOf(name: string): MethodDescriptor {
  const method = createRouter(Shop, { buy: () => ({}) }).method(name, "unary");
  if (method === undefined) throw new Error("the router does not know its own method");
  return method;
}

const codec = createDocumentCodec();

/** What the caller holds after the error went out as a fault, and with headers when `headers` is true. */
function travelled(thrown: unknown, headers: boolean, mapping: FaultMapping = {}): RpcError {
  const document = Buffer.from(codec.encodeFault(faultOf(thrown, mapping)));
  const reply = codec.decodeReply(document, "text/xml; charset=utf-8");
  if (!("fault" in reply)) throw new Error("no fault came out");
  return errorOf(reply.fault, buy, headers ? statusHeaders(thrown, buy, mapping) : undefined);
}

/** What codes come back as that stand for more than one status. */
const FROM_CODE: Readonly<Record<number, StatusCode>> = { [-32_500]: "UNKNOWN", [-32_400]: "INTERNAL" };

describe("X24 errors to faults", () => {
  it.for([
    ["UNAVAILABLE", -32_001],
    ["UNAUTHENTICATED", -32_002],
    ["PERMISSION_DENIED", -32_003],
    ["DEADLINE_EXCEEDED", -32_004],
    ["CANCELLED", -32_005],
    ["INVALID_ARGUMENT", -32_602],
    ["UNIMPLEMENTED", -32_601],
    ["INTERNAL", -32_603],
    ["RESOURCE_EXHAUSTED", -32_400],
    ["NOT_FOUND", -32_500],
    ["UNKNOWN", -32_500],
  ] as const)(
    "gives %s the code %i, and a client without headers the same status where a code says it",
    ([status, code]) => {
      expect(faultOf(new RpcError(status, "no"))).toMatchObject({ code });
      expect(travelled(new RpcError(status, "no"), false)).toMatchObject({ code: FROM_CODE[code] ?? status });
    },
  );

  it("writes name and message, and no stack", () => {
    expect(faultOf(new TypeError("it broke"))).toEqual({ code: -32_500, message: "TypeError: it broke" });
    expect(faultOf("just text")).toEqual({ code: -32_500, message: "Exception: just text" });
    expect(faultOf(new RpcError("NOT_FOUND", "gone", { reason: "MissingError" })).message).toBe("MissingError: gone");
    expect(faultOf(new RpcError("UNKNOWN", "wrapped", { cause: new RangeError("wrapped") })).message).toBe(
      "RangeError: wrapped",
    );
  });

  it("X25 appends the stack only when it is told to", () => {
    const thrown = new TypeError("it broke");
    expect(faultOf(thrown).message).not.toContain("    at ");
    expect(faultOf(thrown, { exposeStacks: true }).message).toMatch(/^TypeError: it broke\n[^]*    at /);
    expect(travelled(thrown, true, { exposeStacks: true })).toMatchObject({
      code: "UNKNOWN",
      message: "it broke",
      remoteStack: thrown.stack,
    });
  });

  it("keeps a fault that was thrown as it is", () => {
    const thrown = new FaultError(-32_601, 'NameError: method "x" is not supported');
    expect(faultOf(thrown)).toEqual({ code: -32_601, message: 'NameError: method "x" is not supported' });
  });

  it("say the same of a fault that was thrown, with headers and without", () => {
    for (const code of [-32_601, -32_602, -32_103, -32_001, -32_400, 42]) {
      const thrown = new FaultError(code, `NameError: method "x" is not supported`);
      const { code: status, reason, message, details, retryable, delivered } = travelled(thrown, false);
      expect(travelled(thrown, true)).toMatchObject({ code: status, reason, message, details, retryable, delivered });
    }
    // JSON-2 has no place for the code.
    const headers = statusHeaders(new FaultError(-32_601, "NameError: no model 'x' found"), undefined);
    expect(errorOf({ code: 0, message: "no model 'x' found" }, buy, headers)).toMatchObject({
      code: "UNIMPLEMENTED",
      reason: "METHOD_NOT_FOUND",
      message: "no model 'x' found",
      details: { faultCode: -32_601, faultString: "no model 'x' found" },
    });
  });

  it("tells an error that has no name of its own by its class", () => {
    class OutOfStock extends Error {}
    expect(faultOf(new OutOfStock("no tea")).message).toBe("OutOfStock: no tea");
    expect(faultOf(new RpcError("UNKNOWN", "no tea", { cause: new OutOfStock("no tea") })).message).toBe(
      "OutOfStock: no tea",
    );
    expect(faultOf(new (class extends Error {})("x")).message).toBe("Error: x");
    expect(faultOf(Object.assign(new Error("x"), { constructor: { name: "Evil: name" } })).message).toBe("Error: x");
  });

  it("says everything as CPython's own server does in its dialect", () => {
    const thrown = new FaultError(-32_601, 'NameError: method "x" is not supported');
    expect(faultOf(thrown, { python: true })).toEqual({
      code: 1,
      message: "<class 'Exception'>:method \"x\" is not supported",
    });
    expect(faultOf(new TypeError("no"), { python: true })).toEqual({ code: 1, message: "<class 'TypeError'>:no" });
  });

  it("X24 takes the application's own codes by class and by reason, the nearest class first", () => {
    class Warning extends Error {}
    class Grave extends Warning {}
    const codes = new Map<string | (abstract new (...args: never[]) => Error), number>([
      [Error, 900],
      [Warning, 901],
      ["SoldOut", 42],
    ]);
    expect(faultOf(new Grave("x"), { codes }).code).toBe(901);
    expect(faultOf(new TypeError("x"), { codes }).code).toBe(900);
    expect(faultOf(new RpcError("UNKNOWN", "x", { cause: new Warning("x") }), { codes }).code).toBe(900);
    expect(faultOf(new RpcError("NOT_FOUND", "x", { reason: "SoldOut" }), { codes }).code).toBe(42);
  });

  it("uses the names it is given", () => {
    const names = new Map([["UserError", "odoo.exceptions.UserError"]]);
    const thrown = new RpcError("FAILED_PRECONDITION", "no", { reason: "UserError" });
    expect(faultOf(thrown, { names }).message).toBe("odoo.exceptions.UserError: no");
    expect(travelled(thrown, true, { names })).toMatchObject({ message: "no", reason: "UserError" });
  });

  it("says something of whatever was thrown", () => {
    const hostile = Proxy.revocable({}, {});
    hostile.revoke();
    const nasty = new Error("x");
    Object.defineProperty(nasty, "name", {
      get() {
        throw new Error("gotcha");
      },
    });
    for (const thrown of [undefined, null, 7, Symbol("s"), hostile.proxy, nasty, { message: 1 }]) {
      expect(faultOf(thrown, { codes: new Map([[Error, 1]]), exposeStacks: true })).toMatchObject({
        code: expect.any(Number),
        message: expect.any(String),
      });
    }
  });
});

describe("X24 faults to errors", () => {
  it("leaves foreign codes alone", () => {
    expect(errorOf({ code: 4, message: "Too many parameters." }, buy)).toMatchObject({
      code: "UNKNOWN",
      message: "Too many parameters.",
      details: { faultCode: 4, faultString: "Too many parameters." },
    });
    expect(errorOf({ code: -32_050, message: "x" }, buy)).toMatchObject({ code: "UNKNOWN" });
  });

  it.for([
    [-32_700, "INVALID_ARGUMENT", "PARSE"],
    [-32_600, "INVALID_ARGUMENT", "INVALID_REQUEST"],
    [-32_601, "UNIMPLEMENTED", "METHOD_NOT_FOUND"],
    [-32_602, "INVALID_ARGUMENT", "INVALID_ARGUMENT"],
    [-32_400, "INTERNAL", "SYSTEM"],
    [-32_300, "UNAVAILABLE", "UNAVAILABLE"],
    [-32_102, "PERMISSION_DENIED", "AccessError"],
  ] as const)("knows the reserved code %i as %s", ([code, status, reason]) => {
    expect(errorOf({ code, message: "x" }, buy)).toMatchObject({ code: status, reason });
  });

  it("H129 keeps a code that was text, and knows the old names in it", () => {
    expect(errorOf({ code: -32_500, message: "", legacyCode: "warning -- UserError\n\nno" }, buy)).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "UserError",
      message: "test.Shop.buy: fault -32500 without a text",
      details: { faultCode: -32_500, faultString: "", legacyCode: "warning -- UserError\n\nno" },
    });
    expect(errorOf({ code: -32_500, message: "x", legacyCode: "4711" }, buy)).toMatchObject({ code: "UNKNOWN" });
  });
});

describe("C27 errors between two of ours", () => {
  it.for(Object.keys(STATUS_NUMBERS) as StatusCode[])("arrive whole: %s", (code) => {
    const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    for (const reason of [undefined, "BECAUSE", "weil: nötig"]) {
      const error = travelled(new RpcError(code, message, { reason }), true);
      expect(error).toMatchObject({ code, message, reason, retryable: code === "UNAVAILABLE", remoteStack: undefined });
    }
  });

  it("keep delivered, retryable and details, declared or not", () => {
    const details = { at: new Date(0), list: [1, "two", null], bytes: Uint8Array.of(1, 2) };
    const first = travelled(
      new RpcError("UNAVAILABLE", "busy", { delivered: "no", retryable: false, reason: "Odd", details }),
      true,
    );
    expect(first).toMatchObject({ delivered: "no", retryable: false });
    expect(first.details).toEqual(Object.assign(Object.create(null) as object, details));
    const second = travelled(Shop.buy.error("SoldOut", { item: "hat", left: 0 }), true);
    expect(second).toMatchObject({ code: "FAILED_PRECONDITION", reason: "SoldOut", details: { item: "hat", left: 0 } });
    expect(Shop.buy.isError(second, "SoldOut")).toBe(true);
  });

  it("go without details that are too long for a header", () => {
    const thrown = new RpcError("ABORTED", "x", { reason: "Odd", details: "d".repeat(10_000) });
    expect(travelled(thrown, true)).toMatchObject({ code: "ABORTED", reason: "Odd", details: undefined });
  });

  it("fall back to the fault where the header is broken", () => {
    const fault = { code: -32_601, message: "NameError: x" };
    for (const text of ["", "{", "[]", "null", "{}", '{"code":99}', '{"code":"9"}', '{"code":0}']) {
      expect(errorOf(fault, buy, { [STATUS_HEADER]: text })).toMatchObject({ code: "UNIMPLEMENTED" });
    }
    for (const range of ["[0]", "[-1,3]", "[9,3]", "[0,99]", '"x"', "[0.5,1]"]) {
      const headers = { [STATUS_HEADER]: `{"code":5,"text":${range}}` };
      expect(errorOf(fault, buy, headers)).toMatchObject({ code: "NOT_FOUND", message: "NameError: x" });
    }
  });
});
