import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body, type Envelope } from "../src/transport.ts";
import { settled } from "./fake-clock.ts";
import { call, dialTo, Gate, json, listen, rawClient } from "./rig.ts";

export const Test = defineContract("test.Test", {
  echo: unary(),
  hang: unary(),
  gated: unary(),
  count: serverStream(),
  sum: clientStream(),
  both: bidiStream(),
  wake: notification(),
});

/** A server, a raw peer of it, and a second one that must not feel anything. */
export async function rig(options: Parameters<typeof listen>[1] = {}) {
  const contexts: CallContext[] = [];
  const gate = new Gate<unknown>();
  const sums: unknown[] = [];
  const listener = listen(
    createRouter(Test, {
      echo: (input) => input,
      hang: (_input, ctx) => {
        contexts.push(ctx);
        return new Promise(() => undefined);
      },
      gated: () => gate.promise,
      count: async function* (_input, ctx) {
        contexts.push(ctx);
        for (let i = 1; ; i++) yield i;
      },
      sum: async (items, ctx) => {
        contexts.push(ctx);
        for await (const item of items) sums.push(item);
        return sums.length;
      },
      both: async function* (items, ctx) {
        contexts.push(ctx);
        for await (const item of items) yield item;
      },
      wake: () => undefined,
    }),
    options,
  );
  const peer = await rawClient(listener);
  const other = await rawClient(listener);
  return { listener, peer, other, contexts, gate, sums };
}

export type Rig = Awaited<ReturnType<typeof rig>>;

/** What the rig looks like after the peer has broken the protocol: it is gone, one event is logged, and nobody else has felt anything. */
export const CLOSED = {
  goodbye: [13, "PROTOCOL"],
  ends: 1,
  connections: 1,
  logged: ["PROTOCOL"],
  longLines: [],
  others: ["unaffected"],
};

export async function aftermath({ peer, other, listener }: Rig): Promise<typeof CLOSED> {
  await other.send(call(1, "test.Test.echo", { payload: json("unaffected") }));
  return {
    goodbye: [peer.goodbye?.code ?? 0, peer.goodbye?.reason ?? ""],
    ends: peer.ends.length,
    connections: listener.connectionCount,
    logged: listener.errors.map(({ reason }) => reason ?? ""),
    longLines: listener.errors.filter(({ message }) => message.length > 500) as never[],
    others: other.results as string[],
  };
}

/** Whether the peer is still there and served. */
export async function served({ peer }: Rig, id = 1_001): Promise<boolean> {
  await peer.send(call(id, "test.Test.echo", { payload: json("goes on") }));
  return peer.results.includes("goes on") && peer.ends.length === 0;
}

export const item = (id: number, seq: number, value: unknown = seq): Envelope => ({
  body: Body.Item,
  id,
  seq,
  payload: json(value),
  extra: undefined,
});
export const end = (id: number): Envelope => ({ body: Body.End, id, error: undefined, metadata: undefined });
export const credit = (id: number, credits: number): Envelope => ({ body: Body.Credit, id, credits });
export const cancel = (id: number): Envelope => ({ body: Body.Cancel, id, reason: "" });
export const result = (id: number, value: unknown = null): Envelope => ({
  body: Body.Result,
  id,
  payload: json(value),
  metadata: undefined,
});
export const upload = { kind: "clientStream", payload: undefined } as const;
export const download = { kind: "serverStream", credits: 2 } as const;

/** A client whose server is played by hand, with one call of each kind going. */
export async function clientRig(options: Parameters<typeof dialTo>[0] = {}) {
  const { transport, peers, errors } = dialTo(options);
  const client = createClient(Test, transport);
  await transport.ready();
  const [peer] = peers;
  if (peer === undefined) throw new Error("nobody has dialed");
  return { transport, peer, client, errors };
}

/** The output of a next call; its session must still be the same. */
export async function nextOutput(setup: Awaited<ReturnType<typeof clientRig>>): Promise<unknown> {
  const going = setup.client.echo("next");
  await settled();
  const id = setup.peer.of(Body.Call).at(-1)?.id ?? 0;
  await setup.peer.send(result(id, "goes on"));
  return setup.transport.connected ? going : "another session";
}
