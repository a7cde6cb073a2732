/** Ours: a job of a contract. Consumers take some jobs ahead, which saves a round trip for each. */
import { createClient, createRouter, defineContract, job, workQueue } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";
import type { JobsEntrant } from "../harness/entrant.ts";

const Work = defineContract("bench.Work", {
  orders: job({ input: z.object({ id: z.int32(), text: z.string() }), output: z.int32() }),
});

/** The producer is in the queue's process, or has a connection of its own. */
export function rpcTcpJobs(producerAt: "queue" | "client"): JobsEntrant {
  return {
    producerAt,
    serveQueue: async () => {
      const router = createRouter(Work, { orders: workQueue() });
      const listener = await serveTcp(router, { endpoint: "tcp://127.0.0.1:0" });
      return {
        endpoint: listener.endpoint,
        submit: async (order) => (await router.orders.submit(order)).result(),
        close: () => listener.close(),
      };
    },
    connectProducer: async (endpoint) => {
      const transport = createTcpTransport(endpoint);
      const work = createClient(Work, transport);
      return {
        submit: async (order) => (await work.orders.submit(order)).result(),
        close: () => transport.close(),
      };
    },
    consume: async (endpoint) => {
      const transport = createTcpTransport(endpoint);
      const work = createClient(Work, transport);
      const consumer = work.orders.consume({ concurrency: 64, prefetch: 256, handle: ({ id }) => id });
      await consumer.ready;
      return { close: () => transport.close() };
    },
  };
}

export const jobs: JobsEntrant = rpcTcpJobs("queue");
