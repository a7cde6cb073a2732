import { describe, expect, it } from "vitest";
import { createClient, createMemoryTransport, createRouter } from "../src/index.ts";
import {
  Body,
  createMemoryChannelPair,
  DEFAULT_LIMITS,
  jsonEnvelopeCodec,
  resolveLimits,
  type SessionLimits,
} from "../src/transport.ts";
import { settled } from "./fake-clock.ts";
import {
  all,
  call,
  CHALLENGE,
  dialTo,
  failure,
  HELLO,
  json,
  listen,
  memory,
  rawClient,
  RawPeer,
  thrownBy,
  WELCOME,
} from "./rig.ts";
import { Test, rig } from "./limits-rig.ts";

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
    expect(await failure(client.echo(1, { metadata: { a: "b" } }))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxMetadataBytes",
    });
    expect(await client.echo(1)).toBe(1);
  });

  it("H95 mean zero by zero: a call that has to wait for the connection is refused", async () => {
    const transport = memory(rig(), { maxQueuedCalls: 0 });
    const client = createClient(Test, transport);
    expect(await failure(client.echo(1))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxQueuedCalls",
      delivered: "no",
    });
    await transport.ready();
    expect(await client.echo(2)).toBe(2);
  });

  it.each([0, 1])(
    "H95 of %d bytes for a message fail every call, and neither hang nor crash",
    async (maxMessageBytes) => {
      const client = createClient(Test, memory(rig(), { maxMessageBytes }));
      const error = await failure(client.echo(1));
      expect(error.code).toMatch(/UNAVAILABLE|RESOURCE_EXHAUSTED/);
      await settled();
    },
  );
});

describe("maxMessageBytes", () => {
  const LIMIT = 3_000;

  /** Bytes of an envelope around a payload of no characters. */
  function overhead(result: boolean): number {
    const empty = json("");
    const envelope = result
      ? ({ body: Body.Result, id: 1, payload: empty, metadata: undefined } as const)
      : call(1, "test.Test.echo", { payload: empty });
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
    expect(await failure(client.large(room + 3))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxMessageBytes",
    });
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
    await peers[0]?.send(
      { ...CHALLENGE, limits: { maxMessageBytes: 500, maxCalls: 0, heartbeatMs: 0, aliveMs: 0 } },
      WELCOME,
    );
    await opened;
    expect(await failure(createClient(Test, transport).echo("x".repeat(500)))).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxMessageBytes",
    });
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
    return {
      echo: (input: unknown) => input,
      large: () => "",
      hang: () => new Promise(() => undefined),
      count: () => [] as unknown[],
      both: () => [],
    };
  }
});
