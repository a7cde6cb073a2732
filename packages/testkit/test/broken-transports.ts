import { RpcError } from "@rpc/core";
import type { CallContext, Capabilities, Clock, Transport } from "@rpc/core/transport";
import type { TransportPair, TransportPairOptions } from "../src/index.ts";
import { memoryPair } from "./memory-pair.ts";

type Factory = (options: TransportPairOptions) => Promise<TransportPair>;
type Port = Pick<Transport, "call" | "stream">;

/** Transports that break one promise each, by what they do, with the requirement that must find it. */
export const BROKEN_TRANSPORTS: Readonly<Record<string, readonly [id: string, factory: Factory]>> = {
  "runs every call twice": [
    "C43",
    broken((port) => ({
      call: async (input, context) => {
        await port.call(input, context);
        return port.call(input, context);
      },
    })),
  ],
  "drops every tenth call": ["C21", broken(dropping)],
  "mixes replies up": ["C21", broken(mixing)],
  "lets a call wait for the one before it": ["C22", broken(oneByOne)],
  "ignores cancel": [
    "C64",
    broken((port) => ({ call: (input, context) => port.call(input, without(context, "cancel")) })),
  ],
  "ends calls before their deadline": ["C57", broken(hasty)],
  "loses metadata": [
    "C32",
    broken((port) => ({ call: (input, context) => port.call(input, without(context, "metadata")) })),
  ],
  "rounds values through JSON": [
    "C23",
    broken((port) => ({ call: (input, context) => port.call(throughJson(input), context) })),
  ],
  "reorders calls and notifications": ["C43", broken(reordering)],
  "swallows errors": [
    "C27",
    broken((port) => ({
      call: async (input, context) => Promise.resolve(port.call(input, context)).catch(() => undefined),
    })),
  ],
  "calls every error UNKNOWN": [
    "C27",
    broken((port) => ({
      call: async (input, context) => {
        try {
          return await port.call(input, context);
        } catch (caught) {
          throw new RpcError("UNKNOWN", RpcError.from(caught).message);
        }
      },
    })),
  ],
  "cannot stream and does not say so": [
    "C71",
    broken(() => ({
      stream: () => {
        throw new RpcError("UNIMPLEMENTED", "no streams here");
      },
    })),
  ],
  "takes a lost stream for a complete one": ["C89", broken(completing)],
  "buffers streams without limit": ["C83", broken(hoarding)],
  "leaves the producer running when its reader leaves": ["C80", broken(neverReturning)],
  "declares a gap that works": [
    "C70",
    declaring({ progress: { unsupported: "progress does not travel; ask with a call" } }),
  ],
  "declares another gap that works": [
    "C44",
    declaring({ duplex: { unsupported: "the server cannot call; poll it instead" } }),
  ],
  "declares less than it does": ["C58", declaring({ deadline: "local" })],
  "declares a gap without a sentence": ["C142", declaring({ queue: { unsupported: "no" } })],
  "claims what it does not carry": ["C142", declaring({ topics: "sideways" as "volatile" })],
  "connects before it is asked to": ["C131", connectingAtOnce],
  "leaves a timer behind for each call": ["C141", leaking],
  "never settles its close": ["C132", broken(() => ({}), { close: () => new Promise(() => undefined) })],
  "takes calls after close": ["C133", broken(() => ({}), { close: () => Promise.resolve() })],
  "does not dial again": ["C135", dialingOnce],
};

/** A memory pair whose calling half has another way to call. */
function broken(change: (port: Port, clock: Clock) => Partial<Port>, members: Partial<Transport> = {}): Factory {
  return async (options) => {
    const pair = await memoryPair(options);
    const { transport } = pair;
    const port: Port = {
      call: (input, context) => transport.call(input, context),
      stream: (input, context) => transport.stream(input, context),
    };
    return { ...pair, transport: dressed(transport, { ...change(port, options.clock), ...members }) };
  };
}

function declaring(capabilities: Partial<Capabilities>): Factory {
  return async (options) => {
    const pair = await memoryPair(options);
    return {
      ...pair,
      transport: dressed(pair.transport, { capabilities: { ...pair.transport.capabilities, ...capabilities } }),
    };
  };
}

