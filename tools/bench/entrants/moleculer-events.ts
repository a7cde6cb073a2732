/**
 * Moleculer's broadcast over its TCP transporter: a node for each subscriber, and one that publishes. Serializer as in moleculer-tcp.ts.
 * Nodes hear of each other by gossip, one random node per period: the publisher knows of 100 subscribers after half a minute, of which
 * nothing is measured. Without `maxConnections` it would keep 32 connections, and make and close one for nearly every event.
 */
import { ServiceBroker } from "moleculer";
import type { FanoutEntrant } from "../harness/entrant.ts";
import { freePort } from "./moleculer-tcp.ts";

let subscriberCount = 0;

export const fanout: FanoutEntrant = {
  servePublisher: async () => {
    const port = await freePort();
    const broker = brokerNode("publisher", port, []);
    await broker.start();
    return {
      endpoint: String(port),
      publish: (text) => broker.broadcast("bench.state", text),
      close: () => broker.stop(),
    };
  },
  subscribe: async (endpoint, received) => {
    const broker = brokerNode(`subscriber-${subscriberCount++}`, undefined, [`tcp://127.0.0.1:${endpoint}/publisher`]);
    broker.createService({
      name: "listener",
      events: {
        "bench.state": (ctx: { params: string }) => received(ctx.params),
      },
    });
    await broker.start();
    return { close: () => broker.stop() };
  },
};

/** Without a port it takes a free one and tells the publisher's node of it. */
function brokerNode(nodeID: string, port: number | undefined, urls: readonly string[]): ServiceBroker {
  return new ServiceBroker({
    nodeID,
    logger: false,
    metrics: false,
    tracing: false,
    serializer: "CBOR",
    transporter: {
      type: "TCP",
      options: {
        ...(port === undefined ? {} : { port }),
        udpDiscovery: false,
        useHostname: false,
        gossipPeriod: 1,
        maxConnections: 1000,
        urls: urls.join(","),
      },
    },
  });
}
