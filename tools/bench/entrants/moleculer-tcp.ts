import { once } from "node:events";
import { createServer } from "node:net";
import { Readable } from "node:stream";
import { ServiceBroker } from "moleculer";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

const MAX_PACKET_BYTES = 16 * 1024 * 1024;

interface NodePorts {
  readonly server: number;
  readonly client: number;
}

export const entrant: Entrant = {
  gaps: { idleServerKilobytes: "every connection is a whole broker node in the registry of all others" },
  serve: async () => {
    const ports = { server: await freePort(), client: await freePort() };
    const broker = brokerNode("server", ports);
    broker.createService({
      name: "bench",
      actions: {
        echo: (ctx: { params: EchoMessage }) => ({ id: ctx.params.id, text: ctx.params.text }),
        echoBytes: (ctx: { params: { data: Uint8Array } }) => ctx.params.data,
        items: (ctx: { params: { itemCount: number } }) => Readable.from(itemsFor(ctx.params.itemCount)),
      },
    });
    await broker.start();
    return { endpoint: JSON.stringify(ports), close: () => broker.stop() };
  },
  connect: async (endpoint) => {
    const broker = brokerNode("client", JSON.parse(endpoint) as NodePorts);
    await broker.start();
    await broker.waitForServices("bench", 20_000, 50);
    return {
      echo: (message) => broker.call<EchoMessage, EchoMessage>("bench.echo", message),
      countItems: async (itemCount) => {
        let received = 0;
        for await (const _item of await broker.call<Readable, { itemCount: number }>("bench.items", { itemCount }))
          received++;
        return received;
      },
      echoBytes: (data) => broker.call<Uint8Array, { data: Uint8Array }>("bench.echoBytes", { data }),
      close: () => broker.stop(),
    };
  },
};

/** CBOR (cbor-x) is the serializer that Moleculer's docs call its fastest; it also carries bytes, which JSON does not. */
function brokerNode(nodeID: keyof NodePorts, ports: NodePorts): ServiceBroker {
  return new ServiceBroker({
    nodeID,
    logger: false,
    metrics: false,
    tracing: false,
    serializer: "CBOR",
    transporter: {
      type: "TCP",
      options: {
        port: ports[nodeID],
        udpDiscovery: false,
        useHostname: false,
        maxPacketSize: MAX_PACKET_BYTES,
        urls: `tcp://127.0.0.1:${ports.server}/server,tcp://127.0.0.1:${ports.client}/client`,
      },
    },
  });
}

/** Moleculer wants to know the ports of all nodes beforehand. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("the probe listens on TCP");
  return address.port;
}
