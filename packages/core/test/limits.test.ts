import { describe, expect, it } from "vitest";
import {
  bidiStream,
  type CallContext,
  createClient,
  createMemoryTransport,
  createRouter,
  defineContract,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body, createMemoryChannelPair, DEFAULT_LIMITS, jsonEnvelopeCodec, resolveLimits, type SessionLimits } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, CHALLENGE, dialTo, failure, Gate, HELLO, json, listen, memory, rawClient, RawPeer, thrownBy, WELCOME } from "./rig.ts";

const Test = defineContract("test.Test", { echo: unary(), large: unary(), hang: unary(), count: serverStream(), both: bidiStream() });

function rig(contexts: CallContext[] = []) {
  return createRouter(Test, {
    echo: (input) => input,
    large: (size) => "x".repeat(Number(size)),
    hang: (_input, ctx) => {
      contexts.push(ctx);
      return new Promise(() => undefined);
    },
    count: async function* (_input, ctx) {
      contexts.push(ctx);
      for (let i = 1; ; i++) {
        yield i;
        if (ctx.signal.aborted) return;
      }
    },
    both: async function* (items) {
      for await (const item of items) yield item;
    },
  });
}

describe("limits", () => {
  it("H95 have defaults, also when they are undefined", () => {
    expect(resolveLimits({})).toEqual(DEFAULT_LIMITS);
    expect(resolveLimits({ maxDepth: undefined })).toEqual(DEFAULT_LIMITS);
    expect(resolveLimits({ maxDepth: 5 })).toEqual({ ...DEFAULT_LIMITS, maxDepth: 5 });
  });

  const names = Object.keys(DEFAULT_LIMITS) as (keyof SessionLimits)[];

  it.each(names)("H95 refuse a %s that is negative, fractional or no number, when the transport is made", (name) => {
    for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "5"]) {
      const error = thrownBy(() => createMemoryTransport(rig(), { [name]: value }));
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(error.message).toContain(name);
    }
  });

  it("H95 mean zero by zero: no calls are taken", async () => {
    const peer = await rawClient(listen(rig(), { maxCallsInFlight: 0 }));
    await peer.send(call(1, "test.Test.echo"));
    expect(peer.failures).toEqual([[1, 8, "maxCallsInFlight"]]);
  });

  it("H95 mean zero by zero: no streams are taken, calls are", async () => {
    const client = createClient(Test, memory(rig(), { maxStreams: 0 }));
    expect(await failure(all(client.count()))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxStreams" });
    expect(await client.echo(1)).toBe(1);
  });

  it("H95 mean zero by zero: no metadata is taken, calls without are", async () => {
    const client = createClient(Test, memory(rig(), { maxMetadataBytes: 0 }));
    expect(await failure(client.echo(1, { metadata: { a: "b" } }))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxMetadataBytes" });
    expect(await client.echo(1)).toBe(1);
  });

  it("H95 mean zero by zero: a call that has to wait for the connection is refused", async () => {
    const transport = memory(rig(), { maxQueuedCalls: 0 });
    const client = createClient(Test, transport);
    expect(await failure(client.echo(1))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxQueuedCalls", delivered: "no" });
    await transport.ready();
    expect(await client.echo(2)).toBe(2);
  });

  it.each([0, 1, 100])("H95 of %d bytes for a message fail every call, and neither hang nor crash", async (maxMessageBytes) => {
    const client = createClient(Test, memory(rig(), { maxMessageBytes }));
    const error = await failure(client.echo(1));
    expect(error.code).toMatch(/UNAVAILABLE|RESOURCE_EXHAUSTED/);
    await settled();
  });
});

describe("maxMessageBytes", () => {
  const LIMIT = 3_000;

  /** Bytes of an envelope around a payload of no characters. */
  function overhead(result: boolean): number {
    const empty = json("");
    const envelope = result ? ({ body: Body.Result, id: 1, payload: empty, metadata: undefined } as const) : call(1, "test.Test.echo", { payload: empty });
    return jsonEnvelopeCodec.encode(envelope).byteLength;
  }

  it("C49 lets input of exactly the limit pass; one byte more is refused here, and the next call works", async () => {
    const router = createRouter(Test, { ...plain(), echo: (input) => (input as string).length });
    const client = createClient(Test, memory(router, { maxMessageBytes: LIMIT }));
    const room = LIMIT - overhead(false);
    expect(await client.echo("x".repeat(room))).toBe(room);
    const error = await failure(client.echo("x".repeat(room + 2)));
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxMessageBytes", delivered: "no" });
    expect(error.message).toContain("test.Test.echo");
    expect(await client.echo("ok")).toBe(2);
  });

  it("C50 lets output of exactly the limit pass; one byte more is refused at the caller, and the next call works", async () => {
    const client = createClient(Test, memory(rig(), { maxMessageBytes: LIMIT }));
    const room = LIMIT - overhead(true);
    expect(await client.large(room)).toHaveLength(room);
    expect(await failure(client.large(room + 3))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxMessageBytes" });
    expect(await client.echo("ok")).toBe("ok");
  });

  it("C49 closes at a message from a peer that is one byte over, and serves one at the limit", async () => {
    const listener = listen(rig(), { maxMessageBytes: LIMIT });
    const peer = await rawClient(listener);
    const fits = call(1, "test.Test.echo", { payload: json("x".repeat(LIMIT - overhead(false))) });
    await peer.send(fits);
    expect(peer.failures.length + peer.results.length).toBe(1);
    expect(peer.ends).toEqual([]);
    await peer.send(call(3, "test.Test.echo", { payload: json("x".repeat(LIMIT - overhead(false) + 1)) }));
    expect(peer.ends).toHaveLength(1);
  });

  it("C49 closes at a message over the limit also on a channel that does not check it", async () => {
    const listener = listen(rig(), { maxMessageBytes: LIMIT });
    const [near, far] = createMemoryChannelPair();
    listener.accept({
      remote: far.remote,
      security: far.security,
      open: (sink) => far.open(sink),
      send: (message, transfer) => far.send(message, transfer),
      close: (reason) => far.close(reason),
    });
    const peer = new RawPeer(near);
    await peer.send(HELLO);
    await peer.sendBytes(new Uint8Array(LIMIT + 1).fill(32));
    expect(peer.goodbye).toMatchObject({ code: 13, reason: "PROTOCOL" });
    expect(peer.ends).toHaveLength(1);
  });

  it("holds for what the peer announced, when that is less", async () => {
    const { transport, peers } = dialTo({}, false);
    const opened = transport.ready();
    await settled();
    await peers[0]?.send({ ...CHALLENGE, limits: { maxMessageBytes: 500, maxCalls: 0, heartbeatMs: 0, aliveMs: 0 } }, WELCOME);
    await opened;
    expect(await failure(createClient(Test, transport).echo("x".repeat(500)))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxMessageBytes" });
    expect(transport.connected).toBe(true);
  });

  it("C88 fails a stream at a later item over the limit; earlier ones stay delivered", async () => {
    const router = createRouter(Test, { ...plain(), count: () => ["a", "b", "x".repeat(LIMIT)] });
    const got: unknown[] = [];
    const client = createClient(Test, memory(router, { maxMessageBytes: LIMIT }));
    const error = await failure(
      (async () => {
        for await (const item of client.count()) got.push(item);
      })(),
    );
    expect(got).toEqual(["a", "b"]);
    expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(error.message).toContain("stream item 3");
  });

  it("H90 lets an error through whose details are over the limit, without them", async () => {
    const router = createRouter(Test, {
      ...plain(),
      echo: () => {
        throw new RangeError("y".repeat(10_000));
      },
    });
    const error = await failure(createClient(Test, memory(router, { maxMessageBytes: LIMIT })).echo());
    expect(error.code).toBe("UNKNOWN");
    expect(error.message.startsWith("yyy")).toBe(true);
  });

  it("H90 lets an error through even when hardly anything fits", async () => {
    const router = createRouter(Test, {
      ...plain(),
      echo: () => {
        throw new RangeError("y".repeat(10_000));
      },
      hang: () => Promise.reject(new RangeError("z".repeat(10_000))),
      large: () => "x".repeat(1_000),
    });
    const client = createClient(Test, memory(router, { maxMessageBytes: 400 }));
    expect((await failure(client.echo())).code).toBe("UNKNOWN");
    expect((await failure(client.hang())).code).toBe("UNKNOWN");
    expect(await failure(client.large())).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("H90 does not crash when the reason of a cancel does not fit", async () => {
    const client = createClient(Test, memory(rig(), { maxMessageBytes: 400 }));
    const controller = new AbortController();
    const failed = failure(client.hang(1, { signal: controller.signal }));
    await settled();
    controller.abort(new Error("r".repeat(5_000)));
    expect(await failed).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(await client.echo("next")).toBe("next");
  });

  function plain() {
    return { echo: (input: unknown) => input, large: () => "", hang: () => new Promise(() => undefined) as Promise<unknown>, count: () => [] as unknown[], both: () => [] };
  }
});

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
    await peer.send(call(1, "test.Test.hang"), call(3, "test.Test.hang"), call(5, "test.Test.hang"), call(7, "test.Test.echo"));
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
    expect(new Set(peer.failures.map(([, code, reason]) => `${code} ${reason}`))).toEqual(new Set(["8 maxCallsInFlight"]));
  });

  it("H54 counts notifications that are being handled", async () => {
    const Notify = defineContract("test.Notify", { wake: notification() });
    let running = 0;
    const listener = listen(createRouter(Notify, { wake: () => new Promise(() => void running++) }), { maxCallsInFlight: 2 });
    const peer = await rawClient(listener);
    for (let i = 0; i < 5; i++) await peer.send({ body: Body.Notify, method: "test.Notify.wake", payload: undefined, metadata: undefined, depth: 0 });
    expect(running).toBe(2);
    expect(listener.errors.map(({ reason }) => reason)).toEqual(["maxCallsInFlight", "maxCallsInFlight", "maxCallsInFlight"]);
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
    expect(await failure(client.echo(3))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxQueuedCalls", delivered: "no" });
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
    await peer.send(call(1, "test.Test.count", stream), call(3, "test.Test.count", stream), call(5, "test.Test.count", stream), call(7, "test.Test.echo"));
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
    for (let i = 0; i < 10_000; i++) void peer.send(call(2 * i + 1, "test.Test.count", { kind: "serverStream", credits: 2 }));
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

  it("H17 closes once the limit is exceeded by calls that were running already", async () => {
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
    expect(reasons).toEqual(["maxSendBufferBytes"]);
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
    await peer.send(call(1, "test.Test.echo", { depth: 4, payload: json("deep") }), call(3, "test.Test.echo", { depth: 5 }));
    expect(peer.results).toEqual(["deep"]);
    expect(peer.failures).toEqual([[3, 8, "maxDepth"]]);
  });
});
