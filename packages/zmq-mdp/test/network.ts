import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Network {
  readonly endpoint: string;
  cut(): Promise<void>;
  /** Loses everything from now on, and tells nobody: connections stay, new ones too. */
  silence(): void;
  close(): Promise<void>;
}

/**
 * Stands before a broker or a forwarder, and can cut every connection from beneath, or lose what is sent over it. A narrow one brings
 * little at a time back: what is cut off was still on its way. */
export async function networkTo(endpoint: string, isNarrow = false): Promise<Network> {
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
      const bring = isNarrow && one === far ? narrow(one, other) : (bytes: Buffer) => void other.write(bytes);
      one.on("data", (bytes) => {
        if (!isSilent) bring(bytes);
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

const A_TURN = 4_096;

/** Writes so many bytes in each turn, and no more; whoever sends more than fits waits. */
function narrow(from: Socket, to: Socket): (bytes: Buffer) => void {
  const waiting: Buffer[] = [];
  const pump = (): void => {
    const [first] = waiting;
    if (first === undefined) return void from.resume();
    to.write(first.subarray(0, A_TURN));
    if (first.length > A_TURN) waiting[0] = first.subarray(A_TURN);
    else waiting.shift();
    setImmediate(pump);
  };
  return (bytes) => {
    waiting.push(bytes);
    from.pause();
    if (waiting.length === 1) setImmediate(pump);
  };
}