/** A transport with some members changed. */
export function dressed(transport: Transport, members: Partial<Transport>): Transport {
  return {
    endpoint: transport.endpoint,
    capabilities: transport.capabilities,
    call: (input, context) => transport.call(input, context),
    stream: (input, context) => transport.stream(input, context),
    topicPort: transport.topicPort,
    workQueue: transport.workQueue,
    ready: () => transport.ready(),
    close: (options) => transport.close(options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    ...members,
  };
}

/** A context that has lost one thing. */
function without(context: CallContext, lost: "cancel" | "metadata"): CallContext {
  const members: Record<typeof lost, Readonly<Record<string, unknown>>> = {
    cancel: { signal: new AbortController().signal, onCancel: () => undefined, cancelReason: undefined },
    metadata: { hasMetadata: false },
  };
  return new Proxy(context, {
    get: (target, key) => {
      if (typeof key === "string" && key in members[lost]) return members[lost][key];
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Gives up a millisecond early, as a clock that is read in whole seconds does. */
function hasty(port: Port, clock: Clock): Partial<Port> {
  return {
    call: (input, context) =>
      new Promise((resolve, reject) => {
        Promise.resolve(port.call(input, context)).then(resolve, reject);
        if (context.deadline === undefined) return;
        const early = (): void => reject(new RpcError("DEADLINE_EXCEEDED", "too early"));
        clock.setTimeout(early, context.deadline - clock.now() - 1);
      }),
  };
}

function dropping(port: Port): Partial<Port> {
  let count = 0;
  return { call: (input, context) => (++count % 10 === 0 ? new Promise(() => undefined) : port.call(input, context)) };
}

function mixing(port: Port): Partial<Port> {
  let last: unknown;
  return {
    call: async (input, context) => {
      const output = await port.call(input, context);
      const before = last ?? output;
      last = output;
      return before;
    },
  };
}

function oneByOne(port: Port): Partial<Port> {
  let before: Promise<unknown> = Promise.resolve();
  return {
    call: (input, context) => {
      const mine = before.then(() => port.call(input, context));
      before = mine.catch(() => undefined);
      return mine;
    },
  };
}

function reordering(port: Port): Partial<Port> {
  let held: (() => void) | undefined;
  return {
    call: (input, context) => {
      if (held === undefined && context.method.kind === "notification") {
        return new Promise((resolve) => {
          held = () => resolve(port.call(input, context));
        });
      }
      const output = port.call(input, context);
      held?.();
      held = undefined;
      return output;
    },
  };
}

function throughJson(input: unknown): unknown {
  return JSON.parse(
    JSON.stringify(input, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value)) ?? "null",
  );
}

function completing(port: Port): Partial<Port> {
  return {
    stream: async function* (input, context) {
      try {
        yield* port.stream(input, context);
      } catch {
        // Whatever it was, the reader sees the end.
      }
    },
  };
}

function hoarding(port: Port): Partial<Port> {
  return {
    stream: async function* (input, context) {
      const items: unknown[] = [];
      for await (const item of port.stream(input, context)) items.push(item);
      yield* items;
    },
  };
}

function neverReturning(port: Port): Partial<Port> {
  return {
    stream: (input, context) => {
      const inner = port.stream(input, context)[Symbol.asyncIterator]();
      return { [Symbol.asyncIterator]: () => ({ next: () => inner.next() }) };
    },
  };
}

async function connectingAtOnce(options: TransportPairOptions): Promise<TransportPair> {
  const pair = await memoryPair(options);
  await pair.transport.ready();
  return pair;
}

async function leaking(options: TransportPairOptions): Promise<TransportPair> {
  return broken((port, clock) => ({
    call: (input, context) => {
      clock.setTimeout(() => undefined, 3_600_000);
      return port.call(input, context);
    },
  }))(options);
}

async function dialingOnce(options: TransportPairOptions): Promise<TransportPair> {
  const pair = await memoryPair(options);
  let lost = false;
  return {
    ...pair,
    cut: async () => {
      await pair.cut?.();
      lost = true;
    },
    transport: dressed(pair.transport, {
      call: (input, context) => {
        if (lost) throw new RpcError("UNAVAILABLE", "lost for good");
        return pair.transport.call(input, context);
      },
    }),
  };
}
