import { describe, expect, it } from "vitest";
import { type CallContext, createClient, createRouter, defineContract, notification } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { call, dialTo, failure, Gate, json, listen, memory, rawClient } from "./rig.ts";
import { Test, rig } from "./limits-rig.ts";

describe("maxCallsInFlight", () => {
  it("H54 refuses the surplus of a peer, and the earlier calls go on", async () => {
    const gates: Gate<string>[] = [];
    const router = createRouter(Test, {
      echo: (input) => input,
      large: () => "",
      hang: () => {
        const gate = new Gate<string>();
        gates.push(gate);
        return gate.promise;
      },
      count: () => [],
      both: () => [],
    });
    const listener = listen(router, { maxCallsInFlight: 2 });
    const peer = await rawClient(listener);
    const other = await rawClient(listener);
    await peer.send(
      call(1, "test.Test.hang"),
      call(3, "test.Test.hang"),
      call(5, "test.Test.hang"),
      call(7, "test.Test.echo"),
    );
    expect(peer.failures).toEqual([
      [5, 8, "maxCallsInFlight"],
      [7, 8, "maxCallsInFlight"],
    ]);
    await other.send(call(1, "test.Test.echo", { payload: json("unaffected") }));
    expect(other.results).toEqual(["unaffected"]);
    gates[0]?.open("done");
    await settled();
    await peer.send(call(9, "test.Test.echo", { payload: json("free again") }));
    expect(peer.results).toEqual(["done", "free again"]);
  });

  it("H55 counts a cancelled call until its handler has settled", async () => {
    const contexts: CallContext[] = [];
    const peer = await rawClient(listen(rig(contexts), { maxCallsInFlight: 3 }));
    for (let i = 0; i < 1_000; i++) {
      await peer.send(call(2 * i + 1, "test.Test.hang"), { body: Body.Cancel, id: 2 * i + 1, reason: "" });
    }
    expect(contexts).toHaveLength(3);
    expect(contexts.every(({ signal }) => signal.aborted)).toBe(true);
    expect(peer.failures).toHaveLength(997);
    expect(new Set(peer.failures.map(([, code, reason]) => `${code} ${reason}`))).toEqual(
      new Set(["8 maxCallsInFlight"]),
    );
  });

  it("H54 counts notifications that are being handled", async () => {
    const Notify = defineContract("test.Notify", { wake: notification() });
    let running = 0;
    const listener = listen(createRouter(Notify, { wake: () => new Promise(() => void running++) }), {
      maxCallsInFlight: 2,
    });
    const peer = await rawClient(listener);
    for (let i = 0; i < 5; i++)
      await peer.send({
        body: Body.Notify,
        method: "test.Notify.wake",
        payload: undefined,
        metadata: undefined,
        depth: 0,
      });
    expect(running).toBe(2);
    expect(listener.errors.map(({ reason }) => reason)).toEqual([
      "maxCallsInFlight",
      "maxCallsInFlight",
      "maxCallsInFlight",
    ]);
  });

  it("makes the caller wait when the peer has announced it, and nothing is refused", async () => {
    let most = 0;
    let running = 0;
    const router = createRouter(Test, {
      echo: async (input) => {
        most = Math.max(most, ++running);
        await settled();
        running--;
        return input;
      },
      large: () => "",
      hang: () => null,
      count: () => [],
      both: () => [],
    });
    const client = createClient(Test, memory(router, { maxCallsInFlight: 5 }));
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    expect(await Promise.all(numbers.map((n) => client.echo(n)))).toEqual(numbers);
    expect(most).toBe(5);
  });
});

describe("maxQueuedCalls", () => {
  it("refuses more calls than may wait, as not delivered", async () => {
    const { transport } = dialTo({ maxQueuedCalls: 2 }, false);
    const client = createClient(Test, transport);
    const waiting = [failure(client.echo(1)), failure(client.echo(2))];
    expect(await failure(client.echo(3))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxQueuedCalls",
      delivered: "no",
    });
    await transport.close();
    await Promise.all(waiting);
  });

  it("does not count calls that were given up while they waited", async () => {
    const clock = new FakeClock();
    const { transport } = dialTo({ maxQueuedCalls: 1, clock, unauthenticatedTimeoutMs: 1_000_000 }, false);
    const client = createClient(Test, transport, { clock });
    for (let i = 0; i < 100; i++) {
      const handle = client.echo.start(i);
      await handle.cancel();
      expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
      const late = failure(client.echo(i, { timeoutMs: 10 }));
      await clock.advance(10);
      expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    }
  });
});

