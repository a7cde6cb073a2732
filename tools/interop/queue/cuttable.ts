import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A port in front of another one, whose connections can be cut. */
export class Cuttable implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  #isClosed = false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
    server.on("connection", (near) => {
      if (this.#isClosed) {
        near.destroy();
        return;
      }
      const far = connect(this.#port, "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  static async before(endpoint: string): Promise<Cuttable> {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Cuttable(server, Number(new URL(endpoint).port));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connectionCount(): number {
    return this.#sockets.size / 2;
  }

  /** `isClosed`: nobody comes through until it is opened. */
  cut(isClosed = false): void {
    this.#isClosed = isClosed;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#isClosed = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut(true);
    this.#server.close();
    await once(this.#server, "close");
  }
}
