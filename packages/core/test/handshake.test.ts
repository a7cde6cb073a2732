import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, RpcError, unary } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { call, CHALLENGE, dialRaw, dialTo, failure, HELLO, json, listen, rawClient, WELCOME } from "./rig.ts";

const Test = defineContract("test.Test", { echo: unary() });
const router = createRouter(Test, { echo: (input) => input });

describe("the handshake of an acceptor", () => {
  it("answers Hello with Challenge and Welcome", async () => {
    const peer = await rawClient(listen(router));
    expect(peer.received.map(({ body }) => body)).toEqual([Body.Challenge, Body.Welcome]);
    expect(peer.of(Body.Challenge)[0]).toMatchObject({ version: 1, mechanism: "none" });
    expect(peer.of(Body.Welcome)[0]?.sessionId).toHaveLength(16);
  });

  it("announces its limits", async () => {
    const peer = await rawClient(
      listen(router, { maxMessageBytes: 5_000, maxCallsInFlight: 7, heartbeatMs: 100, aliveMs: 300 }),
    );
    expect(peer.of(Body.Challenge)[0]?.limits).toEqual({
      maxMessageBytes: 5_000,
      maxCalls: 7,
      heartbeatMs: 100,
      aliveMs: 300,
    });
  });

  it("gives each session a name of its own", async () => {
    const listener = listen(router);
    const [a, b] = [await rawClient(listener), await rawClient(listener)];
    expect(a.of(Body.Welcome)[0]?.sessionId).not.toEqual(b.of(Body.Welcome)[0]?.sessionId);
    expect(a.of(Body.Challenge)[0]?.nonce).not.toEqual(b.of(Body.Challenge)[0]?.nonce);
  });

  it("says nothing before it hears Hello", async () => {
    const peer = dialRaw(listen(router));
    await settled();
    expect(peer.received).toEqual([]);
  });

  it("picks its version out of several", async () => {
    const peer = dialRaw(listen(router));
    await peer.send({ ...HELLO, versions: [7, 1, 3] });
    expect(peer.of(Body.Challenge)[0]?.version).toBe(1);
  });

  it.each([[[2]], [[]], [[0, 9]]])("H33 refuses the versions %j, and says which one it speaks", async (versions) => {
    const listener = listen(router);
    const peer = dialRaw(listener);
    await peer.send({ ...HELLO, versions });
    expect(peer.goodbye).toMatchObject({ code: 9, reason: "VERSION" });
    expect(peer.goodbye?.message).toContain("version 1");
    expect(peer.ends).toHaveLength(1);
    expect(listener.connectionCount).toBe(0);
  });

  it("H49 does not repeat a long list of versions", async () => {
    const peer = dialRaw(listen(router, { maxUnauthenticatedBytes: 100_000 }));
    await peer.send({ ...HELLO, versions: Array.from({ length: 10_000 }, (_, i) => i + 2) });
    expect(peer.goodbye?.message.length).toBeLessThan(200);
  });

  it("H29 refuses a peer that does not offer its mechanism", async () => {
    const listener = listen(router);
    const peer = dialRaw(listener);
    await peer.send({ ...HELLO, mechanisms: ["hmac-sha256"] });
    expect(listener.errors).toMatchObject([{ code: "UNAUTHENTICATED" }]);
    expect(peer.goodbye).toMatchObject({ code: 16, reason: "UNAUTHENTICATED" });
    expect(peer.ends).toHaveLength(1);
  });

  it.each([
    ["a call", call(1, "test.Test.echo")],
    ["a ping", { body: Body.Ping, token: 1 }],
    ["a Challenge", CHALLENGE],
    ["a Welcome", WELCOME],
    ["a Proof", { body: Body.Proof, mac: new Uint8Array(32), token: "" }],
    ["a result", { body: Body.Result, id: 1, payload: undefined, metadata: undefined }],
  ] as const)("H20 closes when the first message is %s, and runs nothing", async (_what, envelope) => {
    const listener = listen(router);
    const peer = dialRaw(listener);
    await peer.send(envelope);
    expect(peer.goodbye).toMatchObject({ code: 13, reason: "PROTOCOL" });
    expect(peer.ends).toHaveLength(1);
    expect(peer.results).toEqual([]);
    expect(listener.connectionCount).toBe(0);
  });

  it("closes without a word of its own when the first message is Goodbye", async () => {
    const listener = listen(router);
    const peer = dialRaw(listener);
    await peer.send({ body: Body.Goodbye, error: undefined, sessionOver: true });
    expect(peer.received).toEqual([]);
    expect(peer.ends).toHaveLength(1);
    expect(listener.connectionCount).toBe(0);
  });

  it("H19 runs a call that came together with Hello, after the handshake", async () => {
    const peer = dialRaw(listen(router));
    await peer.send(HELLO, call(1, "test.Test.echo", { payload: json("early") }));
    expect(peer.received.map(({ body }) => body)).toEqual([Body.Challenge, Body.Welcome, Body.Result]);
  });

  it("H33 closes when the versions are no numbers", async () => {
    const peer = dialRaw(listen(router));
    await peer.sendJson({ b: 3, versions: ["1"], mechanisms: ["none"] });
    expect(peer.ends).toHaveLength(1);
  });

  it("H46 skips a message that it does not know, and waits on", async () => {
    const peer = dialRaw(listen(router));
    await peer.sendJson({ b: 15, from: "the future" });
    await peer.send(HELLO);
    expect(peer.of(Body.Welcome)).toHaveLength(1);
  });

  it("H32 closes at a second Hello", async () => {
    const listener = listen(router);
    const peer = await rawClient(listener);
    await peer.send(HELLO);
    expect(peer.goodbye).toMatchObject({ code: 13, reason: "PROTOCOL" });
    expect(peer.ends).toHaveLength(1);
    expect(listener.errors.map(({ reason }) => reason)).toEqual(["PROTOCOL"]);
  });

  it.each([
    ["Challenge", CHALLENGE],
    ["Welcome", WELCOME],
    ["Proof", { body: Body.Proof, mac: new Uint8Array(0), token: "" }],
  ] as const)("H32 closes at a %s in the middle of the session", async (_what, envelope) => {
    const peer = await rawClient(listen(router));
    await peer.send(envelope);
    expect(peer.goodbye).toMatchObject({ reason: "PROTOCOL" });
  });

  it.each(["GET / HTTP/1.1\r\n\r\n", "", "null", "[]", "{", '"b"', "\u0016\u0003\u0001"])(
    "H09 H23 closes when it hears %j",
    async (text) => {
      const listener = listen(router);
      const peer = dialRaw(listener);
      await peer.sendJson(text);
      expect(peer.ends).toHaveLength(1);
      expect(listener.connectionCount).toBe(0);
    },
  );

  it("H21 closes at a first message over maxUnauthenticatedBytes, and takes one at the limit", async () => {
    const size = JSON.stringify({ b: 3, versions: [1], mechanisms: ["none"], software: "" }).length;
    const hello = (padding: number): unknown => ({
      b: 3,
      versions: [1],
      mechanisms: ["none"],
      software: "x".repeat(padding),
    });
    const fits = dialRaw(listen(router));
    await fits.sendJson(hello(1_024 - size));
    expect(fits.of(Body.Welcome)).toHaveLength(1);
    const tooLarge = dialRaw(listen(router));
    await tooLarge.sendJson(hello(1_025 - size));
    expect(tooLarge.of(Body.Welcome)).toEqual([]);
    expect(tooLarge.ends).toHaveLength(1);
  });

  it("H22 closes after unauthenticatedTimeoutMs of silence, and leaves no timer", async () => {
    const clock = new FakeClock();
    const listener = listen(router, { clock });
    const peer = dialRaw(listener);
    await clock.advance(9_999);
    expect(listener.connectionCount).toBe(1);
    await clock.advance(1);
    expect(peer.goodbye).toMatchObject({ code: 14, reason: "unauthenticatedTimeoutMs" });
    expect(listener.connectionCount).toBe(0);
    expect(clock.timerCount).toBe(0);
  });

  it("H22 is not kept open by messages that lead nowhere", async () => {
    const clock = new FakeClock();
    const listener = listen(router, { clock });
    const peer = dialRaw(listener);
    for (let i = 0; i < 20; i++) {
      await peer.sendJson({ b: 15 });
      await clock.advance(600);
    }
    expect(listener.connectionCount).toBe(0);
  });

  it("does not count a peer among its peers before the handshake is done", async () => {
    const connected: unknown[] = [];
    const disconnected: unknown[] = [];
    const listener = listen(router);
    listener.on("client-connected", (peer) => connected.push(peer));
    listener.on("client-disconnected", (peer) => disconnected.push(peer));
    const peer = dialRaw(listener);
    await settled();
    expect([...listener.peers]).toEqual([]);
    peer.channel.close();
    await settled();
    expect([connected, disconnected]).toEqual([[], []]);
  });

  it("knows the peer's process by its instance id", async () => {
    const listener = listen(router);
    await rawClient(listener);
    expect([...listener.peers].map(({ instanceId, identity }) => [instanceId, identity])).toEqual([
      ["07".repeat(16), undefined],
    ]);
  });
});

