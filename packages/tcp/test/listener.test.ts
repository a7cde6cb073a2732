import type { Socket } from "node:net";
import { createClient, type RpcError } from "@rpc/core";
import { Body, type CallBody, DEFAULT_LIMITS, dynamicCodec, ValuePayload } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { createFakeClock, createRawPeer } from "@rpc/testkit";
import { describe, expect, it, vi } from "vitest";
import { TcpChannel } from "../src/channel.ts";
import { dialSettings } from "../src/options.ts";
import { Greeter, greeter, serving, transportTo } from "./greeter.ts";
import { bareSocket, caught, dial, frame, freePort, header, readAll, turns } from "./rig.ts";

/** A client that has shaken hands and does what no client of ours does. */
async function rawClient(endpoint: string): Promise<{ peer: ReturnType<typeof createRawPeer>; socket: Socket }> {
  const socket = await bareSocket(endpoint);
  socket.on("error", () => undefined);
  const peer = createRawPeer(new TcpChannel(socket, "raw", dialSettings({})), protobufEnvelopeCodec);
  await peer.greet();
  return { peer, socket };
}

function callOf(id: number, method: string, input: unknown = null): CallBody {
  return {
    body: Body.Call,
    id,
    method,
    kind: "unary",
    payload: new ValuePayload(dynamicCodec, input),
    deadlineMs: undefined,
    metadata: undefined,
    idempotencyKey: undefined,
    credits: undefined,
    depth: 0,
    parentId: 0,
    observed: false,
    handleId: "",
  };
}

