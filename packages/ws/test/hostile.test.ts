import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { deflateRawSync } from "node:zlib";
import { createClient, type RpcError } from "@rpc/core";
import { Body, DEFAULT_LIMITS, jsonEnvelopeCodec } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, vi } from "vitest";
import {
  bareSocket,
  caught,
  frame,
  Greeter,
  rawWebSocket,
  serving,
  transportTo,
  turns,
  upgrade,
  type UpgradeOptions,
} from "./rig.ts";

const LONG = "a".repeat(1_000_000);

/** The first message of a client without proofs. */
function hello(limits?: { maxMessageBytes: number }): Uint8Array {
  return jsonEnvelopeCodec.encode({
    body: Body.Hello,
    versions: [1],
    nonce: randomBytes(32),
    instanceId: randomBytes(16),
    principal: "",
    mechanisms: ["none"],
    binding: "none",
    limits: limits === undefined ? undefined : { ...limits, maxCalls: 0, heartbeatMs: 0, aliveMs: 0 },
    features: [],
    resume: undefined,
    software: "",
  });
}

async function served(endpoint: string): Promise<void> {
  expect(await createClient(Greeter, transportTo(endpoint)).echo("others")).toBe("others");
}

describe("upgrades that are none", () => {
  it.each<[string, UpgradeOptions, number]>([
    ["without a key", { headers: { "Sec-WebSocket-Key": undefined } }, 400],
    ["with a key that is none", { headers: { "Sec-WebSocket-Key": "short" } }, 400],
    ["with two keys", { lines: ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="] }, 400],
    ["with version 12", { headers: { "Sec-WebSocket-Version": "12" } }, 400],
    ["without a version", { headers: { "Sec-WebSocket-Version": undefined } }, 400],
    ["to another protocol", { headers: { Upgrade: "h2c" } }, 400],
    ["by POST", { method: "POST" }, 405],
    ["at another path", { path: "/other" }, 404],
    ["at a path that only begins like ours", { path: "/rpc/../rpc2" }, 404],
    ["without a subprotocol", { headers: { "Sec-WebSocket-Protocol": undefined } }, 400],
    ["with a foreign subprotocol", { headers: { "Sec-WebSocket-Protocol": "graphql-ws, soap" } }, 400],
    ["with a subprotocol that is not served here", { headers: { "Sec-WebSocket-Protocol": "rpc.v1.protobuf" } }, 400],
    [
      "with a subprotocol of thousands of spaces",
      { headers: { "Sec-WebSocket-Protocol": `a${" ".repeat(9_000)}b` } },
      400,
    ],
  ])("H144 are refused %s", async (_name, options, status) => {
    const { endpoint } = await serving({ endpoint: "ws://127.0.0.1:0/rpc" });
    const { socket, status: got } = await upgrade(endpoint, options);
    expect(got).toBe(status);
    if (!socket.closed) await once(socket.resume(), "close");
    await served(endpoint);
  });

  it.each([
    ["2,000 headers", Array.from({ length: 2_000 }, (_, i) => `X-${i}: 1`)],
    ["a header of 64 KiB", [`X-Long: ${"x".repeat(65_536)}`]],
  ])("H144 leave the server alive with %s", async (_name, lines) => {
    const { endpoint } = await serving();
    const { status } = await upgrade(endpoint, { lines });
    // Refused with bytes unread, a connection is reset: the answer may not arrive.
    expect([101, 431, 0]).toContain(status);
    await served(endpoint);
  });

  it("are answered 426 when they are plain requests", async () => {
    const { endpoint } = await serving();
    const response = await fetch(endpoint.replace("ws:", "http:"));
    expect([response.status, await response.text()]).toEqual([426, "this server speaks WebSocket"]);
  });

  it("H22 H18 lose their connection after unauthenticatedTimeoutMs", async () => {
    const clock = createFakeClock();
    const { endpoint } = await serving({ clock });
    const silent = await Promise.all(Array.from({ length: 50 }, () => bareSocket(endpoint)));
    await vi.waitUntil(() => clock.pendingCount >= 50);
    await served(endpoint);
    const gone = silent.map((socket) => once(socket.resume(), "close"));
    clock.advance(DEFAULT_LIMITS.unauthenticatedTimeoutMs);
    expect(await Promise.all(gone)).toHaveLength(50);
  });

  it("H18 are refused beyond maxConnections, and the next is taken when one has gone", async () => {
    const reports: RpcError[] = [];
    const { endpoint } = await serving({ maxConnections: 1, onError: (error) => reports.push(error) });
    const first = transportTo(endpoint);
    await first.ready();
    expect((await caught(transportTo(endpoint, { reconnect: { minMs: 5 } }).ready())).code).toBe("UNAVAILABLE");
    expect(reports[0]).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxConnections" });
    await first.close();
    await vi.waitUntil(
      async () =>
        await transportTo(endpoint)
          .ready()
          .then(
            () => true,
            () => false,
          ),
    );
  });
});

describe("pages", () => {
  const HERE = "http://127.0.0.1";
  it.each<[string, string | undefined, string | undefined, readonly string[] | "*" | undefined, number]>([
    ["no browser", undefined, undefined, undefined, 101],
    ["no browser, where pages are listed", undefined, undefined, ["https://app.example.com"], 101],
    ["a page of this host and port", `${HERE}:PORT`, undefined, undefined, 101],
    ["a page of this host behind a TLS terminator", "https://localhost:PORT", "localhost:PORT", undefined, 101],
    ["a page of another port", `${HERE}:1`, undefined, undefined, 403],
    ["a foreign page", "https://evil.example", undefined, undefined, 403],
    ["a page without an origin of its own", "null", undefined, undefined, 403],
    ["an origin that is none", "127.0.0.1:PORT", undefined, undefined, 403],
    ["a foreign name that leads here (DNS rebinding)", "http://evil.example:PORT", "evil.example:PORT", undefined, 403],
    ["a listed page", "https://app.example.com", undefined, ["https://app.example.com/"], 101],
    ["a page of this host that is not on the list", `${HERE}:PORT`, undefined, ["https://app.example.com"], 403],
    [
      "a page whose name begins like a listed one",
      "https://app.example.com.evil.example",
      undefined,
      ["https://app.example.com"],
      403,
    ],
    ["a listed null", "null", undefined, ["null"], 101],
    ["any page, where all may", "https://evil.example", undefined, "*", 101],
  ])("H145 %s", async (_name, origin, host, origins, status) => {
    const reports: RpcError[] = [];
    const { endpoint } = await serving({ origins, onError: (error) => reports.push(error) });
    const { port } = new URL(endpoint);
    const here = (text: string | undefined): string | undefined => text?.replace("PORT", port);
    const headers = { Origin: here(origin), ...(host === undefined ? {} : { Host: here(host) }) };
    const { status: got, socket } = await upgrade(endpoint, { headers });
    expect(got).toBe(status);
    expect(reports.map(({ reason }) => reason)).toEqual(status === 403 ? ["ORIGIN"] : []);
    socket.destroy();
  });

  it.each(["app.example.com", "https://app.example.com/path", "", "*"])("are not listed as %j", async (origin) => {
    expect((await caught(serving({ origins: [origin] }))).code).toBe("INVALID_ARGUMENT");
  });

  it("H146 prove nothing by a cookie", async () => {
    const { endpoint } = await serving({ secret: "correct horse battery staple" });
    const { socket, log } = await rawWebSocket(endpoint, {
      headers: { Cookie: "secret=correct horse battery staple" },
    });
    socket.write(frame(hello()));
    await log.ended;
    expect(String(log.frames[0]?.payload)).toContain('"b":10');
  });
});

describe("frames of a peer that keeps no rules", () => {
  const MASKED = { masked: true };
  it.each<[string, Buffer, number]>([
    ["H142 that are not masked", frame("{}", { masked: false }), 1002],
    ["H142 with reserved bit 1", frame("{}", { rsv: 4 }), 1002],
    ["H142 with reserved bit 2", frame("{}", { rsv: 2 }), 1002],
    ["H142 with reserved bit 3", frame("{}", { rsv: 1 }), 1002],
    ["H142 of opcode 3", frame("{}", { opcode: 3 }), 1002],
    ["H142 of opcode 15", frame("{}", { opcode: 15 }), 1002],
    ["H142 that go on with nothing", frame("{}", { opcode: 0 }), 1002],
    ["H142 that begin a message inside another", Buffer.concat([frame("{", { fin: false }), frame("{}")]), 1002],
    ["H142 with a ping of 126 bytes", frame("x".repeat(126), { opcode: 9 }), 1002],
    ["H142 with a ping in fragments", frame("x", { opcode: 9, fin: false }), 1002],
    ["H142 with text that is no UTF-8", frame(Buffer.from([0xc3, 0x28])), 1007],
    ["H142 with a surrogate in UTF-8", frame(Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ["H147 with bytes where text was agreed", frame("{}", { opcode: 2 }), 1003],
    ["H148 with close code 0", frame(Buffer.from([0, 0]), { opcode: 8 }), 1002],
    ["H148 with close code 999", frame(Buffer.from([3, 231]), { opcode: 8 }), 1002],
    ["H148 with close code 1005", frame(Buffer.from([3, 237]), { opcode: 8 }), 1002],
    ["H148 with close code 1006", frame(Buffer.from([3, 238]), { opcode: 8 }), 1002],
    ["H148 with close code 5000", frame(Buffer.from([0x13, 0x88]), { opcode: 8 }), 1002],
    ["H148 with a close of one byte", frame("x", { opcode: 8 }), 1002],
    ["H148 with a close reason that is no UTF-8", frame(Buffer.from([3, 232, 0xff]), { opcode: 8 }), 1007],
    ["H05 of a message of 1 KiB and a byte before the handshake", frame("x".repeat(1025)), 1009],
    ["H05 of a message beyond maxMessageBytes", frame("x", { length: 4 * 1024 * 1024 + 1 }), 1009],
    ["H06 of a message of 2^62 bytes", frame("x", { length: 2 ** 62 }), 1009],
    ["H143 of one message in ever more empty fragments", fragments(1_100), 1009],
    [
      "H63 of a flood of pings",
      Buffer.concat(Array.from({ length: 60 }, () => frame("", { ...MASKED, opcode: 9 }))),
      1008,
    ],
  ])("end the connection: %s", async (_name, bytes, code) => {
    const reports: RpcError[] = [];
    const { endpoint } = await serving({ onError: (error) => reports.push(error) });
    const { socket, log } = await rawWebSocket(endpoint);
    socket.write(bytes);
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect(log.closeCode).toBe(code);
    socket.end();
    await served(endpoint);
    expect(reports.length).toBeLessThanOrEqual(1);
  });

  it("H147 end the connection where bytes were agreed and text comes", async () => {
    const { endpoint } = await serving({ codecs: [protobufEnvelopeCodec] });
    const { socket, log } = await rawWebSocket(endpoint, { headers: { "Sec-WebSocket-Protocol": "rpc.v1.protobuf" } });
    socket.write(frame("{}"));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect(log.closeCode).toBe(1003);
    socket.destroy();
  });

  it("H21 are not collected beyond 1 KiB for somebody whom nobody knows", async () => {
    const { endpoint } = await serving();
    const { socket, log } = await rawWebSocket(endpoint);
    // A message of a size that is allowed later; it never gets complete.
    socket.write(frame("x".repeat(10_000), { length: 1_000_000 }));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect(log.closeCode).toBe(1009);
    socket.destroy();
  });

  it("H143 end the connection of somebody known whose message has more fragments than maxFragments", async () => {
    const { endpoint } = await serving({ maxFragments: 10 });
    const { socket, log } = await rawWebSocket(endpoint);
    socket.write(frame(hello()));
    await vi.waitUntil(() => log.frames.length === 2);
    socket.write(fragments(11));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect(log.closeCode).toBe(1008);
    socket.destroy();
  });

  it("H143 are served in fragments, one byte each", async () => {
    const { endpoint } = await serving();
    const { socket, log } = await rawWebSocket(endpoint);
    const text = Buffer.from(hello());
    for (const [i, byte] of text.entries())
      socket.write(frame(Buffer.of(byte), { opcode: i === 0 ? 1 : 0, fin: i === text.length - 1 }));
    await vi.waitUntil(() => log.frames.length >= 2);
    expect(log.frames.map(({ payload }) => (JSON.parse(String(payload)) as { b: number }).b)).toEqual([4, 6]);
    socket.destroy();
  });

  it("H01 are served when they come one by one, with pings in between", async () => {
    const { endpoint } = await serving();
    const { socket, log } = await rawWebSocket(endpoint);
    const bytes = Buffer.concat([frame("here", { opcode: 9 }), frame(hello())]);
    for (const byte of bytes) {
      socket.write(Buffer.of(byte));
      await turns(1);
    }
    await vi.waitUntil(() => log.frames.length >= 3);
    expect(log.frames.map(({ opcode }) => opcode)).toEqual([10, 1, 1]);
    expect(String(log.frames[0]?.payload)).toBe("here");
    socket.destroy();
  });

  it("H148 are ignored behind a close frame, which is answered", async () => {
    const { endpoint } = await serving();
    const { socket, log } = await rawWebSocket(endpoint);
    socket.write(Buffer.concat([frame(Buffer.from([3, 232]), { opcode: 8 }), frame(hello())]));
    await log.ended;
    expect(log.frames.map(({ opcode }) => opcode)).toEqual([8]);
  });

  it("H14 H16 leave the others alone when they stop in the middle and reset", async () => {
    const listener = await serving();
    const { socket } = await rawWebSocket(listener.endpoint);
    socket.write(frame("x", { length: 500 }), () => socket.resetAndDestroy());
    await turns(5);
    await served(listener.endpoint);
    expect([...listener.peers]).toHaveLength(1);
  });

  it("H151 hear no more than a word as the reason of a close", async () => {
    const { endpoint } = await serving();
    const { socket, log } = await rawWebSocket(endpoint);
    socket.write(frame(`{"b":3,"oops":"${"x".repeat(500)}"}`));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect([log.closeCode, log.closeText]).toEqual([1000, "VERSION"]);
    socket.destroy();
  });

  it("H17 H64 H150 lose their connection when they read nothing more, and others are served meanwhile", async () => {
    const clock = createFakeClock();
    const listener = await serving({ clock, resumeWindowMs: 0 });
    const { socket } = await rawWebSocket(listener.endpoint);
    socket.write(frame(hello()));
    await vi.waitUntil(() => [...listener.peers].length === 1);
    socket.pause();
    const call = { b: 16, method: "demo.Greeter.echo", p: "x".repeat(100_000) };
    for (let id = 1; id < 400; id += 2) socket.write(frame(JSON.stringify({ ...call, id })));
    await turns(30);
    await served(listener.endpoint);
    const isThere = (): boolean =>
      [...listener.peers].some(({ endpoint }) => endpoint.endsWith(`:${socket.localPort}`));
    for (let beats = 0; beats < 40 && isThere(); beats++) {
      clock.advance(DEFAULT_LIMITS.heartbeatMs);
      await turns(2);
    }
    expect(isThere()).toBe(false);
    socket.destroy();
  });
});

describe("with permessage-deflate", () => {
  const OFFER = { headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } };

  it("H149 end a bomb at the limit, having inflated no more", async () => {
    const { endpoint } = await serving({ compression: true, maxMessageBytes: 100_000 });
    const { socket, log } = await rawWebSocket(endpoint, OFFER);
    const bomb = deflateRawSync(Buffer.alloc(50_000_000, "a"));
    socket.write(frame(bomb.subarray(0, 60_000), { rsv: 4 }));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect(log.closeCode).toBe(1009);
    await served(endpoint);
    socket.destroy();
  });

  it("H149 end data that cannot be inflated", async () => {
    const { endpoint } = await serving({ compression: true });
    const { socket, log } = await rawWebSocket(endpoint, OFFER);
    socket.write(frame(randomBytes(500), { rsv: 4 }));
    await vi.waitUntil(() => log.closeCode !== undefined);
    expect([1007, 1009]).toContain(log.closeCode);
    socket.destroy();
  });

  it("is not agreed unless the option compression says so", async () => {
    const { endpoint } = await serving();
    const { answer, socket } = await upgrade(endpoint, OFFER);
    expect(answer).not.toMatch(/extensions/i);
    socket.destroy();
  });

  it("makes large messages small, in both directions", async () => {
    const listener = await serving({ compression: true });
    const transport = transportTo(listener.endpoint, { compression: true });
    await transport.ready();
    expect(transport.capabilities.compression).toBe("native");
    expect(await createClient(Greeter, transport).echo(LONG)).toBe(LONG);
  });
});

function fragments(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => frame("", { opcode: i === 0 ? 1 : 0, fin: false })));
}
