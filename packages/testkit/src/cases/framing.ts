import { check, equal, fail } from "../assert.ts";
import { type ChannelBench, type ChannelCase, type FramedEnd, type Framing, provesChannel } from "../channel-bench.ts";
import { turns, until } from "../gate.ts";
import { openRecording, type RecordingSink } from "../recording-sink.ts";
import { numbered, numberOf, patterned, range } from "./bytes.ts";

const LIMIT = 64 * 1024;
const PARTIAL_MS = 10_000;

/** H01–H17 as bytes: for channels that put frames on a byte stream. */
export const framingCases: readonly ChannelCase[] = [
  provesChannel("H01", "serves valid traffic that comes one byte at a time", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    const traffic = join([
      framing.frame(numbered(1, 9)),
      framing.frame(numbered(2, 30)),
      framing.frame(numbered(3, 5)),
    ]);
    for (const byte of traffic) await end.bytes.write(Uint8Array.of(byte));
    await sink.messageCount(3);
    equal(sink.messages.map(numberOf), [1, 2, 3], "messages");
  }),

  provesChannel("H02", "gives the same result wherever the traffic is cut", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    const traffic = join([
      framing.frame(numbered(1, 9)),
      framing.frame(numbered(2, 12)),
      framing.frame(numbered(3, 5)),
    ]);
    for (let cut = 1; cut < traffic.length; cut += 1) {
      await end.bytes.write(traffic.slice(0, cut));
      await end.bytes.write(traffic.slice(cut));
      await sink.messageCount(cut * 3);
    }
    const expected = Array.from({ length: traffic.length - 1 }, () => [1, 2, 3]).flat();
    equal(sink.messages.map(numberOf), expected, "messages");
  }),

  provesChannel("H02", "serves two and a half frames in one chunk and the other half later", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    const third = framing.frame(numbered(3, 40));
    await end.bytes.write(join([framing.frame(numbered(1, 9)), framing.frame(numbered(2, 12)), third.slice(0, 20)]));
    await sink.messageCount(2);
    await end.bytes.write(third.slice(20));
    await sink.messageCount(3);
    equal(sink.messages.map(numberOf), [1, 2, 3], "messages");
  }),

  provesChannel(
    "H03",
    "serves 100,000 minimal frames in one chunk while another channel gets its turn",
    async (bench) => {
      const { end, framing, sink } = await framed(bench);
      const other = await framed(bench);
      const one = framing.frame(Uint8Array.of(7));
      const traffic = new Uint8Array(one.length * 100_000);
      for (let i = 0; i < 100_000; i += 1) traffic.set(one, i * one.length);
      const written = end.bytes.write(traffic);
      await other.end.bytes.write(framing.frame(numbered(1, 8)));
      await other.sink.messageCount(1);
      await written;
      await sink.messageCount(100_000);
    },
  ),

  provesChannel("H04", "closes a frame of length 0", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    await end.bytes.write(framing.header(0));
    await closedWithoutMessage(end, sink);
  }),

  provesChannel("H05", "serves a frame of the limit and closes one byte more on its header", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    await end.bytes.write(framing.frame(patterned(LIMIT, 1)));
    await sink.messageCount(1);
    equal(sink.messages[0], patterned(LIMIT, 1), "frame of the limit");
    await end.bytes.write(framing.header(LIMIT + 1));
    await sink.end();
    await end.bytes.ended;
    check(sink.messages.length === 1, "something of the frame over the limit was delivered");
  }),

  provesChannel("H06", "closes lengths that are negative when read as signed", async (bench) => {
    for (const length of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const { end, framing, sink } = await framed(bench);
      await end.bytes.write(framing.header(length));
      await closedWithoutMessage(end, sink);
    }
  }),

  provesChannel("H07", "closes after partialFrameTimeoutMs when a header is followed by silence", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    await end.bytes.write(framing.header(LIMIT));
    await until(() => bench.clock.pendingCount > 0, "the timer of the partial frame is set");
    bench.clock.advance(PARTIAL_MS - 1);
    await turns();
    check(sink.ends.length === 0, "closed before its time");
    bench.clock.advance(1);
    await closedWithoutMessage(end, sink);
    check(bench.clock.pendingCount === 0, "a timer is left after the end");
  }),

  provesChannel("H08", "closes a frame that trickles in: activity does not extend its time", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    await end.bytes.write(framing.header(1_000));
    await until(() => bench.clock.pendingCount > 0, "the timer of the partial frame is set");
    for (let second = 0; second < 10; second += 1) {
      check(sink.ends.length === 0, `closed after ${second} s of 10`);
      await end.bytes.write(Uint8Array.of(1));
      await turns();
      bench.clock.advance(1_000);
    }
    await closedWithoutMessage(end, sink);
  }),

  provesChannel("H09", "closes foreign protocols and echoes nothing", async (bench) => {
    const strangers = [
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "SSH-2.0-OpenSSH_9.9\r\n",
      "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
      "EHLO example.org\r\n",
    ];
    for (const text of strangers) {
      const { end, sink } = await framed(bench);
      await end.bytes.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
      await closedWithoutMessage(end, sink);
      check(end.bytes.received().length === 0, `something was sent back to ${JSON.stringify(text.slice(0, 12))}`);
    }
  }),

  provesChannel("H14", "discards half a frame when the peer vanishes", async (bench) => {
    for (const vanish of ["end", "destroy"] as const) {
      const { end, framing, sink } = await framed(bench);
      const whole = framing.frame(numbered(2, 1_000));
      await end.bytes.write(join([framing.frame(numbered(1, 8)), whole.slice(0, 500)]));
      await sink.messageCount(1);
      end.bytes[vanish]();
      await sink.end();
      check(sink.messages.length === 1, "half a frame was delivered");
      check(bench.clock.pendingCount === 0, "the timer of the partial frame is left after the end");
    }
  }),

  provesChannel("H15", "delivers the reply to a peer that half-closes after its request", async (bench) => {
    const framing = framingOf(bench);
    const end = await openFramed(bench, framing);
    const sink = openRecording(end.channel, () => void end.channel.send(numbered(2, 100)));
    void end.bytes.write(framing.frame(numbered(1, 8)));
    end.bytes.end();
    await sink.end();
    await end.bytes.ended;
    equal(end.bytes.received(), framing.frame(numbered(2, 100)), "reply after the half-close");
  }),

  provesChannel("H16", "closes when the peer resets while a reply is being written", async (bench) => {
    const { end, framing, sink } = await framed(bench);
    await end.bytes.write(framing.frame(numbered(1, 8)));
    await sink.messageCount(1);
    for (let i = 0; i < 64; i += 1) end.channel.send(patterned(LIMIT, i));
    end.bytes.destroy();
    for (let i = 0; i < 64; i += 1) end.channel.send(patterned(LIMIT, i));
    await sink.end();
    await turns();
    check(sink.ends.length === 1, `closed came ${sink.ends.length} times`);
  }),

  provesChannel("C02", "keeps frames of its own whole for the far end", async (bench) => {
    const { end, framing } = await framed(bench);
    const messages = range(20).map((i) => numbered(i, 4 + i * 97));
    for (const message of messages) end.channel.send(message);
    const expected = join(messages.map((message) => framing.frame(message)));
    await until(() => end.bytes.received().length >= expected.length, "20 frames at the far end");
    equal(end.bytes.received(), expected, "bytes on the wire");
  }),
];

function framingOf(bench: ChannelBench): Framing {
  return bench.framing ?? fail("the factory gives no framing");
}

async function openFramed(bench: ChannelBench, framing: Framing): Promise<FramedEnd> {
  const end = await framing.open({ clock: bench.clock, maxMessageBytes: LIMIT, partialFrameTimeoutMs: PARTIAL_MS });
  bench.defer(() => end.close());
  return end;
}

async function framed(
  bench: ChannelBench,
): Promise<{ readonly end: FramedEnd; readonly framing: Framing; readonly sink: RecordingSink }> {
  const framing = framingOf(bench);
  const end = await openFramed(bench, framing);
  return { end, framing, sink: openRecording(end.channel) };
}

async function closedWithoutMessage(end: FramedEnd, sink: RecordingSink): Promise<void> {
  const reason = await sink.end();
  await end.bytes.ended;
  check(sink.messages.length === 0, "a message was delivered");
  check(reason.message.length > 0, "the reason says nothing");
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
