/** Ours: an event of a contract, published through the router. `block`, so that nothing is left out. */
import { createClient, createRouter, defineContract, event, type Handler } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";
import type { FanoutEntrant } from "../harness/entrant.ts";

const Bot = defineContract("bench.Bot", { states: event({ payload: z.object({ text: z.string() }) }) });

/** What router and client offer for an event. */
interface Publishing {
  readonly states: { publish(value: { text: string }): Promise<unknown> };
}
interface Subscribing {
  readonly states: {
    subscribe(
      options: { readonly overflow: "block" },
      listener: (value: { text: string }) => void,
    ): { readonly ready: Promise<void> };
  };
}

export const fanout: FanoutEntrant = {
  servePublisher: async () => {
    const router = createRouter(Bot, {}) as Handler & Publishing;
    const listener = await serveTcp(router, { endpoint: "tcp://127.0.0.1:0" });
    return {
      endpoint: listener.endpoint,
      publish: (text) => router.states.publish({ text }),
      close: () => listener.close(),
    };
  },
  subscribe: async (endpoint, received) => {
    const transport = createTcpTransport(endpoint);
    const bot = createClient(Bot, transport) as object as Subscribing;
    const subscription = bot.states.subscribe({ overflow: "block" }, ({ text }) => received(text));
    await subscription.ready;
    return { close: () => transport.close() };
  },
};
