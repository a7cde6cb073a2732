import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, notification, RpcError, unary } from "../src/index.ts";
import { jsonEnvelopeCodec } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, Gate, listen, thrownBy } from "./rig.ts";
import { resumable, whileTimePasses, wrapped } from "./resume-rig.ts";

const Test = defineContract("test.Test", { echo: unary(), slow: unary(), wake: notification() });

function served() {
  const runs: unknown[] = [];
  const gates: Gate<unknown>[] = [];
  const router = createRouter(Test, {
    echo: (input) => {
      runs.push(input);
      return input;
    },
    slow: (input) => {
      runs.push(input);
      const gate = new Gate<unknown>();
      gates.push(gate);
      return gate.promise;
    },
    wake: (input) => void runs.push(input),
  });
  return { router, runs, gates };
}

describe("a cut that loses an acknowledgement", () => {
  it("confirms the notification by what the far end says when it is back", async () => {
    let isLosing = false;
    const { router, runs } = served();
    const rig = resumable(router, {
      dress: (channel, side) =>
        side === "dialing"
          ? channel
          : wrapped(channel, { send: (message, transfer) => (isLosing ? true : channel.send(message, transfer)) }),
    });
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    isLosing = true;
    const wake = client.wake("up", { ack: true });
    await settled();
    expect(runs).toEqual([0, "up"]);
    await rig.cut();
    isLosing = false;
    await whileTimePasses(rig.clock, wake);
    expect(runs).toEqual([0, "up"]);
  });

  it("says `unknown` of a notification that was sent and not confirmed in time, and lets a drain go", async () => {
    let isLosing = false;
    const { router } = served();
    const rig = resumable(router, {
      dress: (channel, side) =>
        side === "dialing"
          ? channel
          : wrapped(channel, {
              send: (message, transfer) => (isLosing ? true : channel.send(message, transfer)),
            }),
    });
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    isLosing = true;
    const wake = failure(client.wake("up", { ack: true, timeoutMs: 1_000 }));
    await rig.clock.advance(1_001);
    expect(await wake).toMatchObject({ code: "DEADLINE_EXCEEDED", delivered: "unknown" });
    const before = rig.clock.now();
    await whileTimePasses(rig.clock, rig.transport.close({ drainMs: 60_000 }));
    expect(rig.clock.now() - before).toBeLessThan(1_000);
  });
});

