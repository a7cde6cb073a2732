import { type ClientOf, createClient, type Handler, type Listener } from "@rpc/core";
import {
  createMdpTransport,
  type MdpBroker,
  type MdpBrokerOptions,
  type MdpListenerOptions,
  type MdpTransport,
  type MdpTransportOptions,
  runMdpBroker,
  serveMdp,
} from "@rpc/zmq-mdp";
import { ANY, closeAfterwards } from "./rig.ts";
import { Counts, Sums, sums } from "./sums.ts";

/** Our broker, on a port that the system chooses unless the options say another. */
export async function ourBroker(options: Partial<MdpBrokerOptions> = {}): Promise<MdpBroker> {
  const broker = await runMdpBroker({ endpoint: ANY, ...options });
  closeAfterwards(() => broker.close());
  return broker;
}

export async function ourWorker(
  broker: string,
  options: Partial<MdpListenerOptions> = {},
  handler: Handler = sums(),
): Promise<Listener> {
  const listener = await serveMdp(handler, { broker, ...options });
  closeAfterwards(() => listener.close());
  return listener;
}

function transportTo(endpoint: string, options: MdpTransportOptions): MdpTransport {
  const transport = createMdpTransport(endpoint, options);
  closeAfterwards(() => transport.close());
  return transport;
}

export function ourClient(endpoint: string, options: MdpTransportOptions = {}): ClientOf<typeof Sums> {
  return createClient(Sums, transportTo(endpoint, options));
}

/** A client of MDP 0.2. */
export function ourStreamClient(endpoint: string, service: string): ClientOf<typeof Counts> {
  return createClient(Counts, transportTo(endpoint, { service, dialect: "mdp02" }));
}

/** Settles when so many workers have come. */
export async function readyAt(broker: MdpBroker, count = 1): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => {
    broker.on("workerReady", () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
}
