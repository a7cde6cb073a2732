import { describe, expect, it } from "vitest";
import type { Channel } from "@rpc/core/transport";
import {
  channelSuite,
  type ChaosChannels,
  type ChannelPlan,
  createChaosChannels,
  createFakeClock,
  type FakeClock,
} from "../src/index.ts";
import { openRecording } from "../src/recording-sink.ts";

const AT_ONCE = { dialMs: [0, 0], latencyMs: [0, 0], refused: 0, hanging: 0 } as const;

channelSuite({
  describe,
  it,
  name: "a chaos channel that nothing happens to",
  factory: async () => {
    const clock = createFakeClock();
    const { dialed, accepted, channels } = await connect(clock, { ...AT_ONCE, fates: {} });
    return { dialed, accepted, close: async () => channels.close() };
  },
});

describe("chaos channels", () => {
  it("cut a connection in front of its message, and tell both ends in their own time", async () => {
    const clock = createFakeClock();
    const { dialed, accepted, channels } = await connect(clock, { ...AT_ONCE, fates: {} });
    const near = openRecording(dialed);
    const far = openRecording(accepted);
    send(dialed, "1");
    await turn();
    channels.cut(300);
    send(dialed, "2");
    clock.advance(1);
    await turn();
    expect(texts(far.messages)).toEqual(["1"]);
    expect(near.ends).toHaveLength(1);
    expect(far.ends).toHaveLength(0);
    clock.advance(300);
    await turn();
    expect(far.ends).toHaveLength(1);
    expect(channels.connections).toBe(0);
  });

  it("count messages, and let the fate strike at its number", async () => {
    const clock = createFakeClock();
    const plan: ChannelPlan = { ...AT_ONCE, fates: { cut: 1 }, atMessage: [3, 3], learnsMs: [0, 0] };
    const { dialed, accepted, channels } = await connect(clock, plan);
    openRecording(dialed);
    const far = openRecording(accepted);
    for (const text of ["1", "2", "3"]) send(dialed, text);
    await turn();
    send(dialed, "4");
    clock.advance(1);
    await turn();
    expect(texts(far.messages)).toEqual(["1", "2", "3"]);
    expect(far.ends).toHaveLength(1);
    expect(channels.counts.cut).toBe(1);
  });

  it("hold back what is stalled and deliver it in order", async () => {
    const clock = createFakeClock();
    const plan: ChannelPlan = { ...AT_ONCE, fates: { stall: 1 }, atMessage: [1, 1], stallMs: [100, 100] };
    const { dialed, accepted } = await connect(clock, plan);
    openRecording(dialed);
    const far = openRecording(accepted);
    send(dialed, "1");
    await turn();
    send(dialed, "2");
    await turn();
    clock.advance(99);
    expect(texts(far.messages)).toEqual(["1"]);
    clock.advance(1);
    expect(texts(far.messages)).toEqual(["1", "2"]);
  });

  it("tell nobody when a connection is lost, until an end gives it up by itself", async () => {
    const clock = createFakeClock();
    const { dialed, accepted } = await connect(clock, { ...AT_ONCE, fates: { lost: 1 }, atMessage: [0, 0] });
    const near = openRecording(dialed);
    const far = openRecording(accepted);
    expect(send(dialed, "1")).toBe(true);
    clock.advance(1_000_000);
    await turn();
    expect([near.ends.length, far.ends.length, far.messages.length]).toEqual([0, 0, 0]);
    dialed.destroy?.();
    await turn();
    expect([near.ends.length, far.ends.length]).toEqual([1, 0]);
  });

  it("tell one end of a half close, and swallow what comes for it", async () => {
    const clock = createFakeClock();
    const { dialed, accepted } = await connect(clock, { ...AT_ONCE, fates: { halfClose: 1 }, atMessage: [0, 0] });
    const near = openRecording(dialed);
    const far = openRecording(accepted);
    send(dialed, "1");
    send(accepted, "2");
    await turn();
    clock.advance(1);
    await turn();
    // The recording sink knows no half: for it that is the end. Which end hears of it is drawn.
    expect(near.messages.length + far.messages.length).toBe(1);
    expect(near.ends.length + far.ends.length).toBeGreaterThan(0);
  });

  it("refuse dials, let them hang until they are given up, and never too many in a row", async () => {
    const clock = createFakeClock();
    const channels = createChaosChannels({
      seed: 1,
      clock,
      accept: () => undefined,
      plan: { ...AT_ONCE, refused: 1, hanging: 0, badInARow: 2 },
    });
    const outcomes: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      const dial = channels.dial();
      clock.advance(1);
      outcomes.push(
        await dial.then(
          () => "up",
          () => "refused",
        ),
      );
    }
    expect(outcomes).toEqual(["refused", "refused", "up", "refused", "refused", "up"]);
    channels.close();

    const plan = { ...AT_ONCE, refused: 1, hanging: 0, badInARow: 9, spared: 1 };
    const sparing = createChaosChannels({ seed: 1, clock, accept: () => undefined, plan });
    const spared = sparing.dial();
    clock.advance(1);
    await expect(spared).resolves.toBeDefined();
    const second = sparing.dial();
    clock.advance(1);
    await expect(second).rejects.toThrow("refused");
    sparing.close();

    const hanging = createChaosChannels({ seed: 1, clock, accept: () => undefined, plan: { hanging: 1 } });
    const controller = new AbortController();
    const dial = hanging.dial(controller.signal);
    clock.advance(60_000);
    controller.abort(new Error("enough"));
    await expect(dial).rejects.toThrow("enough");
    expect(clock.pendingCount).toBe(0);
  });
});

async function connect(
  clock: FakeClock,
  plan: ChannelPlan,
): Promise<{ dialed: Channel; accepted: Channel; channels: ChaosChannels }> {
  let accepted: Channel | undefined;
  const channels = createChaosChannels({ seed: 1, clock, plan, accept: (channel) => (accepted = channel) });
  const dial = channels.dial();
  clock.advance(1);
  const dialed = await dial;
  if (accepted === undefined) throw new Error("nobody was given the far end");
  return { dialed, accepted, channels };
}

function send(channel: Channel, text: string): boolean {
  return channel.send(new TextEncoder().encode(text));
}

function texts(messages: readonly Uint8Array[]): string[] {
  return messages.map((bytes) => new TextDecoder().decode(bytes));
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
