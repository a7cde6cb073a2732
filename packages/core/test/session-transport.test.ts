import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, RpcError, unary } from "../src/index.ts";
import { Body, type Channel, createMemoryChannelPair } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { dialTo, failure, json, listen, memory } from "./rig.ts";

const Test = defineContract("test.Test", { echo: unary(), hang: unary() });
const router = createRouter(Test, { echo: (input) => input, hang: () => new Promise(() => undefined) });

describe("a transport over channels", () => {
  it("C131 does nothing before the first call", async () => {
    let dials = 0;
    dialTo({ dial: () => (dials++, Promise.reject(new Error("no"))) });
    await settled();
    expect(dials).toBe(0);
  });

  it("C131 dials once for calls that are made at the same time", async () => {
    const { transport, peers } = dialTo();
    const client = createClient(Test, transport);
    const calls = [client.echo(1), client.echo(2), client.echo(3)];
    await settled();
    expect(peers).toHaveLength(1);
    for (const { id } of peers[0]?.of(Body.Call) ?? [])
      await peers[0]?.send({ body: Body.Result, id, payload: json(id), metadata: undefined });
    expect(await Promise.all(calls)).toEqual([1, 3, 5]);
  });

  it("C131 connects when it is asked to be ready, once", async () => {
    const transport = memory(router);
    await Promise.all([transport.ready(), transport.ready()]);
    await transport.ready();
    expect(transport.connected).toBe(true);
    expect(transport.listener.connectionCount).toBe(1);
  });

  it("C15 fails calls and ready as not delivered when the dial is refused, with the dial's words", async () => {
    const refused = new RpcError("UNAVAILABLE", "memory:raw: nobody is listening", { reason: "REFUSED" });
    const { transport } = dialTo({ dial: () => Promise.reject(refused) });
    const error = await failure(createClient(Test, transport).echo(1));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "REFUSED", delivered: "no", retryable: true });
    expect(error.message).toContain("nobody is listening");
    expect(await failure(transport.ready())).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("fails calls as not delivered when the dial throws something else", async () => {
    const { transport } = dialTo({ dial: () => Promise.reject(new TypeError("broken")) });
    expect(await failure(createClient(Test, transport).echo(1))).toMatchObject({
      code: "UNAVAILABLE",
      delivered: "no",
    });
  });

  it("keeps UNAUTHENTICATED as it is: to try again would not help", async () => {
    const { transport } = dialTo({
      dial: () => Promise.reject(new RpcError("UNAUTHENTICATED", "certificate has expired")),
    });
    expect(await failure(createClient(Test, transport).echo(1))).toMatchObject({
      code: "UNAUTHENTICATED",
      retryable: false,
      delivered: "no",
    });
  });

  it("dials again for the next call after a dial that failed", async () => {
    let dials = 0;
    const { transport } = dialTo({ dial: () => (dials++, Promise.reject(new RpcError("UNAVAILABLE", "no"))) });
    const client = createClient(Test, transport);
    await failure(client.echo(1));
    await failure(client.echo(2));
    expect(dials).toBe(2);
  });

  it("H209 gives a dial up after connectTimeoutMs, and tells it so", async () => {
    const clock = new FakeClock();
    let signal: AbortSignal | undefined;
    const { transport } = dialTo({
      clock,
      connectTimeoutMs: 3_000,
      dial: (given) => {
        signal = given;
        return new Promise((_resolve, reject) =>
          given.addEventListener("abort", () => reject(new Error("socket closed"))),
        );
      },
    });
    const failed = failure(createClient(Test, transport).echo(1));
    await clock.advance(2_999);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    expect(signal?.aborted).toBe(true);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "connectTimeoutMs", delivered: "no" });
    expect(clock.timerCount).toBe(0);
  });

  it("C14 gives a dial up when the transport is closed, and closes a channel that comes all the same", async () => {
    let finish: (channel: Channel) => void = () => undefined;
    let signal: AbortSignal | undefined;
    const { transport } = dialTo({
      dial: (given) => {
        signal = given;
        return new Promise((resolve) => (finish = resolve));
      },
    });
    const failed = failure(createClient(Test, transport).echo(1));
    await settled();
    await transport.close();
    expect(signal?.aborted).toBe(true);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    const [near, far] = createMemoryChannelPair();
    const ends: RpcError[] = [];
    far.open({ message: () => undefined, drained: () => undefined, closed: (reason) => ends.push(reason) });
    finish(near);
    await settled();
    expect(ends).toHaveLength(1);
  });

  it("leaves no timer of a dial that has succeeded", async () => {
    const clock = new FakeClock();
    const { transport } = dialTo({ clock, heartbeatMs: 0 });
    await transport.ready();
    expect(clock.timerCount).toBe(0);
  });

  it("C135 C136 fails calls in flight when the connection is lost, does not send them again, and dials for the next", async () => {
    const { transport, peers } = dialTo();
    const client = createClient(Test, transport);
    const failed = failure(client.hang(1));
    await settled();
    peers[0]?.channel.close();
    expect(await failed).toMatchObject({
      code: "UNAVAILABLE",
      reason: "PEER_LOST",
      delivered: "unknown",
      retryable: true,
    });
    const next = client.echo(2);
    await settled();
    expect(peers[1]?.of(Body.Call).map(({ method }) => method)).toEqual(["test.Test.echo"]);
    await peers[1]?.send({ body: Body.Result, id: 1, payload: json("back"), metadata: undefined });
    expect(await next).toBe("back");
  });

  it("says when it is connected and when not any more, and stops saying so when asked", async () => {
    const transport = memory(router);
    const events: string[] = [];
    const off = transport.on("connected", () => events.push("connected"));
    transport.on("disconnected", (reason) => events.push(`disconnected ${reason.code}`));
    await transport.ready();
    const [peer] = transport.listener.peers;
    peer?.disconnect();
    await settled();
    off();
    await transport.ready();
    expect(events).toEqual(["connected", "disconnected UNAVAILABLE"]);
  });

  it("H79 reports a listener of its events that throws, and is not disturbed", async () => {
    const errors: RpcError[] = [];
    const transport = memory(router, { onError: (error) => errors.push(error) });
    transport.on("connected", () => {
      throw new Error("listener broke");
    });
    expect(await createClient(Test, transport).echo(1)).toBe(1);
    expect(errors.map(({ message }) => message)).toEqual(["listener broke"]);
  });
});

