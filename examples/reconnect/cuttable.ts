import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to a port of this machine that can be cut like a cable. What is dialed afterwards gets through again. */
export async function cuttable(port: number): Promise<{ readonly endpoint: string; cut(): void; close(): void }> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const end of [near, far]) {
      open.add(end);
      // Whatever happens to one end happens to the other.
      end
        .on("error", () => undefined)
        .on("close", () => {
          open.delete(end);
          near.destroy();
          far.destroy();
        });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const end of open) end.destroy();
  };
  const close = (): void => {
    cut();
    server.close();
  };
  return { endpoint: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, cut, close };
}
