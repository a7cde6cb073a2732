import { readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import {
  createMemoryTransport,
  createRouter,
  defineContract,
  dynamicRouter,
  forward,
  mergeRouters,
  serverStream,
  unary,
} from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createXmlRpcHandler, serveXmlRpc } from "../src/index.ts";
import { callXml, createDemo, faultIn, openNodeRig, sendTo, valueOf } from "./server-rig.ts";

const XML = { "content-type": "text/xml" };
const CALL = callXml("demo.Greeter.add", [1, 2]);

describe("serveXmlRpc", () => {
  it("tells the endpoint with the real port, and knows no peers", async () => {
    await using listener = await serveXmlRpc(createDemo().router);
    expect(listener.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/RPC2$/);
    expect(listener.peers.size).toBe(0);
    expect([...listener.peers]).toEqual([]);
    expect(listener.peers.random()).toBeUndefined();
    expect(listener.capabilities.duplex).toHaveProperty("unsupported");
    expect(listener.read()).toMatchObject([{ name: "rpc_http_calls_in_flight", value: 0 }]);
  });

  it("listens at another path", async () => {
    await using listener = await serveXmlRpc(createDemo().router, { endpoint: "http://localhost:0/api/rpc/" });
    expect(new URL(listener.endpoint).pathname).toBe("/api/rpc/");
    const port = Number(new URL(listener.endpoint).port);
    for (const [path, status] of [
      ["/api/rpc", 200],
      ["/api/rpc/", 200],
      ["/RPC2", 404],
    ] as const)
      expect((await sendTo(port, { path, headers: XML, body: CALL })).status).toBe(status);
  });

  it("refuses an address that is taken, and endpoints that are none", async () => {
    await using listener = await serveXmlRpc(createDemo().router);
    await expect(serveXmlRpc(createDemo().router, { endpoint: listener.endpoint })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    for (const endpoint of [
      "",
      "127.0.0.1:80",
      "tcp://127.0.0.1:80",
      "http://ada:secret@127.0.0.1:0",
      "http://127.0.0.1:0/?db=x",
    ]) {
      const error = await serveXmlRpc(createDemo().router, { endpoint }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(String(error)).not.toContain("secret");
    }
    for (const options of [
      { maxMessageBytes: -1 },
      { bodyTimeoutMs: 1.5 },
      { realm: 'a"b' },
      { maxConnections: Number.NaN },
    ])
      await expect(serveXmlRpc(createDemo().router, options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("exposes nobody by a forgotten option", async () => {
    const { router } = createDemo();
    await expect(serveXmlRpc(router, { endpoint: "http://0.0.0.0:0" })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
    });
    await expect(serveXmlRpc(router, { endpoint: "https://127.0.0.1:0" })).rejects.toThrow("needs the option tls");
    await expect(serveXmlRpc(router, { endpoint: "http://127.0.0.1:0", tls: {} })).rejects.toThrow(
      "not encrypted although",
    );
    await using open = await serveXmlRpc(router, { endpoint: "http://0.0.0.0:0", allowInsecure: true });
    expect(open.endpoint).toContain("0.0.0.0");
    const warnings: string[] = [];
    await using warned = await serveXmlRpc(router, {
      endpoint: "http://0.0.0.0:0",
      authenticate: () => "ada",
      onWarning: (message) => warnings.push(message),
    });
    expect(warned.endpoint).toContain("0.0.0.0");
    expect(warnings).toEqual([expect.stringContaining("passwords over plain HTTP")]);
  });

  it("X40 answers several calls on one connection", async () => {
    await using listener = await serveXmlRpc(createDemo().router);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve, reject) => {
        const request = httpRequest(listener.endpoint, { method: "POST", headers: XML, agent }, (response) => {
          ports.add(response.socket.localPort);
          response.resume().on("end", resolve);
        });
        request.on("error", reject).end(CALL);
      });
    }
    expect(ports.size).toBe(1);
    agent.destroy();
  });

  it("serves over TLS", async () => {
    const certificates = new URL("../../tcp/test/certificates/", import.meta.url);
    const pem = (name: string): string => readFileSync(new URL(name, certificates), "utf8");
    await using listener = await serveXmlRpc(createDemo().router, {
      endpoint: "https://127.0.0.1:0/RPC2",
      tls: { key: pem("server.key"), cert: pem("server.pem") },
    });
    expect(listener.endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/RPC2$/);
    const text = await new Promise<string>((resolve, reject) => {
      const options = { method: "POST", headers: XML, agent: false, ca: pem("authority.pem"), servername: "localhost" };
      const request = httpsRequest(listener.endpoint, options, (response) => {
        let received = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
        response.on("end", () => resolve(received));
      });
      request.on("error", reject).end(CALL);
    });
    expect(text).toContain("<double>3.0</double>");
  });

  it("lets running calls finish while it drains, with their connection's end in the reply", async () => {
    const demo = createDemo();
    const listener = await serveXmlRpc(demo.router);
    const port = Number(new URL(listener.endpoint).port);
    const entered = demo.entered();
    const running = sendTo(port, { headers: { ...XML, connection: "keep-alive" }, body: callXml("demo.Greeter.wait") });
    const context = await entered;
    const closing = listener.close({ drainMs: 10_000 });
    expect(context.signal.aborted).toBe(false);
    await expect(sendTo(port, { headers: XML, body: CALL })).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket hang up/);
    // The handler comes to its end.
    context.peer.disconnect();
    const got = await running;
    expect([got.status, got.headers["connection"]]).toEqual([200, "close"]);
    await closing;
    await listener.close();
  });

  it("ends what runs when the drain is over", async () => {
    const clock = createFakeClock();
    const demo = createDemo();
    const listener = await serveXmlRpc(demo.router, { clock });
    const port = Number(new URL(listener.endpoint).port);
    const entered = demo.entered();
    const running = sendTo(port, { headers: XML, body: callXml("demo.Greeter.wait") });
    const context = await entered;
    const closing = listener.close({ drainMs: 5_000 });
    clock.advance(5_000);
    expect(context.signal.reason).toMatchObject({ code: "UNAVAILABLE" });
    const got = await running;
    expect(got.text).toContain("-32001");
    await closing;
    expect(clock.pendingCount).toBe(0);
  });
});

describe("what can be served", () => {
  it("X05 finds contracts whose names have dots", async () => {
    const Partner = defineContract("res.partner", {
      read: unary({ input: z.object({ ids: z.array(z.int()) }), output: z.array(z.int()) }),
    });
    await using rig = await openNodeRig(createRouter(Partner, { read: ({ ids }) => ids }));
    expect(valueOf(await rig.call("res.partner.read", [[1, 2]]))).toEqual([1, 2]);
  });

  it("tells an unknown method from an unknown contract, and from what HTTP does not carry", async () => {
    const Other = defineContract("demo.Other", { count: serverStream({ output: z.int() }) });
    const router = mergeRouters(createDemo().router, createRouter(Other, { count: () => [1] }));
    await using rig = await openNodeRig(router);
    for (const [name, text] of [
      ["demo.Greeter.nope", 'method "demo.Greeter.nope" is not supported'],
      ["demo.Nope.x", 'contract "demo.Nope" is not served here'],
      ["demo.Other.count", "of kind serverStream, which HTTP does not carry"],
      ["nope", 'method "nope" is not supported'],
    ] as const) {
      const { code, message } = faultIn(await rig.call(name, []));
      expect([code, message]).toEqual([-32_601, expect.stringContaining(text)]);
    }
  });

  it("X15 finds nothing by names of JavaScript's own or private ones", async () => {
    const Private = defineContract("demo._hidden", { run: unary({}) });
    const router = mergeRouters(createDemo().router, createRouter(Private, { run: () => 1 }));
    await using rig = await openNodeRig(router);
    for (const name of [
      "constructor",
      "__proto__",
      "demo.Greeter.constructor",
      "demo.Greeter.__proto__",
      "toString",
      "demo._hidden.run",
      "dynamic.constructor",
    ])
      expect(faultIn(await rig.call(name, [])).code).toBe(-32_601);
  });

  it("serves commands by their bare names, with arguments by position and by name", async () => {
    const router = dynamicRouter();
    router.register({
      do_something: (...args: unknown[]) => args,
      boom: () => {
        throw new TypeError("bad luck");
      },
    });
    await using rig = await openNodeRig(router);
    expect(valueOf(await rig.call("do_something", [6, { foo: 4 }]))).toEqual([6, { foo: 4 }]);
    expect(valueOf(await rig.call("dynamic.do_something", []))).toEqual([]);
    expect(await rig.json({ jsonrpc: "2.0", method: "do_something", params: { foo: 4 }, id: 1 })).toMatchObject({
      result: [{ foo: 4 }],
    });
    expect(faultIn(await rig.call("boom", [])).message).toContain("bad luck");
    expect(valueOf(await rig.call("system.listMethods", []))).toContain("do_something");
  });

  it("is a gateway to whatever a transport reaches", async () => {
    const demo = createDemo();
    const transport = createMemoryTransport(demo.router);
    await using rig = await openNodeRig(forward(transport));
    expect(valueOf(await rig.call("demo.Greeter.hello", [{ name: "Ada", times: 2 }]))).toEqual({
      text: "hello Adahello Ada",
    });
    const date = new Date("2024-02-29T12:00:00Z");
    expect(
      valueOf(
        await rig.call("demo.Greeter.echo", [{ date, big: 2n ** 40n, bytes: new Uint8Array([1]), list: [null, 1.5] }]),
      ),
    ).toEqual({
      date,
      big: 2n ** 40n,
      bytes: new Uint8Array([1]),
      list: [null, 1.5],
    });
    expect(faultIn(await rig.call("demo.Greeter.nope", [])).code).toBe(-32_601);
    expect(faultIn(await rig.call("demo.Greeter.fail", [{ how: "declared" }])).message).toContain("Broken");
    await transport.close();
  });

  it("may be mounted in a server that is there, which keeps its other paths", async () => {
    const handler = createXmlRpcHandler(createDemo().router, { path: "/api/" });
    const response = await handler.fetch(new Request("http://x/api", { method: "POST", headers: XML, body: CALL }));
    expect(await response.text()).toContain("<double>3.0</double>");
    expect((await handler.fetch(new Request("http://x/", { method: "POST", headers: XML, body: CALL }))).status).toBe(
      404,
    );
    expect(() => createXmlRpcHandler(createDemo().router, { path: "api" })).toThrow("option path");
    await handler.close();
    const closed = await handler.fetch(new Request("http://x/api", { method: "POST", headers: XML, body: CALL }));
    expect(closed.status).toBe(503);
  });
});
