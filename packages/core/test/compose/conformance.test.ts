import { circuitBreaker, createMemoryTransport, type Transport, withRetry } from "@rpc/core";
import { describe, it } from "vitest";
import { transportSuite } from "../../../testkit/src/index.ts";

/**
 * Whatever is composed is a transport. Those that leave the fate of a single call as it is are held to the whole suite: one that walks by
 * tries, and one that does not.
 */
const COMPOSITIONS: Readonly<Record<string, (transport: Transport) => Transport>> = {
  "withRetry of one try": (transport) => withRetry(transport, { maxAttempts: 1 }),
  "circuitBreaker that never opens": (transport) => circuitBreaker(transport, { isFailure: () => false }),
};

for (const [name, compose] of Object.entries(COMPOSITIONS)) {
  transportSuite({
    describe,
    it,
    name,
    factory: async ({ handler, limits, callerLimits, ...options }) => {
      const part = createMemoryTransport(handler, { ...options, ...limits, ...callerLimits });
      const transport = compose(part);
      const cut = (): void => {
        for (const peer of part.listener.peers) peer.disconnect();
      };
      return {
        transport,
        // What composing costs, it costs at the calling end.
        listener: Object.assign(part.listener, { capabilities: transport.capabilities }),
        cut,
        restart: async () => cut(),
        close: () => transport.close(),
      };
    },
  });
}
