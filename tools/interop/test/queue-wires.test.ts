import { createRouter, defineContract, type Listener, type Transport, unary } from "@rpc/core";
import {
  type CommandServiceHandler,
  createCommandService,
  createDbQueue,
  createRemoteStore,
  createSqliteStore,
  serveDbQueue,
} from "@rpc/db-queue";
import { createXmlRpcTransport, serveXmlRpc } from "@rpc/xmlrpc";
import { createMdpTransport, runMdpBroker, serveMdp } from "@rpc/zmq-mdp";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { serveWs } from "../../../packages/ws/src/node/listener.ts";
import { createWsTransport } from "../../../packages/ws/src/node/transport.ts";
import { until } from "../rig.ts";

// TCP and XML-RPC run the whole suite of stores: queue-stores.test.ts.

const Numbers = defineContract("demo.Numbers", {
  add: unary({ input: z.object({ a: z.number(), b: z.number() }), output: z.number(), progress: z.number() }),
});
const ADDRESS = "bot:7";

interface Wire {
  readonly dial: () => Transport;
  readonly close: () => Promise<void>;
}

const served = (listener: Listener, dial: (endpoint: string) => Transport): Wire => ({
  dial: () => dial(listener.endpoint),
  close: () => listener.close(),
});

const WIRES: Readonly<Record<string, (service: CommandServiceHandler) => Promise<Wire>>> = {
  WebSocket: async (service) =>
    served(await serveWs(service, { endpoint: "ws://127.0.0.1:0/queue" }), (endpoint) => createWsTransport(endpoint)),
  "JSON-RPC over HTTP": async (service) =>
    served(await serveXmlRpc(service), (endpoint) => createXmlRpcTransport(endpoint, { protocol: "json-rpc" })),
  // As few sockets as it has by default: waits that were left must not keep them.
  Majordomo: async (service) => {
    const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
    const worker = await serveMdp(service, { broker: broker.endpoint });
    return {
      dial: () => createMdpTransport(broker.endpoint),
      close: async () => {
        await worker.close();
        await broker.close();
      },
    };
  },
};

let store: ReturnType<typeof createSqliteStore>;
let service: CommandServiceHandler;
let closing: (() => PromiseLike<unknown>)[] = [];
beforeEach(async () => {
  store = createSqliteStore({ file: ":memory:" });
  await store.migrate();
  await store.ensureAddress(ADDRESS);
  service = createCommandService(store, { reaper: false });
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  closing = [];
  await service.close();
  await store.close();
});

function opened<T extends AsyncDisposable>(value: T): T {
  closing.push(() => value[Symbol.asyncDispose]());
  return value;
}

it.for(Object.entries(WIRES))(
  "Q24 an agent and an issuer without a login work over %s: woken, cancelled, heard while they work",
  { timeout: 60_000 },
  async ([, open]) => {
    const wire = await open(service);
    closing.push(wire.close);
    const router = createRouter(Numbers, {
      add: async ({ a, b }, context) => {
        context.progress(a);
        if (b < 0)
          await new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
          });
        return a + b;
      },
    });
    const agent = opened(
      await serveDbQueue(router, { service: wire.dial(), address: ADDRESS, name: "bot", concurrency: 4 }),
    );
    const transport = opened(wire.dial());
    const remote = opened(createDbQueue(createRemoteStore(transport)));
    const bot = remote.proxy(Numbers, ADDRESS);
    // One after the other: each finds an idle agent, and an issuer whose wait is begun anew.
    for (let a = 0; a < 12; a += 1) expect(await bot.add({ a, b: 1 })).toBe(a + 1);
    const many = Array.from({ length: 50 }, (_, a) => bot.add({ a, b: 1 }));
    expect(await Promise.all(many)).toEqual(many.map((_, a) => a + 1));
    const endless = remote.issue(ADDRESS, Numbers.add, { a: 7, b: -1 });
    const id = await endless.accepted;
    await until(() => agent.running === 1);
    await remote.cancel(id, "enough");
    await expect(Promise.resolve(endless)).rejects.toMatchObject({ code: "CANCELLED" });
    const said: unknown[] = [];
    for await (const event of endless.events()) if (event.kind === "progress") said.push(event.value);
    expect(said).toEqual([7]);
  },
);
