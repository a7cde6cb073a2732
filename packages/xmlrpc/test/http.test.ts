import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import type { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { ADAPTERS, callXml, createDemo, faultIn, valueOf } from "./server-rig.ts";

const XML = { "content-type": "text/xml" };

describe.each(ADAPTERS)("X41 over %s", (adapter, open) => {
  it("answers at the path, at the path with a slash, and nowhere else", async () => {
    await using rig = await open(createDemo().router);
    const body = callXml("demo.Greeter.hello", ["Ada"]);
    for (const path of ["/RPC2", "/RPC2/", "/RPC2?db=x"])
      expect((await rig.send({ path, headers: XML, body })).status).toBe(200);
    for (const path of ["/", "/RPC", "/rpc2", "/RPC2/x", "/RPC2//"]) {
      const got = await rig.send({ path, headers: XML, body });
      expect([got.status, got.headers["content-type"]]).toEqual([404, "text/plain; charset=utf-8"]);
    }
  });

  it("H136 refuses all methods but POST with 405 and Allow", async () => {
    await using rig = await open(createDemo().router);
    for (const method of ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]) {
      const got = await rig.send({ method });
      expect([got.status, got.headers["allow"]]).toEqual([405, "POST"]);
      expect(got.text === "").toBe(method === "HEAD");
    }
  });

  it("H136 X22 refuses what a browser's form could send with 415 and the list of what is read", async () => {
    await using rig = await open(createDemo().router);
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "text/html",
      "text/xmlx",
    ]) {
      const got = await rig.send({ headers: { "content-type": type }, body: callXml("demo.Greeter.hello", ["Ada"]) });
      expect(got.status).toBe(415);
      expect(got.text).toBe(
        `${type.split(";")[0]} mime type not supported by /RPC2, request may be either XML-RPC as text/xml or JSON-RPC 2.0 as application/json.\n`,
      );
      const accept = got.headers["accept"] ?? "";
      for (const one of ["text/xml;charset=utf-8", "application/xml;charset=utf-16", "application/json;charset=utf-8"])
        expect(accept).toContain(one);
    }
    const none = await rig.send({ headers: { "content-type": "" }, body: "x" });
    expect(none.status).toBe(415);
  });

  it("takes text/xml and application/xml with any parameters, in any case", async () => {
    await using rig = await open(createDemo().router);
    for (const type of [
      "text/xml",
      "application/xml",
      "Text/XML; charset=UTF-8",
      'application/xml;charset="us-ascii"',
    ]) {
      const got = await rig.send({ headers: { "content-type": type }, body: callXml("demo.Greeter.hello", ["Ada"]) });
      expect([got.status, got.headers["content-type"]]).toEqual([200, "text/xml; charset=utf-8"]);
      expect(got.headers["content-length"]).toBe(String(got.body.length));
    }
  });

  it("refuses JSON where JSON-RPC is off", async () => {
    await using rig = await open(createDemo().router, { jsonRpc: false });
    const got = await rig.send({ headers: { "content-type": "application/json" }, body: "{}" });
    expect(got.status).toBe(415);
    expect(got.headers["accept"]).not.toContain("json");
  });

  it("H133 refuses an announced body over the limit, and one that turns out too large", async () => {
    await using rig = await open(createDemo().router, { maxMessageBytes: 200 });
    const body = `<!-- ${"x".repeat(200)} -->`;
    expect((await rig.send({ headers: XML, body })).status).toBe(413);
    const chunked = adapter === "node:http" ? { "transfer-encoding": "chunked" } : {};
    expect((await rig.send({ headers: { ...XML, ...chunked }, body })).status).toBe(413);
    // The next one is served.
    expect(valueOf(await rig.call("demo.Greeter.add", [1, 2]))).toBe(3);
  });

  it("X40 reads gzip, deflate and deflate without its header", async () => {
    await using rig = await open(createDemo().router);
    const body = callXml("demo.Greeter.hello", ["Ada"]);
    for (const [coding, packed] of [
      ["gzip", gzipSync(body)],
      ["x-gzip", gzipSync(body)],
      ["GZIP", gzipSync(body)],
      ["deflate", deflateSync(body)],
      ["deflate", deflateRawSync(body)],
      ["identity", Buffer.from(body)],
    ] as const) {
      const got = await rig.send({ headers: { ...XML, "content-encoding": coding }, body: packed });
      expect(got.text).toContain("hello Ada");
    }
  });

  it("X40 packs replies above 1400 bytes for who takes that", async () => {
    await using rig = await open(createDemo().router);
    const body = callXml("demo.Greeter.echo", ["ä".repeat(2_000)]);
    const ask = async (accept: string) => rig.send({ headers: { ...XML, "accept-encoding": accept }, body });
    const gzip = await ask("deflate, gzip");
    expect([gzip.headers["content-encoding"], gzip.headers["vary"]]).toEqual(["gzip", "accept-encoding"]);
    expect(gzip.headers["content-length"]).toBe(String(gzip.body.length));
    expect(gunzipSync(gzip.body).toString()).toContain("ä".repeat(2_000));
    const deflate = await ask("deflate");
    expect(inflateSync(deflate.body).toString()).toContain("ä".repeat(2_000));
    for (const accept of ["gzip;q=0", "br", ""])
      expect((await ask(accept)).headers["content-encoding"]).toBeUndefined();
    const small = await rig.send({
      headers: { ...XML, "accept-encoding": "gzip" },
      body: callXml("demo.Greeter.add", [1, 2]),
    });
    expect(small.headers["content-encoding"]).toBeUndefined();
    const large = await rig.send({
      headers: { ...XML, "accept-encoding": "gzip" },
      body: callXml("demo.Greeter.echo", ["y".repeat(100_000)]),
    });
    expect(gunzipSync(large.body).length).toBeGreaterThan(100_000);
  });

  it("packs nothing when compression is off", async () => {
    await using rig = await open(createDemo().router, { compression: false });
    const got = await rig.send({
      headers: { ...XML, "accept-encoding": "gzip" },
      body: callXml("demo.Greeter.echo", ["y".repeat(2_000)]),
    });
    expect(got.headers["content-encoding"]).toBeUndefined();
  });

  it("H134 refuses bombs, truncated and unknown codings", async () => {
    await using rig = await open(createDemo().router, { maxInflatedBytes: 1_000_000 });
    const send = async (coding: string, body: Uint8Array) =>
      (await rig.send({ headers: { ...XML, "content-encoding": coding }, body })).status;
    const bomb = gzipSync(Buffer.alloc(3_000_000, " "));
    expect(await send("gzip", bomb)).toBe(413);
    expect(await send("deflate", deflateSync(Buffer.alloc(3_000_000, " ")))).toBe(413);
    // Within the size, beyond the ratio.
    expect(await send("gzip", gzipSync(Buffer.alloc(900_000, " ")))).toBe(413);
    expect(await send("gzip", gzipSync("x".repeat(5_000)).subarray(0, 20))).toBe(400);
    expect(await send("gzip", Buffer.from("no gzip at all"))).toBe(400);
    expect(await send("deflate", Buffer.from("no deflate at all"))).toBe(400);
    for (const coding of ["br", "compress", "gzip, gzip", "identity, gzip"])
      expect(await send(coding, gzipSync(callXml("demo.Greeter.add", [1, 2])))).toBe(415);
    expect(await send("gzip", gzipSync(gzipSync(callXml("demo.Greeter.add", [1, 2]))))).toBe(200);
    expect(valueOf(await rig.call("demo.Greeter.add", [1, 2]))).toBe(3);
  });

  it("answers what cannot be read with 200 and a fault, or by status with faultStatus rpc2", async () => {
    const cases = [
      ["text/xml", "<methodCall>", -32700, 400],
      ["text/xml", "<methodResponse><params></params></methodResponse>", -32600, 400],
      ["text/xml; charset=ansi", callXml("x"), -32701, 415],
      ["text/xml; charset=us-ascii", "<methodCall><methodName>ä</methodName></methodCall>", -32702, 400],
      ["application/json", "{", -32700, 400],
      ["application/json", "[]", -32600, 400],
      ["application/json; charset=ansi", "{}", -32701, 415],
    ] as const;
    for (const faultStatus of ["always200", "rpc2"] as const) {
      await using rig = await open(createDemo().router, { faultStatus });
      for (const [type, body, code, status] of cases) {
        const got = await rig.send({ headers: { "content-type": type }, body });
        expect(got.status).toBe(faultStatus === "rpc2" ? status : 200);
        expect(got.text).toContain(String(code));
        expect(got.headers["accept"]?.includes("text/xml;charset=utf-8")).toBe(got.status === 415 ? true : undefined);
      }
      // A call that fails is a 200 in any case.
      expect((await rig.send({ headers: XML, body: callXml("nothing.here") })).status).toBe(200);
    }
  });

  it("carries metadata both ways as headers", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router);
    const got = await rig.send({
      headers: { ...XML, "x-rpc-meta-echo": "gr%C3%BC%C3%9Fe" },
      body: callXml("demo.Greeter.hello", ["Ada"]),
    });
    expect(got.headers["x-rpc-meta-echo"]).toBe("gr%C3%BC%C3%9Fe");
  });

  it("says that there is no output, where the wire has no word for it", async () => {
    await using rig = await open(createDemo().router);
    const got = await rig.send({ headers: XML, body: callXml("demo.Greeter.nothing") });
    expect(got.headers["x-rpc-no-output"]).toBe("1");
    expect(got.text).toContain("<nil/>");
    await using strict = await open(createDemo().router, { profile: "strict" });
    expect((await strict.send({ headers: XML, body: callXml("demo.Greeter.nothing") })).text).toContain("<boolean>1<");
  });

  it("fails a call whose time is over, and aborts its handler's signal", async () => {
    const clock = createFakeClock();
    const demo = createDemo();
    await using rig = await open(demo.router, { clock });
    const entered = demo.entered();
    const reply = rig.call("demo.Greeter.wait", [], { "x-rpc-timeout-ms": "1000" });
    const context = await entered;
    expect(context.deadline).toBe(clock.now() + 1_000);
    clock.advance(1_000);
    expect(faultIn(await reply)).toMatchObject({ code: -32_004 });
    expect(context.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(faultIn(await rig.call("demo.Greeter.wait", [], { "x-rpc-timeout-ms": "0" })).code).toBe(-32_004);
  });

  it("holds a method's own timeoutMs, for callers who have no contract", async () => {
    const clock = createFakeClock();
    const demo = createDemo();
    await using rig = await open(demo.router, { clock });
    const entered = demo.entered();
    const reply = rig.call("demo.Greeter.slow", [], { "x-rpc-timeout-ms": "9000" });
    await entered;
    clock.advance(500);
    expect(faultIn(await reply).code).toBe(-32_004);
  });

  it("H137 X40 aborts the handler's signal when the client is gone", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router);
    const controller = new AbortController();
    const entered = demo.entered();
    const body = callXml("demo.Greeter.wait");
    const lost = rig.send({ headers: XML, body, signal: controller.signal }).catch(() => undefined);
    const context = await entered;
    const aborted = new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    controller.abort();
    await aborted;
    expect(context.signal.reason).toMatchObject({ code: "CANCELLED" });
    expect(context.peer.connected).toBe(false);
    await lost;
  });

  it("answers a repeated idempotency key without running the handler again", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router, { authenticate: ({ user }) => user });
    const headers = { authorization: `Basic ${btoa("ada:x")}`, "idempotency-key": "k1" };
    for (let i = 0; i < 2; i++)
      expect(valueOf(await rig.call("demo.Greeter.hello", ["Ada"], headers))).toEqual({ text: "hello Ada" });
    expect(demo.runs).toBe(1);
    expect(faultIn(await rig.call("demo.Greeter.hello", ["Bob"], headers)).message).toContain("idempotency key");
  });

  it("refuses what is beyond maxConcurrentCalls with 503, until handlers have settled", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router, { maxConcurrentCalls: 1 });
    const entered = demo.entered();
    const first = rig.call("demo.Greeter.wait", []);
    const context = await entered;
    const got = await rig.send({ headers: XML, body: callXml("demo.Greeter.add", [1, 2]) });
    expect([got.status, got.headers["retry-after"]]).toEqual([503, "1"]);
    context.peer.disconnect();
    expect(faultIn(await first).code).toBe(-32_005);
    expect(valueOf(await rig.call("demo.Greeter.add", [1, 2]))).toBe(3);
  });

  it("tells the log of an unexpected error, with the id that the reply carries, and the caller no stack", async () => {
    const errors: RpcError[] = [];
    await using rig = await open(createDemo().router, { onError: (error) => errors.push(error) });
    const got = await rig.send({ headers: XML, body: callXml("demo.Greeter.fail", ["badly"]) });
    expect(got.text).toContain("TypeError: bad luck");
    expect(got.text).not.toContain("server-rig");
    expect(errors[0]?.message).toBe(`demo.Greeter.fail (call ${got.headers["x-rpc-call-id"]}): bad luck`);
    await rig.call("demo.Greeter.fail", ["declared"]);
    await rig.call("demo.Greeter.fail", ["status"]);
    expect(errors).toHaveLength(1);
    await using open_ = await open(createDemo().router, { exposeStacks: true });
    expect(faultIn(await open_.call("demo.Greeter.fail", ["badly"])).message).toContain("server-rig");
  });

  it("says 503 to who comes while it closes, and ends what runs", async () => {
    const demo = createDemo();
    const rig = await open(demo.router);
    const entered = demo.entered();
    const running = rig.call("demo.Greeter.wait", []).catch((error: unknown) => error);
    const context = await entered;
    const closing = rig.close(0);
    expect(context.signal.reason).toMatchObject({ code: "UNAVAILABLE" });
    await running;
    await closing;
  });
});
