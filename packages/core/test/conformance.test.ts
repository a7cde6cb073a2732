import { createMemoryTransport } from "@rpc/core";
import { createMemoryChannelPair, createSessionTransport, jsonEnvelopeCodec } from "@rpc/core/transport";
import { describe, it } from "vitest";
// By path: as a package the testkit depends on this one, and a circle of packages cannot be built.
import { channelSuite, type ChannelPair, transportSuite } from "../../testkit/src/index.ts";

async function memoryChannels(): Promise<ChannelPair> {
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

channelSuite({ describe, it, name: "memory channel", factory: memoryChannels });

transportSuite({
  describe,
  it,
  name: "memory transport",
  wire: { codec: jsonEnvelopeCodec, connect: memoryChannels },
  factory: async ({ handler, limits, callerLimits, ...options }) => {
    const transport = createMemoryTransport(handler, { ...options, ...limits, ...callerLimits });
    const cut = (): void => {
      for (const peer of transport.listener.peers) peer.disconnect();
    };
    return {
      transport,
      listener: transport.listener,
      cut,
      another: () =>
        createSessionTransport({
          ...options,
          endpoint: "memory:",
          codec: jsonEnvelopeCodec,
          heartbeatMs: 0,
          resumeWindowMs: 0,
          ...callerLimits,
          dial: async () => {
            const { dialed, accepted } = await memoryChannels();
            transport.listener.accept(accepted);
            return dialed;
          },
        }),
      // There is nothing but the process itself to restart: what is left of it is that every session ends.
      restart: async () => cut(),
      close: () => transport.close(),
    };
  },
});