describe("a listener over channels", () => {
  it("knows its peers in the order they came, and says when they come and go", async () => {
    const listener = listen(router);
    const events: string[] = [];
    listener.on("client-connected", (peer) => events.push(`+${peer.instanceId.length}`));
    listener.on("client-disconnected", (_peer, reason) => events.push(`-${reason.code}`));
    const dial = (): Promise<Channel> => {
      const [near, far] = createMemoryChannelPair();
      listener.accept(far);
      return Promise.resolve(near);
    };
    const first = dialTo({ dial });
    const second = dialTo({ dial });
    await first.transport.ready();
    await second.transport.ready();
    expect([...listener.peers]).toHaveLength(2);
    await first.transport.close();
    await settled();
    expect(events).toEqual(["+32", "+32", "-UNAVAILABLE"]);
    expect([...listener.peers]).toHaveLength(1);
  });

  it("H79 reports a listener of its events that throws, and serves on", async () => {
    const listener = listen(router);
    listener.on("client-connected", () => {
      throw new Error("listener broke");
    });
    const { transport } = dialTo({
      dial: () => {
        const [near, far] = createMemoryChannelPair();
        listener.accept(far);
        return Promise.resolve(near);
      },
    });
    expect(await createClient(Test, transport).echo(1)).toBe(1);
    expect(listener.errors.map(({ message }) => message)).toEqual(["listener broke"]);
  });

  it("C132 closes once, and closes a channel that comes afterwards", async () => {
    let stops = 0;
    const listener = listen(router, { stopAccepting: () => Promise.resolve(void stops++) });
    await Promise.all([listener.close(), listener.close(), listener[Symbol.asyncDispose]()]);
    expect(stops).toBe(1);
    const [near, far] = createMemoryChannelPair();
    const ends: RpcError[] = [];
    near.open({ message: () => undefined, drained: () => undefined, closed: (reason) => ends.push(reason) });
    listener.accept(far);
    await settled();
    expect(ends).toHaveLength(1);
    expect(listener.connectionCount).toBe(0);
  });

  it("C133 fails the calls of its clients when it closes, and their next call finds nobody", async () => {
    const transport = memory(router);
    const client = createClient(Test, transport);
    const failed = failure(client.hang());
    await settled();
    await transport.listener.close();
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(await failure(client.echo())).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });
});
