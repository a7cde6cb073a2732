import { describe, expect, it } from "vitest";
import type { Channel } from "@rpc/core/transport";
import {
  alwaysFull,
  channelSuite,
  coalesce,
  createFakeClock,
  cutAfter,
  delay,
  dropAfter,
  type Fault,
  garbage,
  halfClose,
  reorderReady,
  repeat,
  split,
  swap,
  transportSuite,
} from "../src/index.ts";
import { openRecording } from "../src/recording-sink.ts";
import { memoryChannels, memoryPair, memoryWire } from "./memory-pair.ts";

const lawful: Readonly<Record<string, Fault>> = {
  split,
  coalesce,
  "reorder of ready events": reorderReady,
  "always full": alwaysFull,
};
const tooSlow = "a message per turn makes long runs slow, and the plain wire has proved it";

for (const [name, fault] of Object.entries(lawful)) {
  channelSuite({
    describe,
    it,
    name: `a channel behind ${name}`,
    leaveOut:
      name === "split"
        ? { C03: tooSlow }
        : name === "always full"
          ? { C05: "it is never anything but full", C03: tooSlow }
          : {},
    factory: async () => {
      const { dialed, accepted, close } = memoryChannels();
      return { dialed: fault(dialed), accepted: fault(accepted), close };
    },
  });
  transportSuite({
    describe,
    it,
    name: `a session behind ${name}`,
    leaveOut: {
      // A job that has to wait for the wire finds the one before it done.
      C105: "a wire that is never empty lets no two jobs meet",
      ...Object.fromEntries(
        [
          "C21",
          "C73",
          "C84",
          "C86",
          "C94",
          "C96",
          "C104",
          "C137",
          "C140",
          "H53",
          "H55",
          "H60",
          "H62",
          "H208",
          "H215",
        ].map((id) => [id, tooSlow]),
      ),
    },
    factory: (options) => memoryPair(options, fault),
    wire: {
      codec: memoryWire.codec,
      connect: async (options) => {
        const { dialed, accepted, close } = await memoryWire.connect(options);
        return { dialed: fault(dialed), accepted: fault(accepted), close };
      },
    },
  });
}

describe("unlawful faults", () => {
  it("drop, cut, spoil, repeat and swap the messages that they say", async () => {
    expect(await texts((channel) => dropAfter(channel, 2))).toEqual(["1", "2"]);
    expect(await texts((channel) => cutAfter(channel, 2))).toEqual([]);
    expect(await texts((channel) => repeat(channel, 2))).toEqual(["1", "2", "2", "3", "4"]);
    expect(await texts((channel) => swap(channel, 2))).toEqual(["1", "3", "2", "4"]);
    expect(await texts((channel) => garbage(channel, 2, new TextEncoder().encode("?")))).toEqual(["1", "?", "3", "4"]);
  });

  it("hear nothing any more on a wire that is half closed", async () => {
    const { dialed, accepted } = memoryChannels();
    const sink = openRecording(halfClose(accepted, 2));
    openRecording(dialed);
    for (const text of ["1", "2", "3"]) dialed.send(new TextEncoder().encode(text));
    dialed.close();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    expect(sink.messages.map((bytes) => new TextDecoder().decode(bytes))).toEqual(["1", "2"]);
    expect(sink.ends).toEqual([]);
  });

  it("delay by the clock that they are given", async () => {
    const clock = createFakeClock();
    const { dialed, accepted } = memoryChannels();
    const sink = openRecording(delay(accepted, clock, 100));
    openRecording(dialed);
    dialed.send(new TextEncoder().encode("1"));
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    clock.advance(99);
    expect(sink.messages).toHaveLength(0);
    clock.advance(1);
    expect(sink.messages).toHaveLength(1);
  });
});

async function texts(fault: (channel: Channel) => Channel): Promise<string[]> {
  const { dialed, accepted } = memoryChannels();
  const sink = openRecording(accepted);
  const near = fault(dialed);
  openRecording(near);
  for (const text of ["1", "2", "3", "4"]) near.send(new TextEncoder().encode(text));
  near.close();
  await sink.end();
  return sink.messages.map((bytes) => new TextDecoder().decode(bytes));
}
