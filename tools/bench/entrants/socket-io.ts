/**
 * socket.io over WebSocket alone, as its performance page recommends: no polling first, no compression, the HTTP request given up after the
 * handshake. `emit` to all encodes once and does not wait; the harness bounds how far ahead it runs.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import type { FanoutEntrant } from "../harness/entrant.ts";

export const fanout: FanoutEntrant = {
  servePublisher: async () => {
    const http = createServer();
    const server = new Server(http, { transports: ["websocket"], serveClient: false, perMessageDeflate: false });
    server.engine.on("connection", (socket: { request: unknown }) => {
      socket.request = null;
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const address = http.address();
    if (address === null || typeof address === "string") throw new Error("the server listens on TCP");
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      publish: (text) => server.emit("state", text),
      close: () => server.close(),
    };
  },
  subscribe: async (endpoint, received) => {
    // `forceNew`: without it all subscribers of a process would share one connection.
    const socket = io(endpoint, { transports: ["websocket"], forceNew: true, reconnection: false });
    socket.on("state", received);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    });
    return { close: async () => void socket.close() };
  },
};
