// Between PostgreSQL's Unix socket and whoever connects: a way that can become one that swallows everything and says nothing.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BlackHole {
  /** The same database through the hole. */
  readonly url: string;
  /** Open connections stay open and carry nothing any more; new ones are none of that, unless `all`. */
  swallow(all?: boolean): void;
  /** For new ones. */
  heal(): void;
  close(): void;
}

export async function openBlackHole(url: string): Promise<BlackHole> {
  const folder = mkdtempSync(join(tmpdir(), "rpc-hole-"));
  const target = new URL(url);
  const path = join(target.searchParams.get("host") ?? "", ".s.PGSQL.5432");
  const sockets = new Set<Socket>();
  let isDeaf = false;
  const server = createServer((near) => {
    near.on("error", () => undefined);
    sockets.add(near);
    near.on("close", () => sockets.delete(near));
    if (isDeaf) return;
    const far = connect(path);
    sockets.add(far);
    far.on("error", () => near.destroy());
    far.on("close", () => sockets.delete(far));
    near.on("close", () => far.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => {
    server.listen(join(folder, ".s.PGSQL.5432"), resolve);
  });
  target.searchParams.set("host", folder);
  return {
    url: target.href,
    swallow: (all = false) => {
      isDeaf = all;
      for (const socket of sockets) {
        socket.unpipe();
        // Read, so that neither side notices that nobody takes it.
        socket.resume();
      }
    },
    heal: () => {
      isDeaf = false;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
