import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it, vi } from "vitest";
import { Recorder, accepting, bareSocket, frame, header, hostile, opened, readAll, text, turns } from "./rig.ts";

const LIMIT = 4 * 1024 * 1024;

describe("bytes of a peer that keeps no rules", () => {
  it("H01 are served when they come one by one", async () => {
    const { sink, peer } = await hostile();
    for (const byte of Buffer.concat([frame("slow"), frame("going")])) {
      peer.write(Uint8Array.of(byte));
      await turns(1);
    }
    await sink.count(2);
    expect(sink.messages.map(text)).toEqual(["slow", "going"]);
  });

  it("H03 in 100,000 tiny frames let other connections have their turn", async () => {
    const acceptor = await accepting();
    const flood = await Promise.all([bareSocket(acceptor.endpoint), acceptor.next()]);
    const calm = await Promise.all([bareSocket(acceptor.endpoint), acceptor.next()]);
    const flooded = new Recorder();
    let seenByCalm = -1;
    const calmed = new Recorder();
    calmed.message = () => (seenByCalm = flooded.messages.length);
    const chunk = Buffer.alloc(500_000);
    for (let i = 0; i < 100_000; i++) chunk[i * 5 + 3] = 1;
    flood[0].write(chunk);
    await turns(10);
    calm[0].write(frame("me too"));
    await turns();
    opened(flood[1], flooded);
    opened(calm[1], calmed);
    await flooded.count(100_000);
    expect(seenByCalm).toBeGreaterThan(-1);
    expect(seenByCalm).toBeLessThan(100_000);
  });

  it.each([
    ["H04 of length 0", Buffer.alloc(4), /length 0/],
    ["H05 of one byte more than the limit", header(LIMIT + 1), /4194305 bytes is announced and the limit is 4194304/],
    ["H06 of 2^31 bytes", header(2 ** 31), /2147483648 bytes/],
    ["H06 of 2^32 - 1 bytes", header(2 ** 32 - 1), /4294967295 bytes/],
  ])("close the channel on a frame %s", async (_name, bytes, expected) => {
    const { sink, peer } = await hostile();
    peer.write(Buffer.concat([frame("good"), bytes]));
    const reason = await sink.end();
    expect(reason).toMatchObject({ code: "UNAVAILABLE", reason: "PROTOCOL" });
    expect(reason.message).toMatch(expected);
    expect(sink.messages.map(text)).toEqual(["good"]);
  });

  it("H05 of exactly the limit are served", async () => {
    const { channel, sink, peer } = await hostile();
    channel.limitMessageBytes(1_000);
    peer.write(frame(Buffer.alloc(1_000)));
    await sink.count(1);
    expect(sink.messages[0]).toHaveLength(1_000);
  });

  it("H07 close a channel on which a message began and never ended", async () => {
    const clock = createFakeClock();
    const { sink, peer } = await hostile({ clock });
    peer.write(Buffer.concat([header(LIMIT), Buffer.from("abc")]));
    await vi.waitUntil(() => clock.pendingCount === 1);
    clock.advance(9_999);
    await turns();
    expect(sink.ends).toEqual([]);
    clock.advance(1);
    const reason = await sink.end();
    expect(reason).toMatchObject({ code: "UNAVAILABLE", reason: "PEER_LOST" });
    expect(reason.message).toMatch(
      /did not finish a message: 3 of 4194304 bytes in 10000 ms; the line is broken, or too slow/,
    );
    expect(clock.pendingCount).toBe(0);
  });

  it("H08 gain no time by trickling", async () => {
    const clock = createFakeClock();
    const { sink, peer } = await hostile({ clock });
    peer.write(header(100));
    await vi.waitUntil(() => clock.pendingCount === 1);
    for (let second = 1; second < 10; second++) {
      peer.write("x");
      await turns();
      clock.advance(1_000);
    }
    expect(sink.ends).toEqual([]);
    clock.advance(1_000);
    expect((await sink.end()).message).toMatch(/9 of 100 bytes/);
  });

  it("H213 are not counted against the peer while this process was blocked", async () => {
    const clock = createFakeClock();
    const { sink, peer } = await hostile({ clock });
    peer.write(header(3));
    await vi.waitUntil(() => clock.pendingCount === 1);
    clock.jump(25_000);
    await turns();
    expect(sink.ends).toEqual([]);
    // It has its whole time once more, not for ever.
    clock.advance(9_999);
    await turns();
    expect(sink.ends).toEqual([]);
    clock.advance(1);
    expect((await sink.end()).message).toMatch(/did not finish a message/);
  });

  it("H08 give each message a time of its own", async () => {
    const clock = createFakeClock();
    const { sink, peer } = await hostile({ clock });
    peer.write(header(1));
    await vi.waitUntil(() => clock.pendingCount === 1);
    clock.advance(6_000);
    peer.write(Buffer.concat([Buffer.from("x"), header(1)]));
    await sink.count(1);
    clock.advance(6_000);
    await turns();
    expect(sink.ends).toEqual([]);
    peer.write("y");
    await sink.count(2);
    clock.advance(60_000);
    await turns();
    expect(sink.ends).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });

  it("H08 are not counted against the peer while we do not read", async () => {
    const clock = createFakeClock();
    const { channel, sink, peer } = await hostile({ clock });
    peer.write(header(5));
    await vi.waitUntil(() => clock.pendingCount === 1);
    channel.pause();
    peer.write("whole");
    clock.advance(60_000);
    channel.resume();
    await sink.count(1);
    expect(sink.messages.map(text)).toEqual(["whole"]);
  });

  it.each([
    ["an HTTP request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", /HTTP/],
    ["an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n", /SSH/],
    ["a TLS hello on the plain port", "\u0016\u0003\u0001\u0002\u0000\u0001", /TLS/],
    ["random bytes", "\u00f3\u0091\u0017\u00aa\u0000\u0001", /4086372266 bytes/],
  ])("H09 close the channel without an echo: %s", async (_name, bytes, expected) => {
    const { sink, peer } = await hostile();
    const echo = readAll(peer);
    peer.write(Buffer.from(bytes, "latin1"));
    const reason = await sink.end();
    expect(reason.message).toMatch(expected);
    expect(reason.message).not.toContain("Host");
    expect(await echo).toHaveLength(0);
  });
});
