import { type ClientOf, createRouter, defineContract, unary } from "@rpc/core";
import type { Contract, Handler, Peer } from "@rpc/core/transport";
import { fail, setAside } from "../assert.ts";
import { createGate } from "../gate.ts";
import {
  clientOf,
  type ConnectOptions,
  proves,
  type TransportBench,
  type TransportCase,
  type TransportPair,
} from "../transport-bench.ts";

/** Who serves a contract, seen from the other end. */
interface Ends<C extends Contract> {
  readonly client: ClientOf<C>;
  readonly pair: TransportPair;
}

/** Serves the handler at one end and gives the other end's client of the contract. */
export type Open = <C extends Contract>(contract: C, handler: Handler, options?: ConnectOptions) => Promise<Ends<C>>;

const Quiet = defineContract("testkit.Quiet", { hello: unary() });

/** What an end serves that has nothing to serve. */
export const quiet: Handler = createRouter(Quiet, { hello: () => "hello" });

/** One case for each direction: what the listener serves and what the dialing end serves. */
export function bothWays(
  id: string,
  behaviour: string,
  run: (bench: TransportBench, open: Open) => Promise<void>,
): readonly TransportCase[] {
  return [
    proves(id, behaviour, (bench) =>
      run(bench, async (contract, handler, options) => {
        const pair = await bench.connect(handler, options);
        return { client: clientOf(bench, contract, pair.transport), pair };
      }),
    ),
    proves(id, `${behaviour}, where the client serves its server`, async (bench) => {
      if (typeof bench.capabilities.duplex !== "string") setAside("duplex is declared a gap");
      await run(bench, async (contract, handler, options) => {
        const pair = await bench.connect(quiet, { ...options, serve: handler });
        return { client: (await firstPeer(pair)).client(contract), pair };
      });
    }),
  ];
}

/** The first client of a listener. */
export async function firstPeer(pair: TransportPair): Promise<Peer> {
  const { listener } = pair;
  if (listener === undefined) return fail("a transport with duplex needs a factory that gives its listener");
  const came = createGate<Peer>();
  listener.on("client-connected", (peer) => came.open(peer));
  await pair.transport.ready();
  const [first] = listener.peers;
  return first ?? came.passed;
}

/** One more client on a connection of its own where the factory makes one, on the same one elsewhere. */
export function anotherClient<C extends Contract>(
  bench: TransportBench,
  pair: TransportPair,
  contract: C,
): ClientOf<C> {
  const other = pair.another?.();
  if (other !== undefined) bench.defer(() => other.close());
  return clientOf(bench, contract, other ?? pair.transport);
}
