import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocket } from "ws";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";
import { listenWs } from "../wire/ws-link.ts";

const t = initTRPC.create();

// Inputs pass unchecked: a validator is a cost that the user chooses, and our protobuf entrant has none either.
const router = t.router({
  echo: t.procedure.input((input) => input as EchoMessage).query(({ input }) => ({ id: input.id, text: input.text })),
  // JSON carries no bytes; base64 is what a user does.
  echoBytes: t.procedure
    .input((input) => input as string)
    .mutation(({ input }) => Buffer.from(input, "base64").toString("base64")),
  items: t.procedure
    .input((input) => input as number)
    .subscription(async function* ({ input }) {
      yield* itemsFor(input);
    }),
});

export const entrant: Entrant = {
  serve: async () => {
    const { server, endpoint } = await listenWs();
    const handler = applyWSSHandler({ wss: server, router });
    return {
      endpoint,
      close: async () => {
        handler.broadcastReconnectNotification();
        server.close();
      },
    };
  },
  connect: async (endpoint) => {
    const socket = createWSClient({ url: endpoint, WebSocket: WebSocket as unknown as typeof globalThis.WebSocket });
    const client = createTRPCClient<typeof router>({ links: [wsLink({ client: socket })] });
    return {
      echo: (message) => client.echo.query(message),
      countItems: (itemCount) =>
        new Promise((resolve, reject) => {
          let received = 0;
          client.items.subscribe(itemCount, {
            onData: () => received++,
            onComplete: () => resolve(received),
            onError: reject,
          });
        }),
      echoBytes: async (payload) =>
        Buffer.from(await client.echoBytes.mutate(Buffer.from(payload).toString("base64")), "base64"),
      close: async () => {
        await socket.close();
      },
    };
  },
};
