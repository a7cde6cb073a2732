/** Ours: a contract from echo.proto over WebSocket. */
import { createClient, createRouter } from "@rpc/core";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import { createWsTransport, serveWs } from "@rpc/ws";
import type { Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";
import { EchoService } from "./rpc-tcp-protobuf.ts";

export const entrant: Entrant = {
  serve: async () => {
    const router = createRouter(EchoService, {
      echo: ({ id, text }) => ({ id, text }),
      echoBytes: ({ data }) => ({ data }),
      items: async function* ({ itemCount }) {
        yield* itemsFor(itemCount);
      },
    });
    const listener = await serveWs(router, { codecs: [protobufEnvelopeCodec], maxConnections: 20_000 });
    return { endpoint: listener.endpoint, close: () => listener.close() };
  },
  connect: async (endpoint) => {
    const transport = createWsTransport(endpoint, { codec: protobufEnvelopeCodec });
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
