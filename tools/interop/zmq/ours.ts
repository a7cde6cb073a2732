import { type Contract, createClient, createRouter, defineContract, type Listener, RpcError, unary } from "@rpc/core";
import {
  createMdpTransport,
  type MdpBroker,
  type MdpBrokerOptions,
  type MdpListenerOptions,
  type MdpTransportOptions,
  runMdpBroker,
  serveMdp,
} from "@rpc/zmq-mdp";
import { ANY, closeAfterwards } from "./rig.ts";

const definitions = { add: unary(), divide: unary(), echo: unary() };

export const SERVICE = "interop.Sums";

/** What the workers of both languages serve. */
const Sums: Contract<typeof definitions> = defineContract(SERVICE, definitions);

interface Pair {
  readonly a: number;
  readonly b: number;
}

function sums() {
  return createRouter(Sums, {
    add: (input) => {
      const { a, b } = input as Pair;
      return a + b;
    },
    divide: (input) => {
      const { a, b } = input as Pair;
      if (b === 0) throw new RpcError("FAILED_PRECONDITION", "division by zero");
      return a / b;
    },
    echo: (input) => input,
  });
}

/** Our broker, on a port that the system chooses unless the options say another. */
export async function ourBroker(options: Partial<MdpBrokerOptions> = {}): Promise<MdpBroker> {
  const broker = await runMdpBroker({ endpoint: ANY, ...options });
  closeAfterwards(() => broker.close());
  return broker;
}

export async function ourWorker(broker: string, options: Partial<MdpListenerOptions> = {}): Promise<Listener> {
  const listener = await serveMdp(sums(), { broker, ...options });
  closeAfterwards(() => listener.close());
  return listener;
}

export function ourClient(endpoint: string, options: MdpTransportOptions = {}) {
  const transport = createMdpTransport(endpoint, options);
  closeAfterwards(() => transport.close());
  return createClient(Sums, transport);
}
