/**
 * The least that any RPC over TCP must do: frames, a call id, a pending map, one write per tick.
 */
import { once } from "node:events";
import { createServer, connect, type Server, type Socket } from "node:net";
import type { EntrantServer } from "../harness/entrant.ts";
import { FrameReader, type FrameReceiver } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";

export interface FramedServer extends EntrantServer {
  readonly server: Server;
}

/** Serves each connection with a receiver made for it. */
export async function serveFramed(
  receiverFor: (writer: FrameWriter, socket: Socket) => FrameReceiver,
): Promise<FramedServer> {
  const server = createServer({ noDelay: true }, (socket) => {
    const reader = new FrameReader(receiverFor(new FrameWriter(socket), socket));
    socket.on("data", (bytes: Buffer) => reader.push(bytes));
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1", 511);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the floor listens on TCP");
  return {
    server,
    endpoint: `127.0.0.1:${address.port}`,
    close: async () => {
      server.close();
    },
  };
}

export async function connectTcp(endpoint: string): Promise<Socket> {
  const [host = "127.0.0.1", port = "0"] = endpoint.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** The two top bits of a call id say what is asked for. */
export const CALL_KIND = { echo: 0, blob: 1, items: 2 } as const;
const KIND_SHIFT = 30;
const SEQUENCE_MASK = 0x3fffffff;

export function kindOf(callId: number): number {
  return callId >>> KIND_SHIFT;
}

interface RunningStream {
  missingItems: number;
  readonly finish: () => void;
}

/** The calling half: id to promise; `read` turns a reply's bytes into its value. */
export class FramedClient<Reply> {
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #read: (bytes: Buffer, start: number, end: number, kind: number) => Reply;
  readonly #pending = new Map<number, (reply: Reply) => void>();
  readonly #streams = new Map<number, RunningStream>();
  #sequence = 0;

  constructor(socket: Socket, read: (bytes: Buffer, start: number, end: number, kind: number) => Reply) {
    this.#socket = socket;
    this.#writer = new FrameWriter(socket);
    this.#read = read;
    const reader = new FrameReader((callId, bytes, start, end) => this.#receive(callId, bytes, start, end));
    socket.on("data", (bytes: Buffer) => reader.push(bytes));
  }

  call(kind: number, payload: Uint8Array): Promise<Reply> {
    const callId = this.#nextCallId(kind);
    this.#writer.append(callId, payload);
    return new Promise((resolve) => this.#pending.set(callId, resolve));
  }

  countItems(itemCount: number): Promise<number> {
    const callId = this.#nextCallId(CALL_KIND.items);
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(itemCount);
    this.#writer.append(callId, payload);
    return new Promise((resolve) =>
      this.#streams.set(callId, { missingItems: itemCount, finish: () => resolve(itemCount) }),
    );
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #nextCallId(kind: number): number {
    this.#sequence = (this.#sequence + 1) & SEQUENCE_MASK;
    return ((kind << KIND_SHIFT) | this.#sequence) >>> 0;
  }

  #receive(callId: number, bytes: Buffer, start: number, end: number): void {
    const kind = kindOf(callId);
    const reply = this.#read(bytes, start, end, kind);
    if (kind === CALL_KIND.items) {
      const stream = this.#streams.get(callId);
      if (stream === undefined || --stream.missingItems > 0) return;
      this.#streams.delete(callId);
      stream.finish();
      return;
    }
    const settle = this.#pending.get(callId);
    if (settle === undefined) return;
    this.#pending.delete(callId);
    settle(reply);
  }
}

/** Yields items as frames, and waits whenever the socket is full. */
export async function writeItems(
  socket: Socket,
  writer: FrameWriter,
  callId: number,
  payloads: Iterable<Uint8Array>,
): Promise<void> {
  for (const payload of payloads) {
    writer.append(callId, payload);
    if (socket.writableNeedDrain) await once(socket, "drain");
  }
}
