/** Ours: a code-first contract with zod over WebSocket with JSON, which is what a browser takes without further packages. */
import { createClient, createRouter, defineContract, serverStream, unary } from "@rpc/core";
import { createWsTransport, serveWs } from "@rpc/ws";
import { z } from "zod";
import type { Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

const Message = z.object({ id: z.int32(), text: z.string() });
const Blob = z.object({ data: z.custom<Uint8Array>((value) => value instanceof Uint8Array) });

const EchoService = defineContract("bench.EchoService", {
  echo: unary({ input: Message, output: Message }),
  echoBytes: unary({ input: Blob, output: Blob }),
  items: serverStream({ input: z.object({ itemCount: z.int32() }), output: Message }),
});

export const entrant: Entrant = {
  serve: async () => {
    const router = createRouter(EchoService, {
      echo: ({ id, text }) => ({ id, text }),
      echoBytes: ({ data }) => ({ data }),
      items: async function* ({ itemCount }) {
        yield* itemsFor(itemCount);
      },
    });
    const listener = await serveWs(router, { maxConnections: 20_000 });
    return { endpoint: listener.endpoint, close: () => listener.close() };
  },
  connect: async (endpoint) => {
    const transport = createWsTransport(endpoint);
    const client = createClient(EchoService, transport);
    return {
      echo: (message) => client.echo(message),
      countItems: async (itemCount) => {
        let received = 0;
        for await (const _item of client.items({ itemCount })) received++;
        return received;
      },
      echoBytes: async (data) => (await client.echoBytes({ data })).data,
      close: () => transport.close(),
    };
  },
};
