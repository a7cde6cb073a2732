import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** ZMTP 3: what each end says first is 64 bytes. */
const GREETING_BYTES = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;

/** What went by. */
export interface Tapped {
  /** Counts the connections, from 0. */
  readonly connection: number;
  readonly toBroker: boolean;
  readonly frames: readonly Buffer[];
  /** As it was on the wire, lengths and flags too. */
  readonly raw: Buffer;
}

/** One direction of a connection, taken apart. */
export class Direction {
  #rest: Buffer = Buffer.alloc(0);
  #frames: Buffer[] = [];
  #raw: Buffer[] = [];
  greeting: Buffer | undefined = undefined;
  readonly commands: Buffer[] = [];
  readonly #message: (frames: readonly Buffer[], raw: Buffer) => void;

  constructor(message: (frames: readonly Buffer[], raw: Buffer) => void) {
    this.#message = message;
  }

  read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.greeting === undefined) {
      if (this.#rest.length < GREETING_BYTES) return;
      this.greeting = this.#take(GREETING_BYTES);
    }
    while (this.#frame());
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  #frame(): boolean {
    const flags = this.#rest[0] ?? 0;
    const head = (flags & LONG) === 0 ? 2 : 9;
    if (this.#rest.length < head) return false;
    const length = head === 2 ? this.#rest.readUInt8(1) : Number(this.#rest.readBigUInt64BE(1));
    if (this.#rest.length < head + length) return false;
    const raw = this.#take(head + length);
    if ((flags & COMMAND) !== 0) {
      this.commands.push(raw);
      return true;
    }
    this.#raw.push(raw);
    this.#frames.push(raw.subarray(head));
    if ((flags & MORE) === 0) this.#message(this.#frames.splice(0), Buffer.concat(this.#raw.splice(0)));
    return true;
  }
}

/** A port before a broker's: all bytes pass unchanged, and what they say in ZMTP is kept. */
export class Tap implements AsyncDisposable {
  readonly messages: Tapped[] = [];
  readonly connections: { readonly up: Direction; readonly down: Direction }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  constructor(port: number) {
    this.#server = createServer((near) => this.#pair(near, connect(port, "127.0.0.1")));
  }

  /** Listens before `endpoint`. */
  static async open(endpoint: string): Promise<Tap> {
    const tap = new Tap(Number(new URL(endpoint).port));
    await new Promise<void>((resolve) => tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  get endpoint(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pair(near: Socket, far: Socket): void {
    const connection = this.connections.length;
    const direction = (toBroker: boolean): Direction =>
      new Direction((frames, raw) => {
        this.messages.push({ connection, toBroker, frames, raw });
        for (const look of this.#waiting) look();
      });
    const both = { up: direction(true), down: direction(false) };
    this.connections.push(both);
    const pass = (from: Socket, to: Socket, seen: Direction): void => {
      this.#sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        seen.read(chunk);
        to.write(chunk);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    };
    pass(near, far, both.up);
    pass(far, near, both.down);
  }

  /** Waits for a message of which this holds. */
  async until(holds: (message: Tapped) => boolean): Promise<Tapped> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.messages.find(holds);
        if (found === undefined) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
