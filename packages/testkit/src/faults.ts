import type { RpcError } from "@rpc/core";
import type { Channel, ChannelSink, Clock } from "@rpc/core/transport";

/**
 * Wires that misbehave on purpose, as wrappers from channel to channel.
 *
 * The first group keeps the rules of a channel and only uses their freedom: a session must not notice
 * (`split`, `coalesce`, `delay`, `reorderReady`, `alwaysFull`). The second breaks them the way broken networks, proxies and
 * third-party channels do: a session must end or fail the call, and never hang
 * (`dropAfter`, `cutAfter`, `halfClose`, `garbage`, `repeat`, `swap`, `blackHole`).
 */
export type Fault = (channel: Channel) => Channel;

/** Replaces parts of a channel; what is not named is handed on. */
export interface ChannelOverrides {
  readonly send?: (message: Uint8Array, transfer: boolean) => boolean;
  /** Gives the inner channel a sink of the wrapper's own. */
  readonly sink?: (outer: ChannelSink) => ChannelSink;
  readonly close?: (reason: RpcError | undefined) => void;
}

/** A channel around a channel. */
export function wrapChannel(inner: Channel, overrides: ChannelOverrides): Channel {
  const { send, sink, close } = overrides;
  return {
    remote: inner.remote,
    security: inner.security,
    open: (outer) => inner.open(sink === undefined ? outer : sink(outer)),
    send: (message, transfer) =>
      send === undefined ? inner.send(message, transfer) : send(message, transfer ?? false),
    close: (reason) => (close === undefined ? inner.close(reason) : close(reason)),
    ...(inner.destroy === undefined ? {} : { destroy: (reason?: RpcError) => inner.destroy?.(reason) }),
    ...(inner.pause === undefined ? {} : { pause: () => inner.pause?.() }),
    ...(inner.resume === undefined ? {} : { resume: () => inner.resume?.() }),
    ...(inner.limitMessageBytes === undefined
      ? {}
      : { limitMessageBytes: (maxMessageBytes: number) => inner.limitMessageBytes?.(maxMessageBytes) }),
  };
}

/** Hands over what arrived one event per turn, however many were ready. */
export function split(channel: Channel): Channel {
  return queueing(channel, (queue, deliver) => {
    deliver(queue.splice(0, 1));
  });
}

/** Hands over what arrived within a turn all at once. */
export function coalesce(channel: Channel): Channel {
  return queueing(channel, (queue, deliver) => deliver(queue.splice(0)));
}

/** As `coalesce`, and "there is room again" overtakes the messages that were ready before it. */
export function reorderReady(channel: Channel): Channel {
  return queueing(channel, (queue, deliver) => {
    const ready = queue.splice(0);
    deliver([...ready.filter((event) => event.drained), ...ready.filter((event) => !event.drained)]);
  });
}

/** Everything arrives later by `delayMs` of the clock. */
export function delay(channel: Channel, clock: Clock, delayMs: number): Channel {
  return wrapChannel(channel, {
    sink: (outer) => ({
      message: (bytes) => void clock.setTimeout(() => outer.message(bytes), delayMs),
      drained: () => void clock.setTimeout(() => outer.drained(), delayMs),
      ...endedOf(outer, (tell) => void clock.setTimeout(tell, delayMs)),
      closed: (reason) => void clock.setTimeout(() => outer.closed(reason), delayMs),
    }),
  });
}

/** The member that a sink may leave out, told in the wrapper's own time. */
function endedOf(outer: ChannelSink, run: (tell: () => void) => void): Pick<ChannelSink, "ended"> {
  return outer.ended === undefined ? {} : { ended: () => run(() => outer.ended?.()) };
}

/** Says "full" to every message and "room again" a turn later: the narrowest wire that keeps the rules. */
export function alwaysFull(channel: Channel): Channel {
  let outer: ChannelSink | undefined;
  let scheduled = false;
  return wrapChannel(channel, {
    sink: (given) => {
      outer = given;
      return {
        message: (bytes) => given.message(bytes),
        ...endedOf(given, (tell) => tell()),
        drained: () => undefined,
        closed: (reason) => {
          outer = undefined;
          given.closed(reason);
        },
      };
    },
    send: (message, transfer) => {
      channel.send(message, transfer);
      if (!scheduled && outer !== undefined) {
        scheduled = true;
        setTimeout(() => {
          scheduled = false;
          outer?.drained();
        }, 0);
      }
      return false;
    },
  });
}

/** The first `count` messages are sent, the rest vanish without a word. */
export function dropAfter(channel: Channel, count: number): Channel {
  let sent = 0;
  return wrapChannel(channel, {
    send: (message, transfer) => {
      sent += 1;
      return sent > count ? true : channel.send(message, transfer);
    },
  });
}

