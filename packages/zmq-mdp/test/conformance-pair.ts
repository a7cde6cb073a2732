import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
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

// A case has a thousand calls under way, and each of them has a worker's socket to itself.
context.maxSockets = 10_000;

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
    const network = await networkTo(broker.endpoint);
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

interface Network {
  readonly endpoint: string;
  cut(): Promise<void>;
  close(): Promise<void>;
}

/** Stands between the broker and all others, and can cut every connection from beneath. */
async function networkTo(endpoint: string): Promise<Network> {
  const port = Number(endpoint.slice(endpoint.lastIndexOf(":") + 1));
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const own = typeof address === "object" && address !== null ? address.port : 0;
  const cut = async (): Promise<void> => {
    const all = [...sockets];
    const closed = all.map((socket) => once(socket, "close"));
    for (const socket of all) socket.destroy();
    await Promise.all(closed);
  };
  return {
    endpoint: `tcp://127.0.0.1:${own}`,
    cut,
    close: async () => {
      server.close();
      await cut();
    },
  };
}
