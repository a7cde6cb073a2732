import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, RpcError, unary } from "../src/index.ts";
import { Body, jsonEnvelopeCodec, STATUS_NUMBERS, type StatusCode } from "../src/transport.ts";
import { errorFromWire, wireErrorOf } from "../src/tools/wire-error.ts";
import { call, dialTo, failure, listen, memory, rawClient } from "./rig.ts";

/** An error after a way through the JSON envelope. */
function travelled(error: RpcError, exposeStacks = false): RpcError {
  const wire = wireErrorOf(error, undefined, exposeStacks);
  const envelope = jsonEnvelopeCodec.decode(
    jsonEnvelopeCodec.encode({ body: Body.Fail, id: 1, error: wire, metadata: undefined }),
  );
  if (envelope.body !== Body.Fail) throw new Error("not a Fail");
  return errorFromWire(envelope.error, undefined);
}

const Test = defineContract("test.Test", { run: unary() });

function throwing(thrown: unknown, exposeStacks = false): Promise<RpcError> {
  const router = createRouter(Test, {
    run: () => {
      throw thrown;
    },
  });
  return failure(createClient(Test, memory(router, { exposeStacks })).run());
}

describe("an error on its way to the caller", () => {
  it.each(Object.keys(STATUS_NUMBERS) as StatusCode[])(
    "keeps the code %s with message, reason and delivery",
    (code) => {
      const error = new RpcError(code, "what happened", { reason: "WHY", delivered: "unknown", retryable: true });
      expect(travelled(error)).toMatchObject({
        code,
        message: "what happened",
        reason: "WHY",
        delivered: "unknown",
        retryable: true,
      });
    },
  );

  it("keeps details of any dynamic value", () => {
    expect(travelled(new RpcError("ABORTED", "", { details: { at: new Date(5), big: 5n } })).details).toEqual({
      at: new Date(5),
      big: 5n,
    });
  });

  it("loses details that cannot travel, and arrives all the same", () => {
    expect(travelled(new RpcError("ABORTED", "still here", { details: () => 1 }))).toMatchObject({
      code: "ABORTED",
      message: "still here",
      details: undefined,
    });
  });

  it("loses its cause", () => {
    expect(travelled(new RpcError("ABORTED", "", { cause: new Error("/etc/secret") })).cause).toBeUndefined();
  });

  it("H49 keeps NUL, CR LF, tabs and characters beyond the BMP", () => {
    const message = "a\0b\r\nc\td \u{1f600} \u{10ffff} ü";
    expect(travelled(new RpcError("ABORTED", message)).message).toBe(message);
  });

  it("H49 is cut when its text is ten million characters long", async () => {
    const error = await throwing(new RpcError("ABORTED", "x".repeat(10_000_000)));
    expect(error.code).toBe("ABORTED");
    expect(error.message.length).toBeLessThan(70_000);
  });

  it("H49 is not broken by a cut in the middle of a character", () => {
    expect(
      travelled(new RpcError("ABORTED", `${"x".repeat(65_535)}\u{1f600}${"y".repeat(9)}`)).message.isWellFormed(),
    ).toBe(true);
  });

  it.each([0, 17, 999])(
    "H48 with the code number %d arrives as UNKNOWN with the number in its details",
    async (code) => {
      const { transport, peers } = dialTo();
      const failed = failure(createClient(Test, transport).run());
      await transport.ready();
      await peers[0]?.sendJson({ b: Body.Fail, id: 1, error: { code, message: "odd", p: "mine" } });
      expect(await failed).toMatchObject({ code: "UNKNOWN", message: "odd", details: { code } });
    },
  );

  it("H48 without a code arrives as UNKNOWN with its message", async () => {
    const { transport, peers } = dialTo();
    const failed = failure(createClient(Test, transport).run());
    await transport.ready();
    await peers[0]?.sendJson({ b: Body.Fail, id: 1, error: { message: "odd" } });
    expect(await failed).toMatchObject({ code: "UNKNOWN", message: "odd" });
  });

  it("has no details when the peer's cannot be decoded", async () => {
    const { transport, peers } = dialTo();
    const failed = failure(createClient(Test, transport).run());
    await transport.ready();
    await peers[0]?.sendJson({ b: Body.Fail, id: 1, error: { code: 5, message: "odd", p: { $bytes: 5 } } });
    expect(await failed).toMatchObject({ code: "NOT_FOUND", details: undefined });
  });
});

describe("what a handler throws", () => {
  class Hostile {
    get message(): string {
      throw new Error("no");
    }
  }
  const ring = new Error("ring");
  ring.cause = ring;
  let chain: Error = new Error("end");
  for (let i = 0; i < 10_000; i++) chain = new Error(`level ${i}`, { cause: chain });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();

  it.each([
    ["undefined", undefined],
    ["a string", "text"],
    ["a frozen object", Object.freeze({ code: "ABORTED" })],
    ["an object whose getters throw", new Hostile()],
    ["a revoked proxy", proxy],
    ["an error named constructor", Object.assign(new Error("m"), { name: "constructor" })],
  ])("H91 arrives as UNKNOWN: %s", async (_what, thrown) => {
    expect((await throwing(thrown)).code).toBe("UNKNOWN");
    expect((await throwing(thrown, true)).code).toBe("UNKNOWN");
  });

  it.each([
    ["a cyclic cause", ring, "ring"],
    ["a chain of ten thousand causes", chain, "level 9999"],
    [
      "an AggregateError of a hundred thousand",
      new AggregateError(
        Array.from({ length: 100_000 }, () => new Error("one")),
        "many",
      ),
      "many",
    ],
  ])("H92 arrives with its own message: %s", async (_what, thrown, message) => {
    expect(await throwing(thrown, true)).toMatchObject({ code: "UNKNOWN", message });
  });

  it("does not show its stack", async () => {
    const peer = await rawClient(listen(createRouter(Test, { run: () => Promise.reject(new Error("inner")) })));
    await peer.send(call(1, "test.Test.run"));
    expect(peer.of(Body.Fail)[0]?.error).toMatchObject({ message: "inner", stack: "" });
    expect(JSON.stringify(peer.received)).not.toContain("wire-error.test.ts");
  });

  it("shows the stack of what was thrown when exposeStacks is set", async () => {
    const error = await throwing(new TypeError("inner"), true);
    expect(error.remoteStack).toContain("TypeError: inner");
    expect(error.remoteStack).toContain("wire-error.test.ts");
  });

  it("shows no stack when exposeStacks is set and the error has none that can be read", async () => {
    const thrown = Object.defineProperty(new Error("m"), "stack", {
      get: () => {
        throw new Error("no stack");
      },
    });
    expect(await throwing(thrown, true)).toMatchObject({ code: "UNKNOWN", message: "m", remoteStack: undefined });
  });
});
