/** Ours: an event of a contract, published through the router. `block`, so that nothing is left out. */
import { createClient, createRouter, defineContract, event } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";
import type { FanoutEntrant } from "../harness/entrant.ts";

const Bot = defineContract("bench.Bot", { states: event({ payload: z.object({ text: z.string() }) }) });

export const fanout: FanoutEntrant = {
  servePublisher: async () => {
    const router = createRouter(Bot, {});
    const listener = await serveTcp(router, { endpoint: "tcp://127.0.0.1:0" });
    return {
      endpoint: listener.endpoint,
      publish: (text) => router.states.publish({ text }),
      close: () => listener.close(),
    };
  },
  subscribe: async (endpoint, received) => {
    const transport = createTcpTransport(endpoint);
    const bot = createClient(Bot, transport);
    const subscription = bot.states.subscribe({ overflow: "block" }, ({ text }) => received(text));
    await subscription.ready;
    return { close: () => transport.close() };
  },
};
