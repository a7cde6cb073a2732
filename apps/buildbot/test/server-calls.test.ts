import { EventEmitter, once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { duplexPair } from "node:stream";
import { expect, test, vi } from "vitest";
import { lineTo } from "../src/bot/line.ts";
import { type HttpParts, HttpServer } from "../src/server/http/http-server.ts";
import { TestClock } from "./test-clock.ts";

const CALL =
  "POST /rpc/bots HTTP/1.1\r\nHost: 192.0.2.7\r\nConnection: close\r\nAuthorization: Basic b25lOnNlY3JldA==\r\nContent-Length: 0\r\n\r\n";

async function answerTo(remoteAddress: string): Promise<string> {
  const botCalls = { node: (_: IncomingMessage, response: ServerResponse) => void response.end() };
  const { server } = new HttpServer({ origins: [], webFolder: "", botCalls } as unknown as HttpParts);
  const [near, far] = duplexPair();
  near.on("error", () => undefined);
  server.emit("connection", Object.assign(far, { remoteAddress }));
  near.write(CALL);
  const [first] = (await once(near, "data")) as [Buffer];
  near.destroy();
  return String(first).split("\r\n", 1)[0] ?? "";
}

test("a bot's secret is taken from no other machine without TLS", async () => {
  for (const address of ["192.0.2.8", "::ffff:192.0.2.8", "fd00::127.0.0.1"]) {
    expect(await answerTo(address)).toBe("HTTP/1.1 403 Forbidden");
  }
  for (const address of ["127.0.0.1", "::1"]) expect(await answerTo(address)).toBe("HTTP/1.1 200 OK");
});

test("one bot does not use up the calls of others", () => {
  const under: ServerResponse[] = [];
  const botCalls = { node: (_: IncomingMessage, response: ServerResponse) => void under.push(response) };
  const { server } = new HttpServer({ origins: [], webFolder: "", botCalls } as unknown as HttpParts);
  const call = (authorization: string) => {
    const request = {
      url: "/rpc/bots",
      headers: { host: "localhost", authorization },
      socket: { remoteAddress: "::1" },
    };
    const response = Object.assign(new EventEmitter(), { req: request, status: 0, writeHead: vi.fn(), end: vi.fn() });
    server.emit("request", request, response);
    return response;
  };
  for (let calls = 0; calls < 128; calls += 1) call("Basic b25l");
  expect(under).toHaveLength(128);
  expect(call("Basic b25l").writeHead).toHaveBeenCalledWith(429, expect.anything());
  call("Basic dHdv");
  expect(under).toHaveLength(129);
  under[0]?.emit("close");
  call("Basic b25l");
  expect(under).toHaveLength(130);
});

test("the way to a server is what its addresses say", async () => {
  const options = { identity: "one", secret: "secret", clock: new TestClock(), random: () => 0.5 };
  const ways = (...servers: string[]) => {
    const line = lineTo(servers, options);
    void line.transport.close();
    return [line.transport.endpoint, line.sessions.length, line.hasPlainCalls];
  };
  expect(ways("tcp://ci.example.com:9989")).toEqual(["tcp://ci.example.com:9989", 1, false]);
  expect(ways("wss://ci.example.com/")).toEqual(["wss://ci.example.com:443/ws/bots", 1, false]);
  expect(ways("https://ci.example.com/")).toEqual(["https://ci.example.com/rpc/bots", 0, true]);
  expect(ways("ws://127.0.0.1:8010")).toEqual(["ws://127.0.0.1:8010/ws/bots", 1, false]);
  expect(ways("http://[::1]:8010")).toEqual(["http://[::1]:8010/rpc/bots", 0, true]);
  const three = "tcp://a:1 or wss://b:443/ws/bots or https://b/rpc/bots";
  expect(ways("tcp://a:1", "wss://b", "https://b")).toEqual([three, 2, true]);
  for (const bad of ["", "ci.example.com", "ftp://x"]) expect(() => ways(bad)).toThrow("is no address of a server");
  expect(() => ways()).toThrow("is no address of a server");
  for (const open of [
    "http://ci.example.com",
    "http://127.0.0.1.example.com",
    "http://10.0.0.1",
    "ws://ci.example.com",
  ]) {
    expect(() => ways(open)).toThrow("only over https://");
    expect(() => ways("tcp://a:1", open)).toThrow("only over https://");
  }
});
