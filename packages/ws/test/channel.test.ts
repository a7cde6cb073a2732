import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { createClient, createRouter, type RpcError, systemClock } from "@rpc/core";
import { type Channel, type ChannelSink, jsonEnvelopeCodec } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { array, assert, asyncProperty, boolean, constantFrom, record, uint8Array } from "fast-check";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { createWsTransport as createBrowserTransport } from "../src/browser.ts";
import { formatEndpoint, parseEndpoint } from "../src/endpoint.ts";
import { channelsOf, json, protobuf } from "./conformance-wire.ts";
import { bareServer, caught, Greeter, greeter, Phone, serving, transportTo, upgrade } from "./rig.ts";

/** Collects what a channel hands over. */
class Inbox implements ChannelSink {
  readonly messages: Uint8Array[] = [];
  end: RpcError | undefined = undefined;

  message(bytes: Uint8Array): void {
    this.messages.push(bytes);
  }

  drained(): void {
    // Whoever reads has nothing to send.
  }

  closed(reason: RpcError): void {
    this.end = reason;
  }

  static of(channel: Channel): Inbox {
    const inbox = new Inbox();
    channel.open(inbox);
    return inbox;
  }
}

async function connected(kind: typeof json): Promise<{ dialed: Channel; accepted: Channel }> {
  const pair = await channelsOf(kind, { clock: systemClock, maxMessageBytes: 4 * 1024 * 1024 });
  onTestFinished(() => pair.close());
  return pair;
}