describe("serveTcp", () => {
  it("listens on loopback and a free port unless told otherwise", async () => {
    const listener = await serving();
    expect(listener.endpoint).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  });

  it.each([
    ["tcp://0.0.0.0:0", "FAILED_PRECONDITION"],
    ["http://127.0.0.1:0", "INVALID_ARGUMENT"],
    ["tcps://127.0.0.1:0", "INVALID_ARGUMENT"],
  ])("H40 C16 does not start on %s", async (endpoint, code) => {
    expect((await caught(serving({ endpoint }))).code).toBe(code);
  });

  it("H209 C17 does not start on an endpoint that is taken, and the first listener works on", async () => {
    const first = await serving();
    expect((await caught(serving({ endpoint: first.endpoint }))).code).toBe("ALREADY_EXISTS");
    expect(await createClient(Greeter, transportTo(first.endpoint)).echo("still")).toBe("still");
  });

  it("H30 does not start, and keeps no port, with an empty secret", async () => {
    const port = await freePort();
    const error = await caught(serving({ endpoint: `tcp://127.0.0.1:${port}`, secret: "" }));
    expect(error.code).toBe("INVALID_ARGUMENT");
    await serving({ endpoint: `tcp://127.0.0.1:${port}` });
  });

  it("tells who comes and goes", async () => {
    const listener = await serving();
    const events: string[] = [];
    listener.on("client-connected", (peer) => events.push(`+ ${peer.endpoint}`));
    listener.on("client-disconnected", (peer) => events.push(`- ${peer.endpoint}`));
    const transport = transportTo(listener.endpoint);
    await createClient(Greeter, transport).echo("hi");
    await transport.close();
    await vi.waitUntil(() => events.length === 2);
    expect(events[0]).toMatch(/^\+ tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(events[1]).toBe(events[0]?.replace("+", "-"));
  });

  it("finishes running calls when it closes with drainMs, and frees the port", async () => {
    const done = Promise.withResolvers<string>();
    const listener = await serving({}, greeter(done.promise));
    const client = createClient(Greeter, transportTo(listener.endpoint));
    await client.echo("connected");
    const waiting = client.wait();
    await turns();
    const closing = listener.close({ drainMs: 10_000 });
    await turns();
    done.resolve("finished");
    expect(await waiting).toBe("finished");
    await closing;
    await serving({ endpoint: listener.endpoint });
  });

  it("H09 closes a connection that is not ours, and serves others meanwhile", async () => {
    const listener = await serving();
    const strangers = [
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "SSH-2.0-OpenSSH_9.6\r\n",
      "\u0016\u0003\u0001\u0002\u0000\u0001",
    ];
    for (const stranger of strangers) {
      const socket = await bareSocket(listener.endpoint);
      socket.on("error", () => undefined);
      socket.write(Buffer.from(stranger, "latin1"));
      expect(await readAll(socket)).toHaveLength(0);
    }
    expect(await createClient(Greeter, transportTo(listener.endpoint)).echo("ours")).toBe("ours");
  });

  it("H05 accepts 1 KiB and no more before the handshake is done", async () => {
    const listener = await serving();
    const socket = await bareSocket(listener.endpoint);
    socket.on("error", () => undefined);
    socket.write(header(DEFAULT_LIMITS.maxUnauthenticatedBytes + 1));
    expect(await readAll(socket)).toHaveLength(0);
  });

  it("H05 refuses a call of more than maxMessageBytes at the caller, and the connection lives on", async () => {
    const listener = await serving({ maxMessageBytes: 10_000 });
    const client = createClient(Greeter, transportTo(listener.endpoint));
    await client.echo("connected");
    expect((await caught(client.echo("x".repeat(20_000)))).code).toBe("RESOURCE_EXHAUSTED");
    expect(await client.echo("fine")).toBe("fine");
    expect([...listener.peers]).toHaveLength(1);
  });

  it("H11 closes a peer that leaves garbage behind an envelope", async () => {
    const reports: RpcError[] = [];
    const listener = await serving({ onError: (error) => reports.push(error) });
    const { peer } = await rawClient(listener.endpoint);
    peer.sendBytes(Buffer.concat([peer.encode({ body: Body.Ping, token: 1 }), Buffer.from([0x07, 0xff, 0xff])]));
    await peer.closed;
    expect(reports.map(({ reason }) => reason)).toEqual(["PROTOCOL"]);
  });

  it("H15 delivers the reply to a peer that has ended its half, then closes", async () => {
    const done = Promise.withResolvers<string>();
    const listener = await serving({}, greeter(done.promise));
    const { peer, socket } = await rawClient(listener.endpoint);
    peer.send(callOf(1, "demo.Greeter.wait"));
    await turns();
    socket.end();
    await turns(10);
    done.resolve("done");
    expect((await peer.next(Body.Result)).id).toBe(1);
    await peer.closed;
    await vi.waitUntil(() => [...listener.peers].length === 0);
  });

  it("H14 H16 loses a peer that resets in the middle of a message, and nothing else", async () => {
    const listener = await serving();
    const { socket } = await rawClient(listener.endpoint);
    expect([...listener.peers]).toHaveLength(1);
    socket.write(header(100), () => socket.resetAndDestroy());
    await vi.waitUntil(() => [...listener.peers].length === 0);
    expect(await createClient(Greeter, transportTo(listener.endpoint)).echo("on")).toBe("on");
  });

  it("H17 stops reading from a peer that asks and never reads, and serves others meanwhile", async () => {
    const listener = await serving();
    const { peer, socket } = await rawClient(listener.endpoint);
    const client = createClient(Greeter, transportTo(listener.endpoint));
    peer.pauseReading();
    const text = "x".repeat(100_000);
    // As long as the server reads, what we write goes away; when it stops, the bytes stay with us.
    for (let id = 1; id < 2_000 && !socket.destroyed && socket.writableLength < 2_000_000; id += 20) {
      for (let i = 0; i < 20; i += 2) peer.send(callOf(id + i, "demo.Greeter.echo", text));
      await turns(2);
    }
    await turns(10);
    expect(socket.destroyed || socket.writableLength >= 1_000_000).toBe(true);
    expect(await client.echo("others")).toBe("others");
  });

  it("H18 gives up on silent connections after unauthenticatedTimeoutMs and serves others meanwhile", async () => {
    const clock = createFakeClock();
    const listener = await serving({ clock });
    const silent = await Promise.all(Array.from({ length: 200 }, () => bareSocket(listener.endpoint)));
    expect(await createClient(Greeter, transportTo(listener.endpoint)).echo("served")).toBe("served");
    clock.advance(DEFAULT_LIMITS.unauthenticatedTimeoutMs);
    await Promise.all(silent.map((socket) => readAll(socket)));
  });

  it("H18 refuses connections beyond maxConnections", async () => {
    const listener = await serving({ maxConnections: 1 });
    await createClient(Greeter, transportTo(listener.endpoint)).echo("first");
    const error = await caught(createClient(Greeter, transportTo(listener.endpoint)).echo("second"));
    expect(error.code).toBe("UNAVAILABLE");
  });

  it("takes channels that say nothing of our protocol without harm", async () => {
    const listener = await serving();
    const channel = await dial(listener.endpoint);
    channel.open({ message: () => undefined, drained: () => undefined, closed: () => undefined });
    channel.send(frame("not an envelope"));
    await turns();
    channel.destroy();
    expect(await createClient(Greeter, transportTo(listener.endpoint)).echo("on")).toBe("on");
  });
});
