import { once } from "node:events";
import { createServer } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { BlobSchema, EchoMessageSchema, EchoService, ItemsRequestSchema } from "../generated/echo_pb.ts";
import type { Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

export const entrant: Entrant = {
  serve: async () => {
    const server = createServer(
      connectNodeAdapter({
        acceptCompression: [],
        routes: (router) => {
          router.service(EchoService, {
            echo: ({ id, text }) => create(EchoMessageSchema, { id, text }),
            echoBytes: ({ data }) => create(BlobSchema, { data }),
            items: async function* ({ itemCount }) {
              for (const item of itemsFor(itemCount)) yield create(EchoMessageSchema, item);
            },
          });
        },
      }),
    );
    server.listen(0, "127.0.0.1", 511);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("connect listens on TCP");
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      close: async () => {
        server.close();
      },
    };
  },
  connect: async (endpoint) => {
    const sessionManager = new Http2SessionManager(endpoint);
    const client = createClient(
      EchoService,
      createConnectTransport({
        baseUrl: endpoint,
        httpVersion: "2",
        sessionManager,
        acceptCompression: [],
        useBinaryFormat: true,
      }),
    );
    return {
      echo: (message) => client.echo(create(EchoMessageSchema, message)),
      countItems: async (itemCount) => {
        let received = 0;
        for await (const _item of client.items(create(ItemsRequestSchema, { itemCount }))) received++;
        return received;
      },
      echoBytes: async (data) => (await client.echoBytes(create(BlobSchema, { data }))).data,
      close: async () => sessionManager.abort(),
    };
  },
};
