import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Network {
  readonly endpoint: string;
  cut(): Promise<void>;
  /** Loses everything from now on, and tells nobody: connections stay, new ones too. */
  silence(): void;
  close(): Promise<void>;
}

/** Stands before a broker or a forwarder, and can cut every connection from beneath, or lose what is sent over it. */
export async function networkTo(endpoint: string): Promise<Network> {
  const port = Number(endpoint.slice(endpoint.lastIndexOf(":") + 1));
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.on("data", (bytes) => {
        if (!isSilent) other.write(bytes);
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const own = typeof address === "object" && address !== null ? address.port : 0;
  const cut = async (): Promise<void> => {
    const all = [...sockets];
    const closed = all.map((socket) => once(socket, "close"));
    for (const socket of all) socket.destroy();
    await Promise.all(closed);
  };
  return {
    endpoint: `tcp://127.0.0.1:${own}`,
    cut,
    silence: () => {
      isSilent = true;
    },
    close: async () => {
      server.close();
      await cut();
    },
  };
}
