/** A publisher and subscribers of bare zeromq.js, the same for each forwarder that is measured between them. */
import { Publisher, Subscriber } from "zeromq";
import type { FanoutEntrant } from "../harness/entrant.ts";
import { startBeside } from "./beside.ts";
import type { ForwarderSides } from "./mdp-forwarder.ts";

const CATEGORY = "bench.state";
const ID = `${CATEGORY}.1700000000.0_1`;

export function through(forwarder: "bare" | "ours"): FanoutEntrant {
  return {
    servePublisher: async () => {
      const { child, said } = await startBeside("mdp-forwarder.ts", forwarder);
      const { publishers, subscribers } = said as ForwarderSides;
      const publisher = new Publisher({ sendHighWaterMark: 0, linger: 0 });
      publisher.connect(publishers);
      return {
        endpoint: subscribers,
        publish: (text) => publisher.send([ID, text]),
        close: async () => {
          publisher.close();
          child.kill();
        },
      };
    },
    subscribe: async (endpoint, received) => {
      const subscriber = new Subscriber({ receiveHighWaterMark: 0, linger: 0 });
      subscriber.subscribe(CATEGORY);
      subscriber.connect(endpoint);
      void (async () => {
        for await (const [, text] of subscriber) received(String(text));
      })();
      return { close: async () => subscriber.close() };
    },
  };
}
