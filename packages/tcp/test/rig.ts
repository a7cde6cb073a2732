import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import type { RpcError } from "@rpc/core";
import type { ChannelSink } from "@rpc/core/transport";
import { afterAll, onTestFinished, vi } from "vitest";
import { acceptTcp, type Acceptor } from "../src/accept.ts";
import type { TcpChannel } from "../src/channel.ts";
import { dialTcp } from "../src/dial.ts";
import { parseEndpoint } from "../src/endpoint.ts";
import { dialSettings, listenSettings, type TcpListenerOptions, type TcpTransportOptions } from "../src/options.ts";

// In every file that uses this rig: nothing of the network is left when its tests are done.
afterAll(async () => {
  await vi.waitUntil(() => !process.getActiveResourcesInfo().some((name) => name.startsWith("TCP")), {
    timeout: 5_000,
  });
});

/** What a channel told its sink, and promises for what it will tell. */
export class Recorder implements ChannelSink {
  readonly messages: Uint8Array[] = [];
  drains = 0;
  readonly ends: RpcError[] = [];
  readonly #waiting = new Set<() => void>();

  message(bytes: Uint8Array): void {
    this.messages.push(bytes);
    this.#wake();
  }

  drained(): void {
    this.drains++;
    this.#wake();
  }

  closed(reason: RpcError): void {
    this.ends.push(reason);
    this.#wake();
  }

  count(messages: number): Promise<void> {
    return this.#until(() => this.messages.length >= messages);
  }

  room(): Promise<void> {
    return this.#until(() => this.drains > 0);
  }

  async end(): Promise<RpcError> {
    await this.#until(() => this.ends.length > 0);
    const [reason] = this.ends;
    if (reason === undefined) throw new Error("no reason");
    return reason;
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}

/** A sink that is already given to the channel; the channel ends with the test. */
export function opened(channel: TcpChannel, recorder: Recorder = new Recorder()): Recorder {
  channel.open(recorder);
  onTestFinished(() => channel.destroy());
  return recorder;
}

/** An acceptor that hands out its channels one by one. */
export interface Accepting extends Acceptor {
  next(): Promise<TcpChannel>;
}

/** Listens until the end of the test. */
export async function accepting(options: TcpListenerOptions = {}): Promise<Accepting> {
  const queue = new Queue<TcpChannel>();
  const endpoint = parseEndpoint(options.endpoint ?? "tcp://127.0.0.1:0", "listen");
  const acceptor = await acceptTcp(endpoint, listenSettings(options), (channel) => queue.put(channel));
  onTestFinished(async () => {
    await acceptor.stop();
    for (const channel of queue.waiting) channel.destroy();
  });
  return { ...acceptor, next: () => queue.take() };
}

/** Dials, with a signal of its own. */
export function dial(
  endpoint: string | readonly string[],
  options: TcpTransportOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<TcpChannel> {
  const texts = typeof endpoint === "string" ? [endpoint] : endpoint;
  const endpoints = texts.map((text) => parseEndpoint(text, "dial"));
  return dialTcp(endpoints, dialSettings(options), signal);
}

/** Both ends of one connection. */
export async function connected(
  options: TcpListenerOptions = {},
  dialing: TcpTransportOptions = {},
): Promise<{ dialed: TcpChannel; accepted: TcpChannel; acceptor: Accepting }> {
  const acceptor = await accepting(options);
  const [dialed, accepted] = await Promise.all([dial(acceptor.endpoint, dialing), acceptor.next()]);
  return { dialed, accepted, acceptor };
}

/** A channel whose other end is a bare socket in the hands of the test. */
export async function hostile(
  options: TcpListenerOptions = {},
): Promise<{ channel: TcpChannel; sink: Recorder; peer: Socket }> {
  const acceptor = await accepting(options);
  const [peer, channel] = await Promise.all([bareSocket(acceptor.endpoint), acceptor.next()]);
  return { channel, sink: opened(channel), peer };
}

/** A connected socket without any protocol; it ends with the test. */
export function bareSocket(endpoint: string): Promise<Socket> {
  const { port, hostname } = new URL(endpoint);
  const socket = connect({ port: Number(port), host: hostname, noDelay: true, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** A server without any protocol: what it does with its connections is up to the test. */
export async function bareServer(greet: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    greet(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `tcp://127.0.0.1:${address.port}`;
}

/** A port on which nobody listens any more. */
export async function freePort(): Promise<number> {
  const acceptor = await accepting();
  await acceptor.stop();
  return Number(new URL(acceptor.endpoint).port);
}

/** A message with its header. */
export function frame(message: Uint8Array | string): Buffer {
  const body = Buffer.from(message as string);
  return Buffer.concat([header(body.length), body]);
}

/** The header alone. */
export function header(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

export function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

/** Everything that comes over a socket until its end. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((resolve) => {
    socket.once("end", resolve);
    socket.once("close", () => resolve());
  });
  return Buffer.concat(chunks);
}

/** Lets sockets and timers that are ready have some turns. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export async function caught(promise: Promise<unknown>): Promise<RpcError> {
  try {
    await promise;
  } catch (thrown) {
    return thrown as RpcError;
  }
  throw new Error("nothing was thrown");
}

/** A file beside `certificates/make.sh`. */
export function certificate(name: string): string {
  return readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8");
}

export const AUTHORITY: string = certificate("authority.pem");
export const SERVER: { readonly key: string; readonly cert: string } = {
  key: certificate("server.key"),
  cert: certificate("server.pem"),
};

class Queue<T> {
  readonly waiting: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.waiting.push(item);
    else taker(item);
  }

  take(): Promise<T> {
    const item = this.waiting.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
    });
  }
}
