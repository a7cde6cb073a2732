import { RpcError } from "@rpc/core";
import type { Channel, ChannelSink } from "@rpc/core/transport";
import { repeat, swap, wrapChannel } from "../src/index.ts";

/** Channels that break one rule each, by what they do, with the requirement that must find it. */
export const BROKEN_CHANNELS: Readonly<Record<string, readonly [id: string, break_: (channel: Channel) => Channel]>> = {
  "delivers before open has been called": ["C01", eager],
  "cuts long messages": [
    "C02",
    (channel) => wrapChannel(channel, { send: (bytes) => channel.send(bytes.subarray(0, 65_536)) }),
  ],
  "loses a message now and then": ["C03", losing],
  "delivers a message twice": ["C03", (channel) => repeat(channel, 300)],
  "swaps two messages": ["C03", (channel) => swap(channel, 300)],
  "never says that it is full": [
    "C05",
    (channel) => wrapChannel(channel, { send: (bytes) => (channel.send(bytes), true) }),
  ],
  "never says that there is room again": ["C05", (channel) => tellingOnly(channel, "drained")],
  "drops what it is sent when it is full": ["C05", droppingWhenFull],
  "hands on the sender's own buffer": [
    "C06",
    (channel) => wrapChannel(channel, { send: (bytes) => channel.send(bytes, true) }),
  ],
  "calls the sink inside send": ["C07", reentrant],
  "loses what was sent just before close": [
    "C08",
    (channel) => wrapChannel(channel, { close: (reason) => channel.destroy?.(reason) }),
  ],
  "tells the end twice": ["C09", endingTwice],
  "takes messages after close": [
    "C11",
    (channel) => wrapChannel(channel, { send: (bytes) => (channel.send(bytes), true) }),
  ],
  "never tells the end": ["C13", (channel) => tellingOnly(channel, "closed")],
};

function losing(channel: Channel): Channel {
  let count = 0;
  return wrapChannel(channel, { send: (bytes) => (++count % 500 === 0 ? true : channel.send(bytes)) });
}

function droppingWhenFull(channel: Channel): Channel {
  let full = false;
  return wrapChannel(channel, {
    send: (bytes) => {
      if (full) return false;
      full = !channel.send(bytes);
      return !full;
    },
    sink: (outer) => ({
      message: (bytes) => outer.message(bytes),
      drained: () => {
        full = false;
        outer.drained();
      },
      closed: (reason) => outer.closed(reason),
    }),
  });
}

/** Hands everything over but one kind of event. */
function tellingOnly(channel: Channel, swallowed: "drained" | "closed"): Channel {
  return wrapChannel(channel, {
    sink: (outer) => ({
      message: (bytes) => outer.message(bytes),
      drained: () => {
        if (swallowed !== "drained") outer.drained();
      },
      closed: (reason) => {
        if (swallowed !== "closed") outer.closed(reason);
      },
    }),
  });
}

function endingTwice(channel: Channel): Channel {
  return wrapChannel(channel, {
    sink: (outer) => ({
      message: (bytes) => outer.message(bytes),
      drained: () => outer.drained(),
      closed: (reason) => {
        outer.closed(reason);
        outer.closed(reason);
      },
    }),
  });
}

/** Reads from the wire before anybody listens, and forgets what it read. */
function eager(channel: Channel): Channel {
  let sink: ChannelSink | undefined;
  channel.open({
    message: (bytes) => sink?.message(bytes),
    drained: () => sink?.drained(),
    closed: (reason) => sink?.closed(reason),
  });
  return { ...wrapChannel(channel, {}), open: (given) => void (sink = given) };
}

function reentrant(channel: Channel): Channel {
  let sink: ChannelSink | undefined;
  return wrapChannel(channel, {
    sink: (outer) => {
      sink = outer;
      return outer;
    },
    close: (reason) => {
      sink?.closed(reason ?? new RpcError("UNAVAILABLE", "closed"));
      channel.close(reason);
    },
  });
}
