import {
  type Channel,
  createMemoryChannelPair,
  createSessionListener,
  createSessionTransport,
  jsonEnvelopeCodec,
} from "@rpc/core/transport";
import type { ChannelPair, TransportPair, TransportPairOptions, Wire } from "../src/index.ts";

/** The wire of the memory transport. */
export const memoryWire: Wire = { codec: jsonEnvelopeCodec, connect: async () => memoryChannels() };

/** Two ends in this process. */
export function memoryChannels(): ChannelPair {
  const [dialed, accepted] = createMemoryChannelPair();
  return {
    dialed,
    accepted,
    close: async () => {
      dialed.close();
      accepted.close();
    },
  };
}

/** Sessions over memory channels, with something between each channel and its session. */
export async function memoryPair(
  options: TransportPairOptions,
  around: (channel: Channel) => Channel = (channel) => channel,
): Promise<TransportPair> {
  const { handler, serve, clock, limits, callerLimits, exposeStacks, onError, credentials } = options;
  const open = new Set<Channel>();
  let listening = true;
  let listener = listen();

  function listen(): ReturnType<typeof createSessionListener> {
    return createSessionListener({
      endpoint: "memory:",
      handler,
      codec: jsonEnvelopeCodec,
      clock,
      exposeStacks,
      onError,
      stopAccepting: async () => void (listening = false),
      ...limits,
      ...credentials?.listener,
    });
  }
  function createTransport(): ReturnType<typeof createSessionTransport> {
    return createSessionTransport({
      endpoint: "memory:",
      codec: jsonEnvelopeCodec,
      clock,
      serve,
      dial: async () => {
        const [near, far] = createMemoryChannelPair();
        open.add(near);
        listener.accept(around(far));
        return around(near);
      },
      ...callerLimits,
      ...credentials?.caller,
    });
  }

  const transport = createTransport();
  return {
    transport,
    listener,
    another: createTransport,
    cut: () => {
      for (const channel of open) channel.destroy?.();
      open.clear();
    },
    restart: async () => {
      await listener.close();
      listening = true;
      listener = listen();
    },
    close: async () => {
      await transport.close();
      await listener.close();
      if (listening) throw new Error("the listener did not stop accepting");
    },
  };
}
