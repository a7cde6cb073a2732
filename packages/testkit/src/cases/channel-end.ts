import { RpcError } from "@rpc/core";
import { check, equal } from "../assert.ts";
import { type ChannelCase, provesChannel } from "../channel-bench.ts";
import { destroyChannel } from "../faults.ts";
import { turns } from "../gate.ts";
import { openRecording } from "../recording-sink.ts";
import { numbered, numberOf, range } from "./bytes.ts";

/** C08–C13: a channel ends once, for good, after what it had accepted. */
export const channelEndCases: readonly ChannelCase[] = [
  provesChannel("C08", "delivers what send accepted before the far end sees closed", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    openRecording(dialed);
    const sink = openRecording(accepted);
    for (let i = 0; i < 40; i += 1) dialed.send(numbered(i, 32 * 1024));
    dialed.close();
    await sink.end();
    equal(sink.messages.map(numberOf), range(40), "messages before closed");
    check(sink.events.at(-1)?.kind === "closed", "something came after closed");
  }),

  provesChannel("C09", "tells the end exactly once on each side, with a reason", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    const reason = new RpcError("UNAVAILABLE", "the test is over", { reason: "TEST" });
    dialed.close(reason);
    dialed.close();
    await Promise.all([left.end(), right.end()]);
    accepted.close();
    dialed.close(reason);
    await turns();
    for (const [name, sink] of [["closing", left] as const, ["other", right] as const]) {
      check(sink.ends.length === 1, `the ${name} side was told ${sink.ends.length} times`);
      check(sink.ends[0] instanceof RpcError, `the ${name} side was given no RpcError as the reason`);
    }
    check(left.ends[0]?.message === reason.message, "the closing side was not told the reason that it gave");
    check(right.ends[0]?.code === "UNAVAILABLE", `an ordinary end has code UNAVAILABLE, got ${right.ends[0]?.code}`);
  }),

  provesChannel("C09", "tells nobody anything once closed came", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    for (let i = 0; i < 20; i += 1) accepted.send(numbered(i, 1_000));
    dialed.close();
    for (let i = 0; i < 20; i += 1) accepted.send(numbered(i, 1_000));
    await Promise.all([left.end(), right.end()]);
    await turns();
    check(left.events.at(-1)?.kind === "closed", "the closing side was told something after closed");
    check(right.events.at(-1)?.kind === "closed", "the other side was told something after closed");
  }),

  provesChannel("C10", "settles on both ends when both close at the same moment", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    dialed.send(numbered(1, 8));
    accepted.send(numbered(2, 8));
    dialed.close();
    accepted.close();
    await Promise.all([left.end(), right.end()]);
    await turns();
    check(left.ends.length === 1 && right.ends.length === 1, "an end was told more than once");
  }),

  provesChannel("C11", "takes nothing after close, now or later", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    dialed.close();
    check(!dialed.send(numbered(1, 8)), "send returned true on a closed channel");
    await Promise.all([left.end(), right.end()]);
    check(!dialed.send(numbered(2, 8)), "send returned true on a channel that has ended");
    check(!accepted.send(numbered(3, 8)), "send returned true on a channel whose far end has closed");
    await turns();
    equal([left.messages.length, right.messages.length], [0, 0], "messages sent after close and delivered");
    check(left.events.length === 1 && right.events.length === 1, "something but the end was told");
  }),

  provesChannel(
    "C12",
    "has one life: a new connection is a new channel and the old one stays closed",
    async (bench) => {
      const first = await bench.connect();
      const old = openRecording(first.dialed);
      openRecording(first.accepted);
      first.dialed.close();
      await old.end();
      const second = await bench.connect();
      check(second.dialed !== first.dialed, "the same channel was given twice");
      openRecording(second.dialed);
      const sink = openRecording(second.accepted);
      check(!first.dialed.send(numbered(1, 8)), "a closed channel took a message");
      second.dialed.send(numbered(2, 8));
      await sink.messageCount(1);
      equal(sink.messages.map(numberOf), [2], "messages on the new channel");
      check(old.messages.length === 0, "the closed channel delivered something");
    },
  ),

  provesChannel("C13", "tells an end that came before open, after the messages that came before it", async (bench) => {
    for (const count of [0, 3]) {
      const { dialed, accepted } = await bench.connect();
      openRecording(dialed);
      for (let i = 0; i < count; i += 1) dialed.send(numbered(i, 100));
      dialed.close();
      await turns(20);
      const sink = openRecording(accepted);
      await sink.end();
      equal(sink.messages.map(numberOf), range(count), "messages before the end");
    }
  }),

  provesChannel("C13", "tells the other end when one is destroyed", async (bench) => {
    const { dialed, accepted } = await bench.connect();
    const left = openRecording(dialed);
    const right = openRecording(accepted);
    dialed.send(numbered(1, 8));
    await right.messageCount(1);
    destroyChannel(accepted);
    const reason = await left.end();
    check(reason instanceof RpcError, "closed came without an RpcError");
    check(reason.message.length > 0, "the reason says nothing");
    await right.end();
  }),
];
