import type { Channel } from "@rpc/core/transport";
import { check, equal } from "../assert.ts";
import { CHANNEL_MESSAGE_LIMIT, type ChannelBench, type ChannelCase, provesChannel } from "../channel-bench.ts";
import { turns, until } from "../gate.ts";
import { createRecordingSink, openRecording, untilDrained } from "../recording-sink.ts";
import { numbered, numberOf, patterned, range } from "./bytes.ts";

/** C01–C07: messages arrive whole, in order, owned, and never inside a call into the channel. */
export const channelCases: readonly ChannelCase[] = [
  provesChannel("C01", "keeps what arrives before open and hands it over afterwards, in order", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    openRecording(dialed);
    for (let i = 0; i < 20; i += 1) dialed.send(numbered(i, 10 + i));
    await turns();
    const sink = createRecordingSink();
    check(sink.events.length === 0, "something was handed over before open");
    accepted.open(sink);
    await sink.messageCount(20);
    equal(sink.messages.map(numberOf), range(20), "messages after open");
  }),

  provesChannel(
    "C02",
    "keeps each message whole and unchanged, at the sizes where length fields change",
    async (bench) => {
      const { dialed, accepted } = await bench.connect();
      openRecording(dialed);
      const sink = openRecording(accepted);
      const sizes = [1, 125, 126, 127, 128, 65_535, 65_536, 65_537, CHANNEL_MESSAGE_LIMIT];
      for (const [i, size] of sizes.entries()) dialed.send(patterned(size, i));
      await sink.messageCount(sizes.length);
      for (const [i, size] of sizes.entries()) equal(sink.messages[i], patterned(size, i), `message of ${size} bytes`);
    },
  ),

  provesChannel("C03", "keeps 10,000 messages of mixed sizes in order", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const sender = openRecording(dialed);
    const sink = openRecording(accepted);
    await sendAll(dialed, sender, 10_000, (i) => numbered(i, 4 + ((i * 37) % 500)));
    await sink.messageCount(10_000);
    check(
      sink.messages.every((bytes, i) => numberOf(bytes) === i && bytes.length === 4 + ((i * 37) % 500)),
      "a message is out of order or has another length",
    );
  }),

  provesChannel("C04", "carries 1 MiB both ways at the same time", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    const piece = patterned(64 * 1024, 7);
    for (let i = 0; i < 16; i += 1) {
      dialed.send(piece);
      accepted.send(piece);
    }
    await Promise.all([left.messageCount(16), right.messageCount(16)]);
    for (const bytes of [...left.messages, ...right.messages]) equal(bytes, piece, "piece");
  }),

  provesChannel(
    "C05",
    "says when it is full, tells once when there is room again, and drops nothing",
    async (bench) => {
      const { dialed, accepted } = await bench.connect();
      const sender = openRecording(dialed);
      const sink = openRecording(accepted);
      accepted.pause?.();
      const sent = fillUp(dialed);
      check(sent.full, `send never returned false, ${sent.count} messages of 64 KiB were taken`);
      // False is advice: what comes after it is taken as well.
      const count = sent.count + 5;
      for (let i = sent.count; i < count; i += 1) dialed.send(numbered(i, 1_000));
      await turns();
      accepted.resume?.();
      await untilDrained(sender);
      await sink.messageCount(count);
      await turns();
      equal(sink.messages.map(numberOf), range(count), "messages sent beyond full");
      const drains = sender.events.filter((event) => event.kind === "drained").length;
      check(drains === 1, `drained came ${drains} times for one time full`);
    },
  ),

  provesChannel("C06", "copies what it is sent and gives away what it delivers", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    openRecording(dialed);
    const sink = openRecording(accepted, (bytes) => {
      // The receiver owns the bytes: what it does to them may touch no other message.
      queueMicrotask(() => bytes.fill(0xee));
    });
    const reused = new Uint8Array(4_000);
    const view = reused.subarray(1_000, 1_100);
    const seen: Uint8Array[] = [];
    for (let i = 0; i < 30; i += 1) {
      reused.fill(i);
      dialed.send(view);
      reused.fill(0xaa);
    }
    await until(() => {
      for (let i = seen.length; i < sink.messages.length; i += 1) seen.push(sink.messages[i] ?? new Uint8Array());
      return seen.length === 30;
    }, "30 messages");
    check(
      seen.every((bytes) => bytes.length === 100),
      "a message is not exactly the view that was sent",
    );
    const late = await echoesAfterSpoiling(bench);
    equal(late, range(30), "first byte of each message");
  }),

  provesChannel("C07", "never calls the sink inside open, send or close", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const guard = createGuard();
    openRecording(dialed);
    dialed.send(numbered(1, 8));
    await turns();
    const guarded = guard.around(accepted);
    guarded.open({
      message: () => {
        guard.entered("message");
        guarded.send(numbered(2, 8));
      },
      drained: () => guard.entered("drained"),
      closed: () => guard.entered("closed"),
    });
    await until(() => guard.calls.includes("message"), "a message after open");
    fillUp(guarded);
    guarded.close();
    guarded.close();
    await until(() => guard.calls.includes("closed"), "closed after close");
    equal(guard.inside, [], "sink members called inside a channel's own function");
  }),
];

async function echoesAfterSpoiling(bench: ChannelBench): Promise<number[]> {
  const { dialed, accepted } = await bench.connect();
  openRecording(dialed);
  const firsts: number[] = [];
  accepted.open({
    message: (bytes) => {
      firsts.push(bytes[0] ?? -1);
      bytes.fill(0xee);
    },
    drained: () => undefined,
    closed: () => undefined,
  });
  const reused = new Uint8Array(64);
  for (let i = 0; i < 30; i += 1) {
    reused.fill(i);
    dialed.send(reused);
    reused.fill(0xaa);
  }
  await until(() => firsts.length === 30, "30 messages");
  return firsts;
}

interface ReentrancyGuard {
  readonly calls: string[];
  readonly inside: string[];
  entered(name: string): void;
  around(channel: Channel): Channel;
}

function createGuard(): ReentrancyGuard {
  let depth = 0;
  const calls: string[] = [];
  const inside: string[] = [];
  function guarded<T>(run: () => T): T {
    depth += 1;
    try {
      return run();
    } finally {
      depth -= 1;
    }
  }
  return {
    calls,
    inside,
    entered(name) {
      calls.push(name);
      if (depth > 0) inside.push(name);
    },
    around: (channel) => ({
      remote: channel.remote,
      security: channel.security,
      open: (sink) => guarded(() => channel.open(sink)),
      send: (message, transfer) => guarded(() => channel.send(message, transfer)),
      close: (reason) => guarded(() => channel.close(reason)),
    }),
  };
}

/** Sends until the channel says that it is full; 64 MiB without a word is too much. */
function fillUp(channel: Channel): { readonly full: boolean; readonly count: number } {
  for (let i = 0; i < 1_024; i += 1) {
    if (!channel.send(numbered(i, 64 * 1024))) return { full: true, count: i + 1 };
  }
  return { full: false, count: 1_024 };
}

async function sendAll(
  channel: Channel,
  sender: ReturnType<typeof openRecording>,
  count: number,
  make: (i: number) => Uint8Array,
): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const drained = sender.events.length;
    if (!channel.send(make(i))) await until(() => sender.events.length > drained, "drained after send returned false");
  }
}
