import { newWebSocketRpcSession, RpcTarget } from "capnweb";
import type { WebSocket } from "ws";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";
import { listenWs, openWs } from "../wire/ws-link.ts";

class EchoTarget extends RpcTarget {
  echo(message: EchoMessage): EchoMessage {
    return { id: message.id, text: message.text };
  }

  echoBytes(payload: Uint8Array): Uint8Array {
    return payload;
  }

  items(itemCount: number): ReadableStream<EchoMessage> {
    return ReadableStream.from(itemsFor(itemCount));
  }
}

export const entrant: Entrant = {
  serve: async () => {
    const { server, endpoint } = await listenWs();
    server.on("connection", (socket) => {
      newWebSocketRpcSession(browserShaped(socket), new EchoTarget());
    });
    return {
      endpoint,
      close: async () => {
        server.close();
      },
    };
  },
  connect: async (endpoint) => {
    const socket = await openWs(endpoint);
    const stub = newWebSocketRpcSession<EchoTarget>(browserShaped(socket));
    return {
      echo: async (message) => await stub.echo(message),
      countItems: async (itemCount) => {
        let received = 0;
        for await (const _item of await stub.items(itemCount)) received++;
        return received;
      },
      echoBytes: async (payload) => await stub.echoBytes(payload),
      close: async () => stub[Symbol.dispose](),
    };
  },
};

/** capnweb's README does the same cast: the `ws` class has its own declaration of the browser's type. */
function browserShaped(socket: WebSocket): globalThis.WebSocket {
  return socket as unknown as globalThis.WebSocket;
}
