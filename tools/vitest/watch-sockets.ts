import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { Socket } from "node:net";

/** Sockets of this process from now on, on both ends: what a network can cut, and what must be gone in the end. */
export interface SocketWatch {
  cut(): Promise<void>;
  /** Resolves when all that have been ended are closed. Those of another pair, which is still at work, are not waited for. */
  gone(): Promise<void>;
}

export function watchSockets(): SocketWatch {
  const sockets = new Set<Socket>();
  const see = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    sockets.add(socket);
    // Each pair that is being closed meanwhile looks at it.
    socket.setMaxListeners(0);
    socket.once("close", () => sockets.delete(socket));
  };
  subscribe("net.client.socket", see);
  subscribe("net.server.socket", see);
  const closed = async (ending: readonly Socket[]): Promise<void> => {
    await Promise.all(ending.map((socket) => once(socket, "close").catch(() => undefined)));
  };
  return {
    cut: async () => {
      const all = [...sockets];
      for (const socket of all) socket.destroy();
      await closed(all);
    },
    gone: async () => {
      // The closing handshakes of WebSocket and of TLS come first, so the socket beneath ends a little later: some turns are enough for that.
      for (let turn = 0; turn < 20; turn++) {
        await closed([...sockets].filter((socket) => socket.writableEnded || socket.destroyed));
        await new Promise((resolve) => setImmediate(resolve));
      }
      unsubscribe("net.client.socket", see);
      unsubscribe("net.server.socket", see);
    },
  };
}
