import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, serverStream, unary } from "../src/index.ts";
import { Body, type Channel, type ChannelSink, createMemoryChannelPair } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import {
  call,
  CHALLENGE,
  dialTo,
  failure,
  Gate,
  HELLO,
  json,
  listen,
  memory,
  RawPeer,
  rawClient,
  WELCOME,
} from "./rig.ts";

const Work = defineContract("test.Work", { run: unary(), echo: unary(), items: serverStream() });
const Site = defineContract("test.Site", { ask: unary() });

function working(gate: Gate<unknown>) {
  return createRouter(Work, {
    run: async (_input, context) => {
      await gate.promise;
      return context.peer.client(Site).ask(undefined, context);
    },
    echo: (input) => input,
    items: () => [],
  });
}

const site = createRouter(Site, { ask: () => 42 });

describe("a drain", () => {
  it.each(["server", "client"])("C134 lets what runs call back when the %s drains", async (who) => {
    const gate = new Gate<unknown>();
    const transport = memory(working(gate), { serve: site });
    const running = createClient(Work, transport).run();
    await settled();
    const closing = (who === "server" ? transport.listener : transport).close({ drainMs: 5_000 });
    gate.open(undefined);
    expect(await running).toBe(42);
    await closing;
  });

  it("C134 ends in its time when the client stops sending meanwhile", async () => {
    const clock = new FakeClock();
    const listener = listen(working(new Gate()), { clock });
    const [near, far] = createMemoryChannelPair();
    let sink: ChannelSink | undefined;
    const channel: Channel = {
      remote: far.remote,
      security: far.security,
      open: (given) => far.open((sink = given)),
      send: (message, transfer) => far.send(message, transfer),
      close: (reason) => far.close(reason),
    };
    listener.accept(channel);
    const peer = new RawPeer(near);
    await peer.send(HELLO, call(1, "test.Work.run"));
    let closed = false;
    const closing = listener.close({ drainMs: 500 }).then(() => (closed = true));
    sink?.ended?.();
    await settled();
    expect(closed).toBe(false);
    await clock.advance(500);
    await closing;
    expect(peer.of(Body.Goodbye)).toHaveLength(1);
  });

  it("C134 gives back what was not sent yet, as not delivered", async () => {
    const { transport, peers } = dialTo({}, false);
    const ready = transport.ready();
    await settled();
    await peers[0]?.send(
      { ...CHALLENGE, limits: { maxMessageBytes: 0, maxCalls: 1, heartbeatMs: 0, aliveMs: 0 } },
      WELCOME,
    );
    await ready;
    const client = createClient(Work, transport);
    const sent = failure(client.echo(1));
    const waiting = failure(client.echo(2));
    await settled();
    await peers[0]?.send({ body: Body.Drain, reason: "", deadlineMs: 100 });
    expect(await waiting).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
    await transport.close();
    expect(await sent).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
  });

  it("C134 makes the calls that wait for the connection when the transport closes with time", async () => {
    const transport = memory(working(new Gate()));
    const calling = createClient(Work, transport).echo("in time");
    const closing = transport.close({ drainMs: 5_000 });
    expect(await calling).toBe("in time");
    await closing;
  });
});

describe("a session that ends inside a handler", () => {
  it("tells that handler by its signal", async () => {
    const signals: AbortSignal[] = [];
    const router = createRouter(Work, {
      run: (_input, context) => {
        context.peer.disconnect();
        signals.push(context.signal);
        return new Promise(() => undefined);
      },
      echo: (input) => input,
      items: () => [],
    });
    const peer = await rawClient(listen(router));
    await peer.send(call(1, "test.Work.run", { payload: json(null) }));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });
});
