/** Ours, with the defaults of a session. */
import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";
import type { ResumeEntrant } from "../harness/entrant.ts";

const Numbered = z.object({ id: z.int32() });
const Waiting = defineContract("bench.Waiting", { wait: unary({ input: Numbered, output: Numbered }) });

export const resume: ResumeEntrant = {
  serveWaiting: async (waiting) => {
    const router = createRouter(Waiting, {
      wait: async ({ id }) => {
        await waiting.wait(id);
        return { id };
      },
    });
    const listener = await serveTcp(router, { endpoint: "tcp://127.0.0.1:0", maxConnections: 20_000 });
    return { endpoint: listener.endpoint, close: () => listener.close() };
  },
  connectSession: async (endpoint) => {
    const transport = createTcpTransport(endpoint);
    await transport.ready();
    const client = createClient(Waiting, transport);
    return { wait: async (id) => (await client.wait({ id })).id, close: () => transport.close() };
  },
};
