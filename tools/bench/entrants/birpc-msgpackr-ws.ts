import { createBirpc } from "birpc";
import { Packr } from "msgpackr";
import type { WebSocket } from "ws";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { listenWs, openWs } from "../wire/ws-link.ts";

const serverFunctions = {
  echo: (message: EchoMessage): EchoMessage => ({ id: message.id, text: message.text }),
  echoBytes: (payload: Uint8Array): Uint8Array => payload,
};

export const entrant: Entrant = {
  gaps: { streamItemsPerSecond: "birpc has no streams" },
  serve: async () => {
    const { server, endpoint } = await listenWs();
    server.on("connection", (socket) => {
      createBirpc(serverFunctions, channelOver(socket));
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
    const rpc = createBirpc<typeof serverFunctions>({}, channelOver(socket));
    return {
      echo: (message) => rpc.echo(message),
      echoBytes: (payload) => rpc.echoBytes(payload),
      close: async () => {
        rpc.$close();
        socket.close();
      },
    };
  },
};

/** How both ends use one WebSocket: no timer per call (`timeout: -1`); one Packr per connection and record structures off, as each message must stand alone. */
function channelOver(socket: WebSocket) {
  const packr = new Packr({ useRecords: false });
  return {
    post: (data: Uint8Array) => socket.send(data),
    on: (receive: (data: Buffer) => void) => {
      socket.on("message", receive);
    },
    serialize: (value: unknown) => packr.pack(value),
    deserialize: (bytes: Buffer) => packr.unpack(bytes) as unknown,
    timeout: -1,
  };
}