describe("the handshake of an initiator", () => {
  function rig(clock?: FakeClock) {
    const { transport, peers } = dialTo(clock === undefined ? {} : { clock }, false);
    const failed = failure(createClient(Test, transport).echo(1));
    return { transport, peers, failed };
  }

  async function peerOf({ peers }: ReturnType<typeof rig>) {
    await settled();
    const [peer] = peers;
    if (peer === undefined) throw new Error("nobody has dialed");
    return peer;
  }

  it("begins with Hello: versions, limits and a nonce", async () => {
    const peer = await peerOf(rig());
    expect(peer.received).toHaveLength(1);
    expect(peer.of(Body.Hello)[0]).toMatchObject({
      versions: [1],
      mechanisms: ["none"],
      limits: { maxMessageBytes: 4_194_304 },
    });
    expect(peer.of(Body.Hello)[0]?.nonce).toHaveLength(32);
    expect(peer.of(Body.Hello)[0]?.instanceId).toHaveLength(16);
  });

  it("sends nothing else before Welcome", async () => {
    const peer = await peerOf(rig());
    await peer.send(CHALLENGE);
    expect(peer.received).toHaveLength(1);
    await peer.send(WELCOME);
    expect(peer.of(Body.Call)).toHaveLength(1);
  });

  it.each([
    ["another version", { ...CHALLENGE, version: 2 }, "FAILED_PRECONDITION", "VERSION"],
    [
      "a mechanism that was not offered",
      { ...CHALLENGE, mechanism: "hmac-sha256" },
      "UNAUTHENTICATED",
      "UNAUTHENTICATED",
    ],
    ["Welcome before Challenge", WELCOME, "UNAVAILABLE", "PROTOCOL"],
    ["Hello", HELLO, "UNAVAILABLE", "PROTOCOL"],
    ["a call", call(2, "x.y"), "UNAVAILABLE", "PROTOCOL"],
  ] as const)("fails its calls when the server answers with %s", async (_what, envelope, code, reason) => {
    const setup = rig();
    const peer = await peerOf(setup);
    await peer.send(envelope);
    expect(await setup.failed).toMatchObject({ code, reason, delivered: "no" });
    expect(peer.goodbye).toBeDefined();
    expect(peer.ends).toHaveLength(1);
  });

  it("fails its calls when a second Challenge comes", async () => {
    const setup = rig();
    const peer = await peerOf(setup);
    await peer.send(CHALLENGE, CHALLENGE);
    expect(await setup.failed).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });

  it("fails its calls with the server's reason when it is sent away", async () => {
    const setup = rig();
    const peer = await peerOf(setup);
    const error = {
      code: 16,
      message: "unknown principal",
      reason: "UNAUTHENTICATED",
      details: undefined,
      retryable: false,
      delivered: undefined,
      stack: "",
    };
    await peer.send({ body: Body.Goodbye, error, sessionOver: true });
    expect(await setup.failed).toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
  });

  it("fails its calls when the channel closes in the middle", async () => {
    const setup = rig();
    const peer = await peerOf(setup);
    await peer.send(CHALLENGE);
    peer.channel.close();
    expect(await setup.failed).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST", delivered: "no" });
  });

  it("H22 fails its calls when the server stays silent, and leaves no timer", async () => {
    const clock = new FakeClock();
    const setup = rig(clock);
    await peerOf(setup);
    await clock.advance(10_000);
    expect(await setup.failed).toMatchObject({
      code: "UNAVAILABLE",
      reason: "unauthenticatedTimeoutMs",
      delivered: "no",
    });
    expect(clock.timerCount).toBe(0);
  });

  it("leaves no handshake timer once it is done", async () => {
    const clock = new FakeClock();
    const { transport } = dialTo({ clock, heartbeatMs: 0 });
    await transport.ready();
    expect(clock.timerCount).toBe(0);
  });

  it("dials again after a handshake that failed", async () => {
    const { transport, peers } = dialTo({}, false);
    const client = createClient(Test, transport);
    const first = failure(client.echo(1));
    await settled();
    await peers[0]?.send({ ...CHALLENGE, version: 9 });
    expect(await first).toBeInstanceOf(RpcError);
    const second = client.echo(2);
    await settled();
    expect(peers).toHaveLength(2);
    await peers[1]?.send(CHALLENGE, WELCOME, { body: Body.Result, id: 1, payload: json("out"), metadata: undefined });
    expect(await second).toBe("out");
  });
});
