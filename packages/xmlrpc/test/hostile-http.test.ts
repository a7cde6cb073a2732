import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { serveXmlRpc, type XmlRpcListenerOptions } from "../src/index.ts";
import { callXml, connectTo, createDemo, type DemoState, sendTo } from "./server-rig.ts";

const XML = { "content-type": "text/xml" };

async function listen(
  options: XmlRpcListenerOptions = {},
): Promise<{ demo: DemoState; port: number } & AsyncDisposable> {
  const demo = createDemo();
  const listener = await serveXmlRpc(demo.router, options);
  return {
    demo,
    port: Number(new URL(listener.endpoint).port),
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

async function stillServes(port: number): Promise<void> {
  const got = await sendTo(port, { headers: XML, body: callXml("demo.Greeter.add", [1, 2]) });
  expect(got.text).toContain("<double>3.0</double>");
}

describe("hostile requests", () => {
  it("H132 refuses a body without length", async () => {
    await using server = await listen();
    const { socket, until } = await connectTo(server.port);
    socket.write("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n\r\n");
    expect(await until("\r\n\r\n")).toContain("HTTP/1.1 411 ");
    socket.destroy();
    await stillServes(server.port);
  });

  it.each([
    ["both a length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"],
    ["a length that is none", "Content-Length: 4x\r\n\r\nabcd"],
    ["a negative length", "Content-Length: -1\r\n\r\n"],
    ["a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"],
    ["a transfer coding that does not end in chunked", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
    ["a bare line feed in a chunk", "Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n"],
  ])("H132 closes on %s, and reads no second request out of it", async (_name, rest) => {
    await using server = await listen();
    const { socket, closed } = await connectTo(server.port);
    const smuggled = `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 3\r\n\r\nabc`;
    socket.write(`POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n${rest}${smuggled}`);
    const all = await closed;
    expect(all).toMatch(/^HTTP\/1\.1 400 /);
    expect(all.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(server.demo.runs).toBe(0);
    await stillServes(server.port);
  });

  it("H132 takes what follows a body that was announced too short for a broken request", async () => {
    await using server = await listen();
    const { socket, closed } = await connectTo(server.port);
    const body = callXml("demo.Greeter.hello", ["Ada"]);
    socket.write(`POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 10\r\n\r\n${body}`);
    const all = await closed;
    expect(all).toContain("HTTP/1.1 400 ");
    expect(server.demo.runs).toBe(0);
  });

  it("H133 says 413 before it has read the body, and tells a client that asks first", async () => {
    await using server = await listen({ maxMessageBytes: 1_000 });
    const plain = await connectTo(server.port);
    plain.socket.write("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 999999999\r\n\r\n");
    expect(await plain.until("bytes\n")).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i);
    plain.socket.destroy();
    const asking = await connectTo(server.port);
    asking.socket.write(
      "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n",
    );
    expect(await asking.until("bytes\n")).toMatch(/^HTTP\/1\.1 413 /);
    asking.socket.destroy();
    const welcome = await connectTo(server.port);
    const body = callXml("demo.Greeter.hello", ["Ada"]);
    welcome.socket.write(
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    expect(await welcome.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 100 /);
    welcome.socket.write(body);
    expect(await welcome.until("</methodResponse>")).toContain("hello Ada");
    welcome.socket.destroy();
  });

  it("H133 stops reading a chunked body at the limit", async () => {
    await using server = await listen({ maxMessageBytes: 1_000 });
    const { socket, closed, until } = await connectTo(server.port);
    socket.write("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    socket.write(chunk);
    expect(await until("bytes\n")).toMatch(/^HTTP\/1\.1 413 /);
    // Whoever goes on is cut off after a while.
    for (let written = 0; written < 1024 && !socket.destroyed; written++)
      await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
    await closed;
    await stillServes(server.port);
  });

  it("H135 refuses a head that is too large, and too many headers", async () => {
    await using server = await listen();
    for (const head of [
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(64 * 1024)}\r\n\r\n`,
      `POST /${"x".repeat(64 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(2_000)}Content-Length: 0\r\n\r\n`,
    ]) {
      const { socket, until } = await connectTo(server.port);
      socket.write(head);
      expect(await until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 431 /);
      socket.destroy();
    }
    await stillServes(server.port);
  });

  it("H137 gives up on a body that takes too long with 408, and runs nothing", async () => {
    const clock = createFakeClock();
    await using server = await listen({ clock, bodyTimeoutMs: 30_000 });
    const { socket, until } = await connectTo(server.port);
    const body = callXml("demo.Greeter.hello", ["Ada"]);
    socket.write(
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
    );
    // A half-sent body holds up nobody. What comes second is answered second, so the first one's head is there as well.
    await stillServes(server.port);
    clock.advance(29_999);
    await stillServes(server.port);
    clock.advance(1);
    expect(await until("time\n")).toMatch(/^HTTP\/1\.1 408 /);
    expect(server.demo.runs).toBe(0);
    socket.destroy();
  });

  it("H137 gives up on a head that takes too long with 408", async () => {
    // Node keeps this time itself; it is as short as can be.
    await using server = await listen({ headersTimeoutMs: 1 });
    const { socket, closed } = await connectTo(server.port);
    socket.write("POST /RPC2 HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("H137 runs nothing for a client that is gone in mid-body", async () => {
    await using server = await listen();
    const { socket } = await connectTo(server.port);
    socket.write(
      "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<methodCall>",
    );
    await stillServes(server.port);
    socket.destroy();
    await stillServes(server.port);
    expect(server.demo.runs).toBe(0);
  });

  it("H137 aborts the handler of a client that is gone in mid-call, and writes nothing any more", async () => {
    await using server = await listen();
    const { socket } = await connectTo(server.port);
    const entered = server.demo.entered();
    const body = callXml("demo.Greeter.wait");
    socket.write(
      `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const { signal } = await entered;
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
    socket.destroy();
    await aborted;
    expect(signal.reason).toMatchObject({ code: "CANCELLED" });
    await stillServes(server.port);
  });

  it("answers several requests of one connection in order, also when they come at once", async () => {
    await using server = await listen();
    const { socket, until } = await connectTo(server.port);
    const request = (name: string): string => {
      const body = callXml("demo.Greeter.hello", [name]);
      return `POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    socket.write(request("one") + request("two") + request("three"));
    const all = await until("hello three");
    expect(all.match(/hello \w+/g)).toEqual(["hello one", "hello two", "hello three"]);
    socket.destroy();
  });

  it("serves a target that names the whole URL, as proxies may send it", async () => {
    await using server = await listen();
    const got = await sendTo(server.port, {
      path: "http://x/RPC2",
      headers: XML,
      body: callXml("demo.Greeter.add", [1, 2]),
    });
    expect(got.status).toBe(200);
  });

  it("H139 finds no path by climbing, by zero bytes or by quotes", async () => {
    await using server = await listen();
    for (const path of [
      "/RPC2/../RPC2",
      "/RPC2/%00",
      "/RPC2/'x",
      "/./RPC2",
      "//RPC2",
      "/RPC2%2f",
      "/%52PC2",
      "http://x/RPC",
      "*",
    ]) {
      const got = await sendTo(server.port, { path, headers: XML, body: callXml("demo.Greeter.add", [1, 2]) });
      expect(got.status).toBe(404);
    }
  });
});
