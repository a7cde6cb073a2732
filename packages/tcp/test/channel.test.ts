import { Socket } from "node:net";
import { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  Recorder,
  accepting,
  bareServer,
  bareSocket,
  connected,
  dial,
  frame,
  header,
  hostile,
  opened,
  readAll,
  text,
  turns,
} from "./rig.ts";

const LIMIT = 4 * 1024 * 1024;

afterEach(() => {
  vi.restoreAllMocks();
});

describe("messages", () => {
  it("arrive whole and in order, both ways, whatever their size", async () => {
    const { dialed, accepted } = await connected();
    const sinks = [opened(dialed), opened(accepted)] as const;
    const sizes = [1, 125, 126, 127, 16_383, 16_384, 65_535, 65_536, 65_537, 300_000, LIMIT, 3];
    for (const [i, size] of sizes.entries()) {
      dialed.send(new Uint8Array(size).fill(i), i % 2 === 0);
      accepted.send(new Uint8Array(size).fill(i));
    }
    for (const sink of sinks) {
      await sink.count(sizes.length);
      expect(sink.messages.map((bytes) => bytes.length)).toEqual(sizes);
      expect(sink.messages.every((bytes, i) => bytes.every((byte) => byte === i))).toBe(true);
    }
  });

  it("are plain Uint8Arrays", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(accepted);
    opened(dialed).message = () => undefined;
    dialed.send(Buffer.from("small"));
    dialed.send(Buffer.alloc(100_000));
    await sink.count(2);
    expect(sink.messages.map((bytes) => bytes.constructor)).toEqual([Uint8Array, Uint8Array]);
  });

  it("C06 of every size belong to the sender again after send, unless transferred", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(accepted);
    opened(dialed);
    for (const size of [10, 100_000]) {
      const bytes = Buffer.alloc(size, 1);
      dialed.send(bytes);
      bytes.fill(2);
    }
    await sink.count(2);
    expect(sink.messages.every((bytes) => bytes.every((byte) => byte === 1))).toBe(true);
  });

  it("stay as they are while one of many channels cannot write them and the others can", async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => connected()));
    const sinks = pairs.map(({ accepted }) => opened(accepted));
    for (const { dialed } of pairs) opened(dialed);
    // Every other receiver reads nothing for now: what its sender has written waits in memory that the others want as well.
    for (const [i, { accepted }] of pairs.entries()) if (i % 2 === 0) accepted.pause?.();
    const ticks = 400;
    const perTick = 20;
    for (let tick = 0; tick < ticks; tick++) {
      for (let i = 0; i < perTick; i++)
        for (const [of, { dialed }] of pairs.entries()) dialed.send(new Uint8Array(900).fill(of * 50 + (tick % 50)));
      await turns(1);
    }
    for (const { accepted } of pairs) accepted.resume?.();
    for (const [of, sink] of sinks.entries()) {
      await sink.count(ticks * perTick);
      const wrong = sink.messages.findIndex((bytes, i) => {
        const due = of * 50 + (Math.floor(i / perTick) % 50);
        return bytes.some((byte) => byte !== due);
      });
      expect(wrong).toBe(-1);
    }
  });

  it("that come before open are handed over after it", async () => {
    const { dialed, accepted } = await connected();
    opened(dialed);
    dialed.send(Buffer.from("early"));
    await turns();
    const sink = opened(accepted);
    expect(sink.messages).toEqual([]);
    await sink.count(1);
    expect(sink.messages.map(text)).toEqual(["early"]);
  });
});