describe("maxStreams", () => {
  it("H53 C85 refuses the surplus, and a finished stream frees its place", async () => {
    const contexts: CallContext[] = [];
    const peer = await rawClient(listen(rig(contexts), { maxStreams: 2 }));
    const stream = { kind: "serverStream", credits: 1 } as const;
    await peer.send(
      call(1, "test.Test.count", stream),
      call(3, "test.Test.count", stream),
      call(5, "test.Test.count", stream),
      call(7, "test.Test.echo"),
    );
    expect(peer.failures).toEqual([[5, 8, "maxStreams"]]);
    expect(peer.results).toEqual([null]);
    await peer.send({ body: Body.Cancel, id: 1, reason: "" });
    await peer.send(call(9, "test.Test.count", stream));
    expect(peer.failures).toHaveLength(1);
    expect(contexts).toHaveLength(3);
  });

  it("H53 holds no more of ten thousand streams that are never read than their credits", async () => {
    const contexts: CallContext[] = [];
    const peer = await rawClient(listen(rig(contexts), { maxStreams: 100, maxCallsInFlight: 10_000 }));
    for (let i = 0; i < 10_000; i++)
      void peer.send(call(2 * i + 1, "test.Test.count", { kind: "serverStream", credits: 2 }));
    await settled();
    expect(contexts).toHaveLength(100);
    expect(peer.of(Body.Item)).toHaveLength(200);
    expect(peer.failures).toHaveLength(9_900);
  });
});

describe("maxSendBufferBytes", () => {
  it("H17 ends the session of a peer that sends requests and never reads the replies", async () => {
    const listener = listen(rig(), { maxSendBufferBytes: 4 * 1024 * 1024 });
    const reasons: (string | undefined)[] = [];
    listener.on("client-disconnected", (_peer, reason) => reasons.push(reason.reason));
    const peer = await rawClient(listener);
    const other = await rawClient(listener);
    peer.channel.pause?.();
    for (let i = 0; i < 100 && listener.connectionCount === 2; i++) {
      await peer.send(call(2 * i + 1, "test.Test.large", { payload: json(1_000_000) }));
    }
    expect(reasons.length === 0 || reasons[0] === "maxSendBufferBytes").toBe(true);
    // Either it was closed, or reading from it has stopped: in both cases nothing more is made for it.
    await other.send(call(1, "test.Test.echo", { payload: json("unaffected") }));
    expect(other.results).toEqual(["unaffected"]);
  });

  it("H17 keeps finished replies until the peer reads, and loses none", async () => {
    const gate = new Gate();
    const router = createRouter(Test, {
      echo: (input) => input,
      large: async () => {
        await gate.promise;
        return "x".repeat(1_000_000);
      },
      hang: () => null,
      count: () => [],
      both: () => [],
    });
    const listener = listen(router, { maxSendBufferBytes: 4 * 1024 * 1024 });
    const reasons: (string | undefined)[] = [];
    listener.on("client-disconnected", (_peer, reason) => reasons.push(reason.reason));
    const peer = await rawClient(listener);
    for (let i = 0; i < 20; i++) await peer.send(call(2 * i + 1, "test.Test.large"));
    peer.channel.pause?.();
    gate.open();
    await settled();
    expect(peer.results).toHaveLength(0);
    peer.channel.resume?.();
    await settled();
    expect(peer.results).toHaveLength(20);
    expect(reasons).toEqual([]);
  });

  it("H17 ends a peer that has read nothing for four times its time of life", async () => {
    const clock = new FakeClock();
    const listener = listen(rig(), { clock, heartbeatMs: 100, aliveMs: 300 });
    const reasons: (string | undefined)[] = [];
    listener.on("client-disconnected", (_peer, reason) => reasons.push(reason.reason));
    const peer = await rawClient(listener);
    peer.channel.pause?.();
    for (let i = 0; i < 4; i++) await peer.send(call(2 * i + 1, "test.Test.large", { payload: json(1_000_000) }));
    // It goes on sending: what it does not do is read.
    for (let beat = 1; beat <= 13; beat++) {
      await peer.send({ body: Body.Pong, token: beat });
      await clock.advance(100);
    }
    expect(reasons).toEqual(["PEER_LOST"]);
    expect(listener.connectionCount).toBe(0);
  });

  it("H17 stops reading from such a peer before that, and goes on when it reads again", async () => {
    const gate = new Gate();
    let echoes = 0;
    const router = createRouter(Test, {
      echo: (input) => (echoes++, input),
      large: async () => {
        await gate.promise;
        return "x".repeat(1_000_000);
      },
      hang: () => null,
      count: () => [],
      both: () => [],
    });
    const listener = listen(router, { maxSendBufferBytes: 16 * 1024 * 1024 });
    const peer = await rawClient(listener);
    for (let i = 0; i < 12; i++) await peer.send(call(2 * i + 1, "test.Test.large"));
    peer.channel.pause?.();
    gate.open();
    await settled();
    await peer.send(call(101, "test.Test.echo"));
    expect(echoes).toBe(0);
    peer.channel.resume?.();
    await settled();
    expect(echoes).toBe(1);
    expect(peer.results).toHaveLength(13);
    expect(peer.ends).toEqual([]);
  });
});

describe("maxDepth", () => {
  it("H68 serves a call at the deepest level and refuses one below", async () => {
    const peer = await rawClient(listen(rig(), { maxDepth: 4 }));
    await peer.send(
      call(1, "test.Test.echo", { depth: 4, payload: json("deep") }),
      call(3, "test.Test.echo", { depth: 5 }),
    );
    expect(peer.results).toEqual(["deep"]);
    expect(peer.failures).toEqual([[3, 8, "maxDepth"]]);
  });
});
