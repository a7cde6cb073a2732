import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What has passed through a relay so far. */
export interface Seen {
  connections: number;
  /** Messages with a compressed body, by direction. */
  gzipRequests: number;
  gzipReplies: number;
}

/** A port of its own in front of a server, which sees what neither end tells. */
export interface Relay extends AsyncDisposable {
  readonly url: string;
  readonly seen: Seen;
}

const COMPRESSED = /\r\ncontent-encoding: *(?:gzip|deflate|x-gzip)\r\n/gi;
/** Longer than the header that is looked for, so that it is found when it comes in two parts. */
const OVERLAP = 40;

export const nothingSeen = (): Seen => ({ connections: 0, gzipRequests: 0, gzipReplies: 0 });

/** `seen` is where it is written down. */
export async function relayTo(url: string, seen: Seen = nothingSeen()): Promise<Relay> {
  const target = new URL(url);
  const { hostname, port } = target;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    seen.connections += 1;
    const far = connect(Number(port), hostname);
    count(near, (found) => (seen.gzipRequests += found));
    count(far, (found) => (seen.gzipReplies += found));
    near.pipe(far).pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      // What is wrong at one end is told to the other as a lost connection.
      socket.on("error", () => other.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  target.port = String((server.address() as AddressInfo).port);
  return {
    url: target.href,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await once(server, "close");
    },
  };
}

function count(socket: Socket, add: (found: number) => void): void {
  let end = "";
  socket.on("data", (chunk: Buffer) => {
    const text = end + chunk.toString("latin1");
    const matches = [...text.matchAll(COMPRESSED)];
    add(matches.length);
    // What was counted is not looked at again.
    const last = matches.at(-1);
    end = text.slice(Math.max(text.length - OVERLAP, last === undefined ? 0 : last.index + last[0].length - 2));
  });
}
