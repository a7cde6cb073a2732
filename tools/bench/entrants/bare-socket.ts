/** Floor of the idle and the handshake figure: a net.Server whose connections hold nothing but the socket. */
import { once } from "node:events";
import { createServer } from "node:net";
import { connectTcp } from "../floor/framed-peer.ts";
import type { Entrant, HandshakeEntrant } from "../harness/entrant.ts";

export const entrant: Entrant = {
  opaque: true,
  serve: async () => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("data", (bytes) => socket.write(bytes));
      socket.on("error", () => socket.destroy());
    });
    server.listen(0, "127.0.0.1", 511);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the floor listens on TCP");
    return {
      endpoint: `127.0.0.1:${address.port}`,
      close: async () => {
        server.close();
      },
    };
  },
  connect: async (endpoint) => {
    const socket = await connectTcp(endpoint);
    return {
      echo: async (message) => {
        socket.write("ping");
        await once(socket, "data");
        return message;
      },
      close: async () => {
        socket.destroy();
      },
    };
  },
};

/** A connection that says one word each way: what any handshake comes on top of. */
export const handshake: HandshakeEntrant = {
  serveHandshakes: () => entrant.serve(),
  connectOnce: async (endpoint) => {
    const socket = await connectTcp(endpoint);
    socket.write("ping");
    await once(socket, "data");
    socket.end();
    await once(socket, "close");
  },
};
