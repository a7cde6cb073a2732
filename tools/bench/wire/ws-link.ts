/** The WebSocket underlay that three peers share: no compression, TCP_NODELAY (which `ws` sets itself). */
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";

export const WS_MAX_PAYLOAD_BYTES: number = 16 * 1024 * 1024;

export interface WsEndpoint {
  readonly server: WebSocketServer;
  readonly endpoint: string;
}

export async function listenWs(): Promise<WsEndpoint> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    backlog: 511,
    perMessageDeflate: false,
    maxPayload: WS_MAX_PAYLOAD_BYTES,
  });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("ws listens on TCP");
  return { server, endpoint: `ws://127.0.0.1:${address.port}` };
}

export async function openWs(endpoint: string): Promise<WebSocket> {
  const socket = new WebSocket(endpoint, { perMessageDeflate: false, maxPayload: WS_MAX_PAYLOAD_BYTES });
  await once(socket, "open");
  return socket;
}
