import { describe, expect, it } from "vitest";
import { type CallContext, createClient, createRouter, type RpcError } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, dialTo, failure, Gate, json, listen, memory, rawClient } from "./rig.ts";
import { Server, never, rig } from "./session-rig.ts";

describe("closing", () => {
  it("C132 settles once, however often it is asked", async () => {
    const { transport, bot } = rig();
    await bot.echo();
    const disconnected: RpcError[] = [];
    transport.on("disconnected", (reason) => disconnected.push(reason));
    await Promise.all([transport.close(), transport.close(), transport[Symbol.asyncDispose]()]);
    await transport.close();
    expect(disconnected).toHaveLength(1);
  });

  it("C132 settles a transport that was never used", async () => {
    expect(await rig().transport.close()).toBeUndefined();
  });

  it("C133 rejects each pending call once, and refuses calls afterwards", async () => {
    const { transport, bot } = rig();
    const pending = [failure(bot.hang()), failure(bot.hang()), failure(all(bot.count()))];
    await settled();
    await transport.close();
    for (const error of await Promise.all(pending))
      expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(await failure(bot.echo())).toMatchObject({ code: "FAILED_PRECONDITION", delivered: "no" });
    expect(await failure(all(bot.count()))).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(await failure(bot.wake())).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(await failure(transport.ready())).toMatchObject({ code: "FAILED_PRECONDITION" });
  });

  it("C133 rejects calls that are still waiting for the connection as not delivered", async () => {
    const { transport } = dialTo({}, false);
    const failed = failure(createClient(Server, transport).echo());
    await settled();
    await transport.close();
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });

  it("tells the far end that it is over", async () => {
    const { transport, peers } = dialTo();
    await transport.ready();
    await transport.close();
    await settled();
    expect(peers[0]?.of(Body.Goodbye)).toEqual([{ body: Body.Goodbye, error: undefined, sessionOver: true }]);
    expect(peers[0]?.ends).toHaveLength(1);
  });

  it("C134 finishes what runs, refuses what is new, and ends as soon as nothing runs", async () => {
    const clock = new FakeClock();
    const gate = new Gate<string>();
    const { transport, bot } = rig({ server: { hang: () => gate.promise } }, { clock, heartbeatMs: 0 });
    const running = bot.hang();
    await settled();
    const closed = transport.close({ drainMs: 10_000 });
    expect(await failure(bot.echo())).toMatchObject({ code: "FAILED_PRECONDITION" });
    await clock.advance(5_000);
    gate.open("finished");
    expect(await running).toBe("finished");
    await closed;
    expect(clock.timerCount).toBe(0);
  });

  it("C134 H212 ends at drainMs at the latest, and aborts what still runs", async () => {
    const clock = new FakeClock();
    let ctx: CallContext | undefined;
    const { transport, bot } = rig(
      { server: { hang: (_input, own) => ((ctx = own), never()) } },
      { clock, heartbeatMs: 0 },
    );
    const running = failure(bot.hang());
    await settled();
    const closed = transport.close({ drainMs: 10_000 });
    await clock.advance(9_999);
    expect(ctx?.signal.aborted).toBe(false);
    await clock.advance(1);
    await closed;
    expect(await running).toMatchObject({ code: "UNAVAILABLE" });
    await settled();
    expect(ctx?.signal.aborted).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it("C134 of a listener refuses new calls with UNAVAILABLE, says Drain, and finishes what runs", async () => {
    const clock = new FakeClock();
    const gate = new Gate<string>();
    const router = createRouter(Server, {
      echo: (i) => i,
      hang: () => gate.promise,
      dive: () => [],
      count: () => [],
      sum: () => 0,
      wake: () => 0 as never,
    });
    const listener = listen(router, { clock, heartbeatMs: 0 });
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.hang"));
    const closed = listener.close({ drainMs: 10_000 });
    await peer.send(call(3, "test.Server.echo"));
    expect(peer.of(Body.Drain)).toEqual([{ body: Body.Drain, reason: "closing", deadlineMs: 10_000 }]);
    expect(peer.failures).toEqual([[3, 14, "DRAINING"]]);
    expect(peer.of(Body.Fail)[0]?.error.delivered).toBe("no");
    gate.open("finished");
    await closed;
    await settled();
    expect(peer.results).toEqual(["finished"]);
    expect(peer.ends).toHaveLength(1);
  });

  it("C134 drops a notification that comes while draining, and reports it", async () => {
    const clock = new FakeClock();
    const router = createRouter(Server, {
      echo: (i) => i,
      hang: never,
      dive: () => [],
      count: () => [],
      sum: () => 0,
      wake: () => 0 as never,
    });
    const listener = listen(router, { clock, heartbeatMs: 0 });
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Server.hang"));
    const closed = listener.close({ drainMs: 1_000 });
    await peer.send({
      body: Body.Notify,
      method: "test.Server.wake",
      payload: undefined,
      metadata: undefined,
      depth: 0,
    });
    expect(listener.errors.map(({ reason }) => reason)).toEqual(["DRAINING"]);
    await clock.advance(1_000);
    await closed;
  });

  it("C134 counts a stream as running until it has ended", async () => {
    const clock = new FakeClock();
    const gate = new Gate();
    const router = createRouter(Server, {
      echo: (i) => i,
      hang: never,
      dive: () => [],
      count: async function* () {
        yield 1;
        await gate.promise;
        yield 2;
      },
      sum: () => 0,
      wake: () => undefined,
    });
    const transport = memory(router, { clock, heartbeatMs: 0 });
    const items = all(createClient(Server, transport).count());
    await settled();
    const closed = transport.close({ drainMs: 10_000 });
    await settled();
    gate.open();
    expect(await items).toEqual([1, 2]);
    await closed;
  });

  it("C134 dials anew for calls that come after the server has begun to drain", async () => {
    const { transport, peers } = dialTo();
    const client = createClient(Server, transport);
    const running = client.hang();
    await settled();
    await peers[0]?.send({ body: Body.Drain, reason: "rolling restart", deadlineMs: 5_000 });
    const later = client.echo("later");
    await settled();
    expect(peers).toHaveLength(2);
    await peers[0]?.send({ body: Body.Result, id: 1, payload: json("old"), metadata: undefined });
    await peers[1]?.send({ body: Body.Result, id: 1, payload: json("new"), metadata: undefined });
    expect([await running, await later]).toEqual(["old", "new"]);
  });

  it("H211 settles when both ends close at once", async () => {
    const { transport, bot } = rig();
    const failed = failure(bot.hang());
    await settled();
    await Promise.all([transport.listener.close(), transport.close()]);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("H211 settles when both ends drain at once", async () => {
    const clock = new FakeClock();
    const { transport, bot } = rig({}, { clock, heartbeatMs: 0 });
    const failed = failure(bot.hang());
    await settled();
    const closed = Promise.all([transport.listener.close({ drainMs: 5_000 }), transport.close({ drainMs: 5_000 })]);
    await clock.advance(5_000);
    await closed;
    expect(await failed).toMatchObject({ code: "UNAVAILABLE" });
    expect(clock.timerCount).toBe(0);
  });

  it("H211 settles from inside a handler", async () => {
    const { transport, bot } = rig({ server: { echo: () => transport.close() } });
    expect(await failure(bot.echo())).toMatchObject({ code: "UNAVAILABLE" });
    await transport.close();
  });

  it("H211 settles from inside a callback", async () => {
    const { transport, bot } = rig();
    let closed: Promise<void> | undefined;
    transport.on("connected", () => (closed = transport.close()));
    expect(await failure(bot.echo())).toMatchObject({ code: "UNAVAILABLE" });
    await closed;
  });

  it("lets a rejected caller call again at once", async () => {
    const { transport, bot } = rig();
    const again = bot.hang().catch(() => bot.echo("again"));
    await settled();
    const [peer] = transport.listener.peers;
    peer?.disconnect();
    expect(await again).toBe("again");
  });
});