describe("channels", () => {
  it("C02 C03 C06 carry texts of all sizes where length fields change, in order, both ways", async () => {
    const { dialed, accepted } = await connected(json);
    const inboxes = [Inbox.of(accepted), Inbox.of(dialed)];
    const sizes = [1, 125, 126, 127, 255, 256, 257, 16_383, 16_384, 65_535, 65_536, 65_537, 1_000_000];
    const texts = sizes.map((size) => "äx€".repeat(Math.ceil(size / 6)).slice(0, size));
    for (const text of texts) {
      const bytes = Buffer.from(text);
      dialed.send(bytes);
      accepted.send(bytes);
      bytes.fill(0);
    }
    await vi.waitUntil(() => inboxes.every(({ messages }) => messages.length === texts.length));
    for (const { messages } of inboxes) expect(messages.map((bytes) => Buffer.from(bytes).toString())).toEqual(texts);
  });

  it("deliver any messages as they were sent, however they are cut into ticks and pauses", async () => {
    const { dialed, accepted } = await connected(protobuf);
    const inboxes = { dialed: Inbox.of(dialed), accepted: Inbox.of(accepted) };
    const sent = { dialed: [] as Uint8Array[], accepted: [] as Uint8Array[] };
    const step = record({
      from: constantFrom("dialed" as const, "accepted" as const),
      message: uint8Array({ minLength: 1, maxLength: 70_000, size: "medium" }),
      transfer: boolean(),
      pauses: boolean(),
      waits: boolean(),
    });
    await assert(
      asyncProperty(array(step, { maxLength: 30 }), async (steps) => {
        for (const { from, message, transfer, pauses, waits } of steps) {
          const channel = from === "dialed" ? dialed : accepted;
          sent[from].push(new Uint8Array(message));
          channel.send(message, transfer);
          if (!transfer) message.fill(0);
          if (pauses) channel.pause?.();
          if (waits) await new Promise((resolve) => setImmediate(resolve));
          channel.resume?.();
        }
        const all = (): boolean =>
          inboxes.accepted.messages.length === sent.dialed.length &&
          inboxes.dialed.messages.length === sent.accepted.length;
        await vi.waitUntil(all, { timeout: 5_000 });
        for (const [at, from] of [
          ["accepted", "dialed"],
          ["dialed", "accepted"],
        ] as const) {
          const same = inboxes[at].messages.every((bytes, i) => Buffer.compare(bytes, sent[from][i] ?? bytes) === 0);
          expect(same).toBe(true);
          inboxes[at].messages.length = 0;
          sent[from].length = 0;
        }
      }),
      { numRuns: 60 },
    );
  });

  it("hand over nothing while they are paused", async () => {
    const { dialed, accepted } = await connected(protobuf);
    const inbox = Inbox.of(accepted);
    Inbox.of(dialed);
    inbox.message = (bytes) => {
      inbox.messages.push(bytes);
      accepted.pause?.();
    };
    for (let i = 0; i < 100; i++) dialed.send(Uint8Array.of(i));
    for (let count = 1; count <= 100; count++) {
      await vi.waitUntil(() => inbox.messages.length === count);
      accepted.resume?.();
    }
    expect(inbox.messages.map(([first]) => first)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it("say with which code the far end closed", async () => {
    const { dialed, accepted } = await connected(json);
    const inbox = Inbox.of(dialed);
    Inbox.of(accepted);
    accepted.close();
    await vi.waitUntil(() => inbox.end !== undefined);
    expect(inbox.end).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
    expect(inbox.end?.message).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/rpc closed the connection: 1000$/);
  });
});

describe("endpoints", () => {
  it.each([
    ["ws://127.0.0.1:7000", "ws://127.0.0.1:7000"],
    ["ws://example.com/rpc", "ws://example.com:80/rpc"],
    ["wss://example.com/rpc", "wss://example.com:443/rpc"],
    ["WSS://Example.com:8443", "wss://example.com:8443"],
    ["ws://[::1]:7000/a/b", "ws://[::1]:7000/a/b"],
  ])("are read: %s", (text, formatted) => {
    expect(formatEndpoint(parseEndpoint(text, "dial"))).toBe(formatted);
  });

  it.each([
    ["", /names no scheme/],
    ["tcp://a:1", /tcp: is not one of this package/],
    ["ws://", /another form/],
    ["ws:a", /another form/],
    ["ws://me:hunter2@a", /user or a password/],
    ["ws://a?token=hunter2", /the parameter "token" is unknown/],
    ["ws://a#hunter2", /a parameter or a fragment/],
    ["ws://a:0", /port 0 is for listening/],
    ["ws://a:70000", /another form/],
  ])("H39 are refused without repeating them: %s", (text, expected) => {
    let error: unknown;
    try {
      parseEndpoint(text, "dial");
    } catch (thrown) {
      error = thrown;
    }
    expect((error as RpcError).message).toMatch(expected);
    expect((error as RpcError).message).not.toContain("hunter2");
  });
});

describe("dialing", () => {
  it.each([
    [400, "FAILED_PRECONDITION"],
    [401, "UNAUTHENTICATED"],
    [403, "PERMISSION_DENIED"],
    [404, "FAILED_PRECONDITION"],
    [429, "UNAVAILABLE"],
    [502, "UNAVAILABLE"],
  ])("says what an answer of %i means", async (status, code) => {
    const body = "go\r\naway";
    const endpoint = await bareServer((socket) => {
      socket.once("data", () =>
        socket.end(
          `HTTP/1.1 ${status} No\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        ),
      );
    });
    const error = await caught(transportTo(endpoint).ready());
    expect(error.code).toBe(code);
    expect(error.message).toBe(`${endpoint} refused the connection: ${status} go away`);
  });

  it("names what was wrong when a server of ours refuses", async () => {
    const { endpoint } = await serving();
    const error = await caught(transportTo(endpoint, { codec: protobufEnvelopeCodec }).ready());
    expect(error.code).toBe("FAILED_PRECONDITION");
    expect(error.message).toContain("the subprotocol must be rpc.v1.json");
  });

  it("H09 does not take for a server what speaks something else", async () => {
    const endpoint = await bareServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"));
    const error = await caught(transportTo(endpoint).ready());
    expect([error.code, error.message]).toEqual([
      "UNAVAILABLE",
      `${endpoint} does not speak HTTP; does something else listen there?`,
    ]);
  });

  it("tries the next endpoint when the first is not there", async () => {
    const gone = await serving();
    await gone.close();
    const { endpoint } = await serving();
    const transport = transportTo([gone.endpoint, endpoint]);
    expect(await createClient(Greeter, transport).echo("second")).toBe("second");
  });

  it("says in a browser what it can", async () => {
    const gone = await serving();
    await gone.close();
    const transport = createBrowserTransport(gone.endpoint);
    const error = await caught(transport.ready());
    expect([error.code, error.delivered]).toEqual(["UNAVAILABLE", "no"]);
    expect(error.message).toContain(gone.endpoint);
    await transport.close();
  });
});

describe("serveWs", () => {
  it("takes JSON and protobuf at one port, each client as it likes, and one may call the other's server back", async () => {
    const { endpoint, peers } = await serving({ codecs: [protobufEnvelopeCodec, jsonEnvelopeCodec] });
    const serve = createRouter(Phone, { ring: () => "here" });
    const clients = [
      transportTo(endpoint, { serve }),
      transportTo(endpoint, { serve, codec: protobufEnvelopeCodec }),
      createBrowserTransport(endpoint, { serve }),
      createBrowserTransport(endpoint, { serve, codec: protobufEnvelopeCodec }),
    ];
    for (const transport of clients) {
      expect(await createClient(Greeter, transport).callBack()).toBe("here");
      await transport.close();
    }
    await vi.waitUntil(() => [...peers].length === 0);
  });

  it.each([
    ["ws://0.0.0.0:0", "FAILED_PRECONDITION"],
    ["tcp://127.0.0.1:0", "INVALID_ARGUMENT"],
    ["wss://127.0.0.1:0", "INVALID_ARGUMENT"],
  ])("H40 C16 does not start on %s", async (endpoint, code) => {
    expect((await caught(serving({ endpoint }))).code).toBe(code);
  });

  it("H209 does not start on an endpoint that is taken", async () => {
    const { endpoint } = await serving();
    expect((await caught(serving({ endpoint }))).code).toBe("ALREADY_EXISTS");
  });

  it.each([
    [{ codecs: [] }, /at least one codec/],
    [{ codecs: [jsonEnvelopeCodec, jsonEnvelopeCodec] }, /none twice/],
    [{ maxConnections: -1 }, /maxConnections/],
    [{ maxFragments: 1.5 }, /maxFragments/],
    [{ secret: "" }, /secret/],
  ])("refuses options that make no sense: %j", async (options, expected) => {
    const error = await caught(serving(options));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(expected);
  });
});

describe("attached to a server", () => {
  async function httpServer(host = "127.0.0.1"): Promise<{ server: Server; origin: string }> {
    const server = createServer((_request, response) => response.end("a page"));
    onTestFinished(() => void server.close());
    server.listen(0, host);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return { server, origin: `http://127.0.0.1:${address.port}` };
  }

  it("takes the upgrades of its path; requests and other upgrades stay with the others", async () => {
    const { server, origin } = await httpServer();
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      if (request.url === "/other") socket.end("HTTP/1.1 418 Teapot\r\n\r\n");
    });
    const rpc = await serving({ server, path: "/rpc" });
    const second = await serving({ server, path: "/second" });
    expect(rpc.endpoint).toBe(`${origin.replace("http", "ws")}/rpc`);
    for (const { endpoint } of [rpc, second])
      expect(await createClient(Greeter, transportTo(endpoint)).echo("attached")).toBe("attached");
    expect(await (await fetch(origin)).text()).toBe("a page");
    expect((await upgrade(rpc.endpoint, { path: "/other" })).status).toBe(418);
    expect((await upgrade(rpc.endpoint, { path: "/rpc?version=7" })).status).toBe(101);
  });

  it("answers other upgrades 404 when nobody else would", async () => {
    const { server } = await httpServer();
    const { endpoint } = await serving({ server, path: "/rpc" });
    expect((await upgrade(endpoint, { path: "/other" })).status).toBe(404);
  });

  it("H209 refuses a path that another listener has, until that is closed", async () => {
    const { server } = await httpServer();
    const first = await serving({ server, path: "/rpc" });
    expect((await caught(serving({ server, path: "/rpc" }))).code).toBe("ALREADY_EXISTS");
    expect(await createClient(Greeter, transportTo(first.endpoint)).echo("still")).toBe("still");
    await first.close();
    await serving({ server, path: "/rpc" });
  });

  it("survives somebody else who takes the same upgrades", async () => {
    const { server } = await httpServer();
    const reports: RpcError[] = [];
    const theirs = new WebSocketServer({ server, path: "/rpc" });
    onTestFinished(() => theirs.close());
    const { endpoint } = await serving({ server, path: "/rpc", onError: (error) => reports.push(error) });
    const { socket } = await upgrade(endpoint);
    await vi.waitUntil(() => reports.length === 1);
    expect(reports[0]?.message).toContain("called more than once");
    socket.destroy();
    for (const client of theirs.clients) client.terminate();
  });

  it("H145 reports pages that it refuses once a second, and how many there were", async () => {
    const clock = createFakeClock();
    const reports: RpcError[] = [];
    const { endpoint } = await serving({ clock, onError: (error) => reports.push(error) });
    const headers = { Origin: "https://evil.example" };
    for (let i = 0; i < 20; i++) expect((await upgrade(endpoint, { headers })).status).toBe(403);
    expect(reports).toHaveLength(1);
    clock.advance(1_000);
    await upgrade(endpoint, { headers });
    expect(reports[1]?.message).toMatch(/evil\.example.*and 19 more/);
  });

  it("leaves the server as it was when it closes", async () => {
    const { server, origin } = await httpServer();
    const listener = await serving({ server, path: "/rpc" });
    await listener.close();
    expect(server.listenerCount("upgrade")).toBe(0);
    expect(await (await fetch(origin)).text()).toBe("a page");
    const again = await serving({ server, path: "/rpc" });
    expect(await createClient(Greeter, transportTo(again.endpoint)).echo("again")).toBe("again");
  });

  it("tells clients the endpoint that it was given, for a server behind a proxy", async () => {
    const { server } = await httpServer();
    const { endpoint } = await serving({ server, path: "/rpc", endpoint: "wss://app.example.com/rpc" });
    expect(endpoint).toBe("wss://app.example.com/rpc");
  });

  it("H40 does not expose a server that everybody can reach", async () => {
    const { server } = await httpServer("0.0.0.0");
    expect((await caught(serving({ server }))).code).toBe("FAILED_PRECONDITION");
    await serving({ server, allowInsecure: true });
  });

  it.each<[object, RegExp]>([
    [{ path: "rpc" }, /path must begin with a slash/],
    [{ path: "/rpc?x=1" }, /path must begin with a slash/],
    [{ tls: {} }, /the option tls belongs to a server of our own/],
  ])("refuses %j", async (options, expected) => {
    const { server } = await httpServer();
    expect((await caught(serving({ server, ...options }))).message).toMatch(expected);
  });

  it("refuses a server that does not listen yet", async () => {
    const error = await caught(serving({ server: createServer() }, greeter()));
    expect([error.code, error.message]).toEqual([
      "FAILED_PRECONDITION",
      "the option server has no port: call its listen and wait for it before serveWs",
    ]);
  });
});