describe("writing", () => {
  it("puts what one tick sends into one write, microtasks included", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(accepted);
    opened(dialed);
    const write = vi.spyOn(Socket.prototype, "write");
    await Promise.all(
      Array.from({ length: 64 }, async (_, i) => {
        for (let hop = 0; hop < i % 5; hop++) await Promise.resolve();
        dialed.send(Buffer.alloc(50, i));
      }),
    );
    await sink.count(64);
    expect(write).toHaveBeenCalledTimes(1);
  });

  it("does not let more than a few KiB wait for the end of the tick", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(accepted);
    opened(dialed);
    const write = vi.spyOn(Socket.prototype, "write");
    for (let i = 0; i < 64; i++) dialed.send(Buffer.alloc(200, i));
    expect(write).toHaveBeenCalledTimes(3);
    await sink.count(64);
    expect(write).toHaveBeenCalledTimes(4);
  });

  it("hands a large message over without copying it when it is transferred", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(accepted);
    opened(dialed);
    const write = vi.spyOn(Socket.prototype, "write");
    const message = new Uint8Array(20_000);
    dialed.send(message, true);
    await sink.count(1);
    expect(write.mock.calls.map(([bytes]) => bytes)).toContain(message);
  });

  it("C05 says when the wire is full and once when there is room again", async () => {
    const { dialed, accepted } = await connected();
    const sink = new Recorder();
    opened(dialed, sink);
    const receiver = opened(accepted);
    accepted.pause();
    let sent = 0;
    while (dialed.send(Buffer.alloc(1_000, 1))) sent++;
    expect(sent).toBeGreaterThan(10);
    for (; sent < 20_000; sent++) dialed.send(Buffer.alloc(1_000, 1));
    await turns();
    expect(sink.drains).toBe(0);
    accepted.resume();
    await sink.room();
    await receiver.count(20_000);
    await turns();
    expect(sink.drains).toBe(1);
  });

  it("says drained after a full tick that the system took at once", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(dialed);
    opened(accepted);
    while (dialed.send(Buffer.alloc(1_000)));
    await sink.room();
    expect(sink.drains).toBe(1);
  });

  it("says no drained to somebody who was never told to wait", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(dialed);
    const receiver = opened(accepted);
    dialed.send(Buffer.alloc(100));
    await receiver.count(1);
    await turns();
    expect(sink.drains).toBe(0);
  });

  it("C07 calls the sink in none of open, send, close and destroy", async () => {
    const { dialed, accepted } = await connected();
    opened(accepted);
    let inside = false;
    const offences: string[] = [];
    class Watching extends Recorder {
      override drained(): void {
        if (inside) offences.push("drained");
        super.drained();
      }
      override closed(reason: RpcError): void {
        if (inside) offences.push("closed");
        super.closed(reason);
      }
    }
    const sink = new Watching();
    inside = true;
    dialed.open(sink);
    while (dialed.send(Buffer.alloc(1_000)));
    dialed.close();
    dialed.destroy();
    inside = false;
    await sink.end();
    expect(offences).toEqual([]);
  });
});

describe("back-pressure", () => {
  it("stops between two messages of a chunk and goes on where it stopped", async () => {
    const { channel, sink, peer } = await hostile();
    const messages: string[] = [];
    sink.message = (bytes) => {
      messages.push(text(bytes));
      if (messages.length === 1) channel.pause();
    };
    peer.write(Buffer.concat([frame("one"), frame("two"), frame("three")]));
    await vi.waitUntil(() => messages.length > 0);
    await turns();
    expect(messages).toEqual(["one"]);
    channel.resume();
    await vi.waitUntil(() => messages.length === 3);
    expect(messages).toEqual(["one", "two", "three"]);
  });
});

