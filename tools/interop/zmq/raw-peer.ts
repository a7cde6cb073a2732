import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { goldenBytes } from "./golden.ts";
import { Direction } from "./tap.ts";

const MORE = 1;
const LONG = 2;

/** A DEALER without libzmq: a TCP connection that writes what a script says, byte by byte. */
export class RawPeer implements AsyncDisposable {
  /** What has come, without its greeting and commands. */
  readonly received: (readonly Buffer[])[] = [];
  readonly #socket: Socket;
  readonly #waiting = new Set<() => void>();

  /** Waits until the peer has greeted us and is ready: libzmq hangs up on whoever is too quick. */
  readonly #early: Buffer[] = [];
  #isReady = false;

  constructor(endpoint: string) {
    const { hostname, port } = new URL(endpoint);
    this.#socket = connect(Number(port), hostname);
    const down = new Direction((frames) => {
      this.received.push(frames);
      for (const look of this.#waiting) look();
    });
    let hasGreeted = false;
    this.#socket.on("data", (chunk: Buffer) => {
      down.read(chunk);
      if (down.greeting !== undefined && !hasGreeted) {
        hasGreeted = true;
        this.#socket.write(goldenBytes("ready-dealer"));
      }
      if (down.commands.length > 0 && !this.#isReady) {
        this.#isReady = true;
        this.#socket.write(Buffer.concat(this.#early));
      }
    });
    this.#socket.on("error", () => undefined);
    this.#socket.write(goldenBytes("greeting"));
  }

  write(...bytes: readonly Buffer[]): void {
    if (this.#isReady) this.#socket.write(Buffer.concat(bytes));
    else this.#early.push(...bytes);
  }

  /** One message, each frame with the shortest head that it can have. */
  send(frames: readonly Buffer[]): void {
    for (const [index, frame] of frames.entries()) {
      const more = index + 1 < frames.length ? MORE : 0;
      const head = Buffer.alloc(frame.length > 255 ? 9 : 2, more);
      if (head.length === 2) head.writeUInt8(frame.length, 1);
      else {
        head[0] = more | LONG;
        head.writeBigUInt64BE(BigInt(frame.length), 1);
      }
      this.write(head, frame);
    }
  }

  /** The message of this number, from 0; waits for it. */
  message(number: number): Promise<readonly Buffer[]> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.received[number];
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.destroy();
    await once(this.#socket, "close");
  }
}