/** The connection is cut instead of sending message number `count` + 1. */
export function cutAfter(channel: Channel, count: number): Channel {
  let sent = 0;
  return wrapChannel(channel, {
    send: (message, transfer) => {
      sent += 1;
      if (sent <= count) return channel.send(message, transfer);
      destroyChannel(channel);
      return false;
    },
  });
}

/** After `count` messages nothing arrives any more, not even the end; sending goes on. */
export function halfClose(channel: Channel, count: number): Channel {
  let received = 0;
  return wrapChannel(channel, {
    sink: (outer) => ({
      message: (bytes) => {
        received += 1;
        if (received <= count) outer.message(bytes);
      },
      drained: () => outer.drained(),
      ...endedOf(outer, (tell) => tell()),
      closed: (reason) => {
        if (received <= count) outer.closed(reason);
      },
    }),
  });
}

/** Message number `at` (the first is 1) is replaced by bytes that mean nothing. */
export function garbage(channel: Channel, at: number, bytes: Uint8Array = new Uint8Array(40).fill(0xff)): Channel {
  return replacing(channel, (number, message, send) => send(number === at ? bytes.slice() : message));
}

/** Message number `at` is sent twice. */
export function repeat(channel: Channel, at: number): Channel {
  return replacing(channel, (number, message, send) => {
    if (number === at) send(message.slice());
    return send(message);
  });
}

/** Message number `at` is sent after the one that follows it. */
export function swap(channel: Channel, at: number): Channel {
  let held: Uint8Array | undefined;
  return replacing(channel, (number, message, send) => {
    if (number === at) {
      held = message.slice();
      return true;
    }
    const accepted = send(message);
    if (held === undefined) return accepted;
    const late = held;
    held = undefined;
    return send(late);
  });
}

/** While `isSilent()` holds, nothing goes out and nothing comes in, as on a pulled cable: no end is ever seen. */
export function blackHole(channel: Channel, isSilent: () => boolean): Channel {
  return wrapChannel(channel, {
    send: (message, transfer) => (isSilent() ? true : channel.send(message, transfer)),
    sink: (outer) => ({
      message: (bytes) => {
        if (!isSilent()) outer.message(bytes);
      },
      drained: () => outer.drained(),
      ...endedOf(outer, (tell) => tell()),
      closed: (reason) => {
        if (!isSilent()) outer.closed(reason);
      },
    }),
  });
}

/** Ends a channel at once, also one that knows no harder end than close. */
export function destroyChannel(channel: Channel, reason?: RpcError): void {
  if (channel.destroy === undefined) channel.close(reason);
  else channel.destroy(reason);
}

interface ReadyEvent {
  readonly drained: boolean;
  deliver(): void;
}

/** Events in the queue beyond which the wire beneath is paused, so that back-pressure still reaches the sender. */
const MOST_READY = 1_000;

function queueing(
  channel: Channel,
  pump: (queue: ReadyEvent[], deliver: (events: readonly ReadyEvent[]) => void) => void,
): Channel {
  const queue: ReadyEvent[] = [];
  let scheduled = false;
  let pausedOutside = false;
  let pausedHere = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setTimeout(() => {
      scheduled = false;
      pump(queue, (events) => events.forEach((event) => event.deliver()));
      if (pausedHere && queue.length < MOST_READY) {
        pausedHere = false;
        if (!pausedOutside) channel.resume?.();
      }
      if (queue.length > 0) schedule();
    }, 0);
  }
  function enqueue(drained: boolean, deliver: () => void): void {
    queue.push({ drained, deliver });
    if (!pausedHere && queue.length >= MOST_READY) {
      pausedHere = true;
      channel.pause?.();
    }
    schedule();
  }

  const wrapped = wrapChannel(channel, {
    sink: (outer) => ({
      message: (bytes) => enqueue(false, () => outer.message(bytes)),
      drained: () => enqueue(true, () => outer.drained()),
      ...endedOf(outer, (tell) => enqueue(false, tell)),
      closed: (reason) => enqueue(false, () => outer.closed(reason)),
    }),
  });
  if (channel.pause === undefined) return wrapped;
  return {
    ...wrapped,
    pause: () => {
      pausedOutside = true;
      channel.pause?.();
    },
    resume: () => {
      pausedOutside = false;
      if (!pausedHere) channel.resume?.();
    },
  };
}

function replacing(
  channel: Channel,
  send: (number: number, message: Uint8Array, forward: (bytes: Uint8Array) => boolean) => boolean,
): Channel {
  let number = 0;
  return wrapChannel(channel, {
    send: (message) => {
      number += 1;
      return send(number, message, (bytes) => channel.send(bytes));
    },
  });
}