describe("coming back", () => {
  it("T14 sends a call again with a whole number of milliseconds left", async () => {
    const deadlines: unknown[] = [];
    let isLosing = true;
    const { router, gates } = served();
    const rig = resumable(router, {
      transport: { clock: new FakeClock(1_000_000.25) },
      dress: (channel, side) =>
        side === "accepting"
          ? channel
          : wrapped(channel, {
              send: (message, transfer) => {
                const envelope = jsonEnvelopeCodec.decode(message);
                if ("deadlineMs" in envelope) deadlines.push(envelope.deadlineMs);
                return "deadlineMs" in envelope && isLosing ? true : channel.send(message, transfer);
              },
            }),
    });
    const call = createClient(Test, rig.transport).slow(1, { timeoutMs: 5_000.5 });
    await settled();
    isLosing = false;
    await rig.cut();
    const clock = rig.transport.clock as FakeClock;
    await clock.advance(200.5);
    expect(deadlines).toHaveLength(2);
    for (const deadline of deadlines) expect(Number.isInteger(deadline)).toBe(true);
    gates[0]?.open("done");
    await expect(call).resolves.toBe("done");
  });

  it("ends the connection of a handshake in whose middle the window was over", async () => {
    const { router } = served();
    let isMute = false;
    const rig = resumable(router, {
      listener: { resumeWindowMs: 2_000 },
      dress: (channel, side) =>
        side === "dialing"
          ? channel
          : wrapped(channel, { send: (message, transfer) => (isMute ? true : channel.send(message, transfer)) }),
    });
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    const lost = failure(client.slow(1));
    await settled();
    isMute = true;
    await rig.cut();
    await rig.clock.advance(2_500);
    expect(await lost).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    isMute = false;
    await rig.transport.close();
    await rig.clock.advance(20_000);
    expect(rig.listener.connectionCount).toBe(0);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("does not hand a session over that a listener of the loss has ended", async () => {
    const { router } = served();
    const rig = resumable(router);
    rig.listener.on("client-suspended", (peer) => peer.disconnect());
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    const call = client.echo(1).catch((error: unknown) => RpcError.from(error).code);
    rig.links.at(-1)?.[0].destroy?.();
    await whileTimePasses(rig.clock, call);
    expect(await whileTimePasses(rig.clock, client.echo(2))).toBe(2);
    expect([...rig.listener.peers]).toHaveLength(1);
  });

  it("is ready again when the server was restarted meanwhile", async () => {
    const { router } = served();
    const rig = resumable(router);
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    await rig.restart();
    await whileTimePasses(rig.clock, rig.transport.ready());
    expect(rig.transport.status).toBe("open");
  });

  it("does not wait with its own end for somebody who cannot come back", async () => {
    const { router } = served();
    const rig = resumable(router);
    const call = failure(createClient(Test, rig.transport).slow(1));
    await settled();
    rig.down = true;
    await rig.cut();
    const before = rig.clock.now();
    await whileTimePasses(rig.clock, rig.listener.close({ drainMs: 4_000 }));
    expect(rig.clock.now() - before).toBeLessThan(500);
    await rig.transport.close();
    expect((await call).code).toBe("UNAVAILABLE");
  });

  it("gives up a message that no connection lasts long enough for", async () => {
    const { router } = served();
    const rig = resumable(router, {
      dress: (channel, side) =>
        side === "accepting"
          ? channel
          : wrapped(channel, {
              send: (message, transfer) => {
                if (message.byteLength < 5_000) return channel.send(message, transfer);
                void rig.cut();
                return false;
              },
            }),
    });
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    const error = await whileTimePasses(rig.clock, failure(client.echo("x".repeat(10_000))));
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(error.message).toContain("before anything got across");
    expect(rig.clock.now()).toBeGreaterThan(1_060_000);
    expect(await whileTimePasses(rig.clock, client.echo(1))).toBe(1);
  });

  it("does not dial a server without a pause that welcomes and drops", async () => {
    const { router } = served();
    const rig = resumable(router);
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    rig.listener.on("client-resumed", () => void rig.cut());
    void rig.cut();
    for (let i = 0; i < 100; i++) await rig.clock.advance(100);
    expect(rig.links.length).toBeLessThan(40);
  });
});

describe("messages larger than the buffers", () => {
  it("one always fits, and a call whose session ends over it fails", async () => {
    const { router } = served();
    const large = "x".repeat(300_000);
    const rig = resumable(router, {
      listener: { maxMessageBytes: 1_000_000, maxReplayBytes: 100_000, maxSendBufferBytes: 100_000 },
      transport: { maxMessageBytes: 1_000_000, maxReplayBytes: 100_000, maxSendBufferBytes: 100_000 },
    });
    const client = createClient(Test, rig.transport);
    expect(await whileTimePasses(rig.clock, client.echo(large))).toBe(large);
    expect(await whileTimePasses(rig.clock, client.echo("next"))).toBe("next");
  });
});

describe("options of a session", () => {
  it("keeps timers within what a timer keeps", async () => {
    const { router } = served();
    const rig = resumable(router, { transport: { resumeWindowMs: 2 ** 40 }, listener: { resumeWindowMs: 2 ** 40 } });
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    rig.down = true;
    await rig.cut();
    await rig.clock.advance(60_000);
    expect(rig.transport.status).toBe("suspended");
    rig.down = false;
    expect(await whileTimePasses(rig.clock, client.echo(1))).toBe(1);
  });

  it.each([
    [{ authenticate: undefined as never }, "authenticate"],
    [{ secrets: { "": "a secret without a name" } }, "without a name"],
    [{ secrets: { peer: "the name of everybody else" } }, '"peer"'],
  ])("refuses %j", (options, text) => {
    const error = thrownBy(() => listen(served().router, options));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain(text);
  });
});
