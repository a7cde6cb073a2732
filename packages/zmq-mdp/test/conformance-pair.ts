import type { TransportPair, TransportPairOptions } from "@rpc/testkit";
import { context } from "zeromq";
import {
  createMdpTransport,
  type MdpListenerOptions,
  type MdpTransport,
  type MdpTransportOptions,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";
import { networkTo } from "./network.ts";

// A case has a thousand calls under way, and each of them has a worker's socket to itself.
context.maxSockets = 10_000;

export const NO_KIND: string = "a request without $meta does not say of what kind its caller takes it for";
export const NO_REFUSAL: string =
  "a worker that drains gives its place up at once, so that the broker asks another one; a call waits for it";

/** A transport and a listener with a broker between them, and a network that can be cut between callers and broker. */
export function pairOf(
  caller: MdpTransportOptions,
  served: Partial<MdpListenerOptions>,
): (options: TransportPairOptions) => Promise<TransportPair> {
  return async ({ handler, clock, limits, callerLimits, exposeStacks, onError }) => {
    // A case may let hours pass on its clock while one message is on its way through real sockets: nobody is to be missed for that.
    const patience = { liveness: 1e9, maxBusyMs: 1e12, requestTtlMs: 1e12, unknownServiceTtlMs: 1e12 };
    const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", clock, ...patience });
    // What is cut is the way of the callers: of that no worker hears.
    const network = await networkTo(broker.endpoint, served.version === "0.2");
    const serve = (): ReturnType<typeof serveMdp> =>
      serveMdp(handler, {
        broker: broker.endpoint,
        service: "testkit",
        clock,
        exposeStacks,
        liveness: 1_000_000,
        onError,
        maxMessageBytes: limits?.maxMessageBytes,
        concurrency: limits?.maxCallsInFlight === undefined ? 24 : Math.min(limits.maxCallsInFlight, 1_000),
        ...served,
      });
    let listener = await serve();
    const another = (): MdpTransport =>
      createMdpTransport(network.endpoint, {
        service: "testkit",
        clock,
        maxMessageBytes: callerLimits?.maxMessageBytes,
        ...caller,
      });
    const transport = another();
    return {
      transport,
      listener,
      another,
      cut: () => network.cut(),
      restart: async () => {
        await listener.close();
        listener = await serve();
      },
      close: async () => {
        await transport.close();
        await listener.close();
        await broker.close({ drainMs: 0 });
        await network.close();
      },
    };
  };
}