describe("the end", () => {
  it("C08 comes after everything that was sent, also at the other end", async () => {
    const { dialed, accepted } = await connected();
    const near = opened(dialed);
    const far = opened(accepted);
    for (let i = 0; i < 50; i++) dialed.send(Buffer.alloc(100_000, i));
    dialed.close();
    const reason = await far.end();
    expect(far.messages).toHaveLength(50);
    expect(reason).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
    expect(reason.message).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+ closed the connection$/);
    expect((await near.end()).reason).toBe("CLOSED");
  });

  it("C09 comes once, with the reason of the first close", async () => {
    const { dialed, accepted } = await connected();
    const sink = opened(dialed);
    opened(accepted);
    const reason = new RpcError("UNAVAILABLE", "enough");
    dialed.close(reason);
    dialed.close(new RpcError("INTERNAL", "too late"));
    dialed.destroy(new RpcError("INTERNAL", "too late"));
    expect(await sink.end()).toBe(reason);
    await turns();
    expect(sink.ends).toEqual([reason]);
  });

  it("C11 makes send say false and send nothing", async () => {
    const { dialed, accepted } = await connected();
    opened(dialed);
    const far = opened(accepted);
    dialed.close();
    expect(dialed.send(Buffer.from("late"))).toBe(false);
    await far.end();
    expect(accepted.send(Buffer.from("late"))).toBe(false);
    expect(far.messages).toEqual([]);
  });

  it("is told to a sink that opens a channel which has ended already", async () => {
    const { dialed, accepted } = await connected();
    opened(accepted);
    dialed.destroy();
    await turns();
    const sink = new Recorder();
    dialed.open(sink);
    expect(sink.ends).toEqual([]);
    expect((await sink.end()).message).toMatch(/was cut here/);
  });

  it("does not wait longer than closeTimeoutMs for a peer that never ends", async () => {
    const clock = createFakeClock();
    const { channel, sink } = await hostile({ clock });
    channel.close();
    await turns();
    expect(sink.ends).toEqual([]);
    clock.advance(5_000);
    expect((await sink.end()).reason).toBe("CLOSED");
    expect(clock.pendingCount).toBe(0);
  });

  it("throws away what comes after close, and lets the peer have what was sent", async () => {
    const { channel, sink, peer } = await hostile();
    const reply = readAll(peer);
    channel.send(Buffer.from("last word"));
    channel.close();
    for (let i = 0; i < 100; i++) peer.write(frame(Buffer.alloc(10_000)));
    expect(text((await reply).subarray(4))).toBe("last word");
    peer.end();
    await sink.end();
    expect(sink.messages).toEqual([]);
  });

  it("H14 in the middle of a message discards the half that came", async () => {
    const { sink, peer } = await hostile();
    peer.end(Buffer.concat([frame("whole"), header(100), Buffer.from("half")]));
    const reason = await sink.end();
    expect(sink.messages.map(text)).toEqual(["whole"]);
    expect(reason).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
    expect(reason.message).toMatch(/in the middle of a message, after 4 of 100 bytes/);
  });

  it("H15 tells a sink with `ended` that the peer has ended its half, and lets it answer", async () => {
    const acceptor = await accepting();
    const [peer, channel] = await Promise.all([bareSocket(acceptor.endpoint), acceptor.next()]);
    const reply = readAll(peer);
    const ended = vi.fn(() => {
      setImmediate(() => {
        channel.send(Buffer.from("reply"));
        channel.close();
      });
    });
    const sink = Object.assign(new Recorder(), { ended });
    opened(channel, sink);
    peer.end(frame("request"));
    expect(text((await reply).subarray(4))).toBe("reply");
    expect((await sink.end()).message).toMatch(/closed the connection$/);
    expect(sink.messages.map(text)).toEqual(["request"]);
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it("H15 delivers what a sink without `ended` has sent by then", async () => {
    const { channel, sink, peer } = await hostile();
    sink.message = () => channel.send(Buffer.from("reply"));
    const reply = readAll(peer);
    peer.end(frame("request"));
    expect(text((await reply).subarray(4))).toBe("reply");
    await sink.end();
  });

  it("H16 by RST while we write is a reason, not an error event", async () => {
    const { channel, sink, peer } = await hostile();
    while (channel.send(Buffer.alloc(10_000)));
    peer.resetAndDestroy();
    const reason = await sink.end();
    expect(reason.code).toBe("UNAVAILABLE");
    expect(reason.message).toMatch(/reset the connection|while we were sending/);
    expect(channel.send(Buffer.from("late"))).toBe(false);
  });

  it("H16 by RST before anybody has opened the channel is kept for the sink", async () => {
    const acceptor = await accepting();
    const [peer, channel] = await Promise.all([bareSocket(acceptor.endpoint), acceptor.next()]);
    peer.resetAndDestroy();
    const sink = opened(channel);
    expect((await sink.end()).code).toBe("UNAVAILABLE");
  });
});

describe("the channel's words", () => {
  it("name the far end and say that a plain connection is plain", async () => {
    const { dialed, accepted, acceptor } = await connected();
    opened(dialed);
    opened(accepted);
    expect(dialed.remote).toBe(acceptor.endpoint);
    expect(accepted.remote).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(dialed.security).toEqual({ kind: "plain" });
  });

  it("speak to a server that is somebody else's", async () => {
    const endpoint = await bareServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const sink = opened(await dial(endpoint));
    expect((await sink.end()).message).toContain(endpoint);
  });
});
