import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, unary } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { Heartbeat } from "../src/tools/heartbeat.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { call, CHALLENGE, dialTo, failure, listen, rawClient, WELCOME } from "./rig.ts";

class Port {
  sentCount = 0;
  receivedCount = 0;
  readingPaused = false;
  pings = 0;
  silentMs: number | undefined = undefined;

  sendPing(): void {
    this.pings++;
    this.sentCount++;
  }

  writable = true;
  progressCount = 0;

  peerStalled(stalledMs: number): void {
    this.peerSilent(stalledMs);
  }

  peerSilent(silentMs: number): void {
    this.silentMs = silentMs;
  }
}

function rig(intervalMs = 5_000, aliveMs = 15_000) {
  const clock = new FakeClock();
  const port = new Port();
  const heartbeat = new Heartbeat(clock, port, intervalMs, aliveMs);
  heartbeat.start();
  return { clock, port, heartbeat };
}

describe("Heartbeat", () => {
  it("sends a sign of life when nothing else was sent for an interval", async () => {
    const { clock, port } = rig();
    await clock.advance(4_999);
    expect(port.pings).toBe(0);
    await clock.advance(1);
    expect(port.pings).toBe(1);
  });

  it("sends none while messages go both ways", async () => {
    const { clock, port } = rig();
    for (let i = 0; i < 10; i++) {
      port.sentCount++;
      port.receivedCount++;
      await clock.advance(5_000);
    }
    expect(port.pings).toBe(0);
  });

  it("asks for one while it sends but hears nothing", async () => {
    const { clock, port } = rig();
    port.sentCount++;
    await clock.advance(5_000);
    expect(port.pings).toBe(1);
  });

  it("H64 declares a peer lost that was silent for aliveMs, not earlier", async () => {
    const { clock, port } = rig();
    await clock.advance(14_999);
    expect(port.silentMs).toBeUndefined();
    await clock.advance(2);
    expect(port.silentMs).toBe(15_000);
    expect(clock.timerCount).toBe(0);
  });

  it("C140 loses no peer in a quiet hour in which pongs come back", async () => {
    const { clock, port } = rig();
    for (let i = 0; i < 720; i++) {
      await clock.advance(5_000);
      port.receivedCount++;
    }
    expect(port.silentMs).toBeUndefined();
  });

  it("counts silence anew after each message", async () => {
    const { clock, port } = rig();
    await clock.advance(12_000);
    port.receivedCount++;
    await clock.advance(14_000);
    expect(port.silentMs).toBeUndefined();
  });

  it("does not judge the peer while this end does not read", async () => {
    const { clock, port } = rig();
    port.readingPaused = true;
    await clock.advance(60_000);
    expect(port.silentMs).toBeUndefined();
    port.readingPaused = false;
    await clock.advance(15_001);
    expect(port.silentMs).toBe(15_000);
  });

  it.each([5_000, 9_000, 9_999, 10_000, 10_001, 14_000, 20_000, 3_600_000])(
    "H213 H214 loses no peer because this end slept for %d ms, as long as something is there to read",
    async (ms) => {
      for (const silentBeforeMs of [0, 5_000]) {
        const { clock, port } = rig();
        await clock.advance(5_000);
        port.receivedCount++;
        await clock.advance(5_000 + silentBeforeMs);
        await clock.sleep(ms);
        // Read in the turn after the timers, as a socket's data is.
        port.receivedCount++;
        await clock.advance(5_000);
        expect(port.silentMs).toBeUndefined();
      }
    },
  );

  it.each([6_000, 8_000, 9_500])(
    "H213 loses no peer after a sleep of %d ms with an aliveMs shorter than that",
    async (ms) => {
      const { clock, port } = rig(5_000, 6_000);
      await clock.sleep(ms);
      port.receivedCount++;
      await clock.advance(3_000);
      expect(port.silentMs).toBeUndefined();
    },
  );

  it("H64 still finds the peer lost after this end slept", async () => {
    const { clock, port } = rig();
    await clock.sleep(3_600_000);
    await clock.advance(20_001);
    expect(port.silentMs).toBeGreaterThanOrEqual(15_000);
  });

  it("is rid of its timer once it is stopped", () => {
    const { clock, heartbeat } = rig();
    heartbeat.stop();
    expect(clock.timerCount).toBe(0);
  });
});

const Test = defineContract("test.Test", { hang: unary(), echo: unary() });
const router = createRouter(Test, { hang: () => new Promise(() => undefined), echo: (input) => input });

describe("the heartbeat of a session", () => {
  it("H64 C139 fails pending calls at the moment the peer is declared lost", async () => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock });
    const failed = failure(createClient(Test, transport).hang());
    await settled();
    expect(transport.connected).toBe(true);
    await clock.advance(15_001);
    expect(await failed).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST", delivered: "unknown" });
    expect(peers[0]?.of(Body.Ping).length).toBeGreaterThan(0);
    expect(clock.timerCount).toBe(0);
  });

  it("lives on pongs alone", async () => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock });
    await transport.ready();
    const [peer] = peers;
    if (peer === undefined) throw new Error("no peer");
    peer.onEnvelope = (envelope) => {
      if (envelope.body === Body.Ping) void peer.send({ body: Body.Pong, token: envelope.token });
    };
    await clock.advance(120_000);
    expect(transport.connected).toBe(true);
    expect(peer.of(Body.Ping).length).toBe(24);
  });

  it("answers a ping with its token", async () => {
    const peer = await rawClient(listen(router));
    await peer.send({ body: Body.Ping, token: 4711 });
    expect(peer.of(Body.Pong)).toEqual([{ body: Body.Pong, token: 4711 }]);
  });

  it("is each peer's own: the silent one is lost, the others stay", async () => {
    const clock = new FakeClock();
    const listener = listen(router, { clock });
    const peers = await Promise.all([rawClient(listener), rawClient(listener), rawClient(listener)]);
    for (const peer of peers.slice(1)) {
      peer.onEnvelope = (envelope) => {
        if (envelope.body === Body.Ping) void peer.send({ body: Body.Pong, token: envelope.token });
      };
    }
    await clock.advance(60_000);
    expect([...listener.peers]).toHaveLength(2);
    expect(peers.map(({ ends }) => ends.length)).toEqual([1, 0, 0]);
  });

  it("gives a peer that beats more slowly three of its own beats", async () => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock }, false);
    const opened = transport.ready();
    await settled();

    await peers[0]?.send(
      { ...CHALLENGE, limits: { maxMessageBytes: 0, maxCalls: 0, heartbeatMs: 20_000, aliveMs: 60_000 } },
      WELCOME,
    );
    await opened;
    await clock.advance(59_000);
    expect(transport.connected).toBe(true);
    await clock.advance(2_000);
    expect(transport.connected).toBe(false);
  });

  it("is off with heartbeatMs 0", async () => {
    const clock = new FakeClock();
    const listener = listen(router, { clock, heartbeatMs: 0 });
    const peer = await rawClient(listener);
    await clock.advance(3_600_000);
    expect(peer.of(Body.Ping)).toEqual([]);
    expect(peer.ends).toEqual([]);
  });

  it("C140 loses no peer while a handler blocks for seconds", async () => {
    const clock = new FakeClock();
    const listener = listen(
      createRouter(Test, {
        hang: () => null,
        echo: async (input) => {
          await clock.sleep(9_000);
          return input;
        },
      }),
      { clock },
    );
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.Test.echo"));
    await settled();
    expect(peer.results).toEqual([null]);
    expect(peer.ends).toEqual([]);
  });
});
