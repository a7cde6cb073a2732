import { describe, expect, it } from "vitest";
import { type CallContext, createRouter, RpcError } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, failure, Gate, json, listen, rawClient } from "./rig.ts";
import { Server, Client, never, aborted, rig } from "./session-rig.ts";

describe("a session, in both directions", () => {
  it("C44 lets a handler call its caller, and use the output", async () => {
    const { bot } = rig({ server: { echo: async (_input, ctx) => `hello ${await ctx.peer?.client(Client).name()}` } });
    expect(await bot.echo()).toBe("hello me");
  });

  it("C46 lets the server call a client that has no call open", async () => {
    const { transport } = rig();
    await transport.ready();
    const [peer] = transport.listener.peers;
    expect(await peer?.client(Client).name()).toBe("me");
  });

  it("C45 carries calls that alternate between both ends five deep", async () => {
    const step = (
      who: string,
      other: (ctx: CallContext) => (n: number, ctx: CallContext) => Promise<string[]> | undefined,
    ) => {
      return async (n: number, ctx: CallContext): Promise<string[]> => [
        `${who}${n}@${ctx.depth}`,
        ...(n === 0 ? [] : ((await other(ctx)(n - 1, ctx)) ?? [])),
      ];
    };
    const { bot } = rig({
      server: { dive: step("s", (ctx) => (n, own) => ctx.peer?.client(Client).dive(n, own)) },
      client: { dive: step("c", (ctx) => (n, own) => ctx.peer?.client(Server).dive(n, own)) },
    });
    expect(await bot.dive(5)).toEqual(["s5@0", "c4@1", "s3@2", "c2@3", "s1@4", "c0@5"]);
  });

  it("H68 ends calls that call back without end, by their depth", async () => {
    let calls = 0;
    const { bot } = rig({
      server: { dive: (n, ctx) => (calls++, ctx.peer?.client(Client).dive(n, ctx)) },
      client: { dive: (n, ctx) => (calls++, ctx.peer?.client(Server).dive(n, ctx)) },
    });
    expect(await failure(bot.dive(1))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
    expect(calls).toBe(33);
  });

  it("lets calls that call back through where the limit on calls is used up", async () => {
    const { bot } = rig(
      { server: { echo: (_input, ctx) => ctx.peer?.client(Client).name(undefined, ctx) } },
      { maxCallsInFlight: 1 },
    );
    expect(await Promise.all([bot.echo(), bot.echo(), bot.echo()])).toEqual(["me", "me", "me"]);
  });

  it("serves nothing to a server when the client was not asked to", async () => {
    const { bot } = rig({ server: { echo: (_input, ctx) => ctx.peer?.client(Client).name() } }, { serve: undefined });
    expect(await failure(bot.echo())).toMatchObject({ code: "UNIMPLEMENTED" });
  });

  it("C22 does not hold up a fast call behind a slow one", async () => {
    const { bot } = rig();
    const slow = bot.hang.start();
    expect(await bot.echo("fast")).toBe("fast");
    expect(slow.state).toBe("running");
  });

  it("C43 starts calls and notifications in the order sent", async () => {
    const order: unknown[] = [];
    const { bot } = rig({ server: { echo: (n) => order.push(n), wake: (n) => order.push(n) } });
    await Promise.all([bot.echo(1), bot.wake(2), bot.echo(3), bot.wake(4), bot.echo(5)]);
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it("gives a nested call the trace of its caller, and nothing else of its metadata", async () => {
    let seen: [string, string][] = [];
    const { bot } = rig({
      server: { echo: (_input, ctx) => ctx.peer?.client(Client).name(undefined, ctx) },
      client: { name: (_input, ctx) => ((seen = [...ctx.metadata] as [string, string][]), "x") },
    });
    await bot.echo(1, { metadata: { traceparent: "00-abc", authorization: "secret" }, idempotencyKey: "k" });
    expect(seen).toEqual([["traceparent", "00-abc"]]);
  });

  it("H37 knows no identity that metadata or input claims", async () => {
    const { bot } = rig({ server: { echo: (_input, ctx) => ctx.peer?.identity ?? null } });
    expect(
      await bot.echo({ identity: "root" }, { metadata: { identity: "root", peer: "root", "x-forwarded-for": "root" } }),
    ).toBeNull();
  });

  it("C67 cancels what a handler has called with its context when its own call is cancelled", async () => {
    let inner: CallContext | undefined;
    const { bot } = rig({
      server: { echo: (_input, ctx) => ctx.peer?.client(Client).hang(undefined, ctx) },
      client: { hang: (_input, ctx) => ((inner = ctx), never()) },
    });
    const handle = bot.echo.start();
    await settled();
    await handle.cancel("newer commit");
    await settled();
    expect(inner?.signal.reason).toMatchObject({ code: "CANCELLED", message: "newer commit" });
  });
});

describe("notifications", () => {
  it("C42 H67 send nothing back when their handler throws, and the error is reported", async () => {
    const errors: RpcError[] = [];
    const broken = [
      () => {
        throw new Error("sync");
      },
      () => Promise.reject(new Error("async")),
    ];
    for (const wake of broken) {
      const { bot, transport } = rig({ server: { wake } }, { onError: (error: RpcError) => errors.push(error) });
      expect(await bot.wake()).toBeUndefined();
      await settled();
      expect(transport.connected).toBe(true);
    }
    expect(errors.map(({ message }) => message)).toEqual(["sync", "async"]);
  });

  it("reach a client from its server", async () => {
    const woken: unknown[] = [];
    const { transport } = rig({ client: { wake: (input) => void woken.push(input) } });
    await transport.ready();
    const [peer] = transport.listener.peers;
    await peer?.client(Client).wake("up");
    await settled();
    expect(woken).toEqual(["up"]);
  });

  it("have metadata, a peer, and nowhere to report progress to", async () => {
    let seen: unknown[] = [];
    const { bot } = rig({
      server: {
        wake: (_input, ctx) => {
          ctx.progress(1);
          ctx.log("nowhere");
          seen = [
            ctx.metadata.get("a"),
            ctx.observed,
            ctx.peer !== undefined,
            ctx.deadline,
            ctx.idempotencyKey,
            ctx.attempt,
          ];
        },
      },
    });
    await bot.wake(null, { metadata: { a: "1" } });
    await settled();
    expect(seen).toEqual(["1", false, true, undefined, undefined, 1]);
  });

  it("H89 that cannot travel fail at their caller", async () => {
    expect(await failure(rig().bot.wake(() => 1))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a caller that is gone", () => {
  it("C68 aborts the signal of the handlers that it has started", async () => {
    const contexts: CallContext[] = [];
    const listener = listen(createRouter(Server, { ...plain(), hang: (_input, ctx) => (contexts.push(ctx), never()) }));
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.hang"), call(3, "test.Server.hang"));
    peer.channel.close();
    await settled();
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(contexts[0]?.signal.reason).toMatchObject({ code: "UNAVAILABLE" });
    expect(contexts[0]?.cancelReason).toBe(contexts[0]?.signal.reason);
  });

  it("C68 aborts a signal that the handler asks for only afterwards", async () => {
    const contexts: CallContext[] = [];
    const listener = listen(createRouter(Server, { ...plain(), hang: (_input, ctx) => (contexts.push(ctx), never()) }));
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.hang"));
    peer.channel.close();
    await settled();
    expect(contexts[0]?.signal.aborted).toBe(true);
  });

  it("ends the input stream that a handler reads", async () => {
    let error: unknown;
    const listener = listen(
      createRouter(Server, {
        ...plain(),
        sum: async (items) => {
          try {
            return (await all(items)).length;
          } catch (thrown) {
            error = thrown;
            throw thrown;
          }
        },
      }),
    );
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.sum", { kind: "clientStream" }));
    await peer.send({ body: Body.Item, id: 1, seq: 1, payload: json(1), extra: undefined });
    peer.channel.close();
    await settled();
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("C80 runs the finally of a stream that is sent to it", async () => {
    let left = false;
    const listener = listen(
      createRouter(Server, {
        ...plain(),
        count: async function* () {
          try {
            for (;;) yield 1;
          } finally {
            left = true;
          }
        },
      }),
    );
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.count", { kind: "serverStream", credits: 2 }));
    expect(peer.of(Body.Item)).toHaveLength(2);
    peer.channel.close();
    await settled();
    expect(left).toBe(true);
  });

  it("gets no reply, and nothing is thrown, when a handler settles afterwards", async () => {
    const gate = new Gate<unknown>();
    const listener = listen(createRouter(Server, { ...plain(), hang: () => gate.promise }));
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.hang"));
    peer.channel.close();
    await settled();
    gate.open("late");
    await settled();
    expect(peer.results).toEqual([]);
    expect(listener.errors).toEqual([]);
  });

  function plain() {
    return {
      echo: (input: unknown) => input,
      hang: never,
      dive: () => [],
      count: () => [1],
      sum: () => 0,
      wake: () => undefined,
    };
  }
});

describe("peer.disconnect", () => {
  it("ends the session with the reason, told to the other end", async () => {
    const { transport, bot } = rig();
    const failed = failure(bot.hang());
    await settled();
    const reasons: RpcError[] = [];
    transport.on("disconnected", (reason) => reasons.push(reason));
    const [peer] = transport.listener.peers;
    peer?.disconnect(new RpcError("PERMISSION_DENIED", "you are banned", { reason: "BANNED" }));
    expect(await failed).toMatchObject({ code: "PERMISSION_DENIED", reason: "BANNED", delivered: "unknown" });
    expect(reasons).toEqual([expect.objectContaining({ code: "PERMISSION_DENIED", message: "you are banned" })]);
    expect([...transport.listener.peers]).toEqual([]);
  });

  it("C135 leaves the transport usable: the next call dials again", async () => {
    const { transport, bot } = rig();
    await bot.echo();
    const [peer] = transport.listener.peers;
    peer?.disconnect();
    await settled();
    expect(transport.connected).toBe(false);
    expect(await bot.echo("back")).toBe("back");
  });

  it("fails calls to that peer afterwards", async () => {
    const { transport } = rig();
    await transport.ready();
    const [peer] = transport.listener.peers;
    const client = peer?.client(Client);
    peer?.disconnect();
    expect(await failure(client?.name() ?? Promise.resolve())).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });
});

describe("what a session holds", () => {
  it("H215 C133 is nothing after thousands of calls, streams, failures and cancels", async () => {
    const clock = new FakeClock();
    const { transport, bot } = rig(
      {
        server: {
          echo: (input) => input,
          hang: (_input, ctx) => aborted(ctx.signal),
        },
      },
      { clock, heartbeatMs: 0, maxCallsInFlight: 10, maxStreams: 10, maxQueuedCalls: 100_000 },
    );
    for (let round = 0; round < 50; round++) {
      const handles = Array.from({ length: 20 }, () => bot.hang.start(undefined, { timeoutMs: 1_000 }));
      const calls = Array.from({ length: 50 }, (_, i) => bot.echo(i));
      await settled();
      await Promise.all(handles.map((handle) => handle.cancel()));
      await Promise.allSettled([...handles, ...calls]);
      for await (const n of bot.count()) if (n === 3) break;
      await settled();
    }
    // Every place of the ten is free again, otherwise this hangs or is refused.
    expect(await Promise.all(Array.from({ length: 10 }, (_, i) => bot.echo(i)))).toHaveLength(10);
    const idle = transport.close({ drainMs: 1_000_000 });
    // A drain ends at once only when nothing is in flight on either side.
    await idle;
    expect(clock.timerCount).toBe(0);
  });

  it("H70 is nothing after a thousand sessions with calls pending", async () => {
    const clock = new FakeClock();
    const listener = listen(
      createRouter(Client, { name: () => "x", hang: never, dive: () => [], wake: () => undefined }),
      { clock },
    );
    for (let i = 0; i < 1_000; i++) {
      const peer = await rawClient(listener);
      await peer.send(call(1, "test.Client.hang", { deadlineMs: 60_000 }));
      peer.channel.close();
    }
    await settled();
    expect(listener.connectionCount).toBe(0);
    expect([...listener.peers]).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });
});
