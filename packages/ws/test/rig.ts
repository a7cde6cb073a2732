import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createRouter, defineContract, type Handler, serverStream, unary } from "@rpc/core";
import type { RpcError } from "@rpc/core";
import { afterAll, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { createWsTransport, serveWs, type WsListenerOptions, type WsTransportOptions } from "../src/index.ts";

// In every file that uses this rig: nothing of the network is left when its tests are done.
afterAll(async () => {
  await vi.waitUntil(() => !process.getActiveResourcesInfo().some((name) => name.startsWith("TCP")), {
    timeout: 10_000,
  });
});

/** What the tests of this package call. */
export const Greeter = defineContract("demo.Greeter", {
  echo: unary({ input: z.string(), output: z.string() }),
  count: serverStream({ input: z.number(), output: z.number() }),
  callBack: unary({ output: z.string() }),
  who: unary({ output: z.string() }),
});

/** What a server calls at its client. */
export const Phone = defineContract("demo.Phone", { ring: unary({ output: z.string() }) });

export function greeter(): Handler {
  return createRouter(Greeter, {
    echo: (text) => text,
    count: async function* (end) {
      for (let i = 0; i < end; i++) yield i;
    },
    callBack: async (_input, { peer }) => (await peer?.client(Phone).ring()) ?? "nobody",
    who: (_input, { peer }) => peer?.identity ?? "nobody",
  });
}

/** Serves until the end of the test. */
export async function serving(
  options: WsListenerOptions = {},
  handler: Handler = greeter(),
): ReturnType<typeof serveWs> {
  const listener = await serveWs(handler, options);
  onTestFinished(() => listener.close());
  return listener;
}

/** A transport that ends with the test. */
export function transportTo(
  endpoint: string | readonly string[],
  options?: WsTransportOptions,
): ReturnType<typeof createWsTransport> {
  const transport = createWsTransport(endpoint, options);
  onTestFinished(() => transport.close());
  return transport;
}

/** A connected socket without any protocol; it ends with the test. */
export async function bareSocket(endpoint: string): Promise<Socket> {
  const { port, hostname } = new URL(endpoint);
  const socket = connect({ port: Number(port), host: hostname, noDelay: true });
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A server without any protocol: what it does with its connections is up to the test. */
export async function bareServer(greet: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    greet(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `ws://127.0.0.1:${address.port}`;
}

/** Headers of a good upgrade; a value of undefined leaves one out. */
export interface UpgradeOptions {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Further header lines, as they are. */
  readonly lines?: readonly string[];
}

/** Asks for an upgrade by hand, and gives the status line's number and the rest of the answer. */
export async function upgrade(
  endpoint: string,
  { path, method = "GET", headers = {}, lines = [] }: UpgradeOptions = {},
): Promise<{ socket: Socket; status: number; answer: string }> {
  const { host, pathname } = new URL(endpoint);
  const socket = await bareSocket(endpoint);
  const all: Record<string, string | undefined> = {
    Host: host,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Protocol": "rpc.v1.json",
    ...headers,
  };
  const head = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  socket.write([`${method} ${path ?? pathname} HTTP/1.1`, ...head, ...lines, "", ""].join("\r\n"));
  let answer = "";
  while (!answer.includes("\r\n\r\n")) {
    const chunk = await Promise.race([
      once(socket, "data").then(
        ([data]) => String(data as Buffer),
        () => undefined,
      ),
      once(socket, "close").then(
        () => undefined,
        () => undefined,
      ),
    ]);
    if (chunk === undefined) break;
    answer += chunk;
  }
  return { socket, status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0), answer };
}

/** One frame as a client sends it, or as it should not. */
export function frame(
  payload: Uint8Array | string,
  { opcode = 1, fin = true, masked = true, rsv = 0, length = -1 } = {},
): Buffer {
  const body = Buffer.from(payload as string);
  const said = length < 0 ? body.length : length;
  const size = said < 126 ? [said] : said < 65_536 ? [126] : [127];
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | (size[0] ?? 0)]);
  const long = Buffer.alloc(size[0] === 126 ? 2 : size[0] === 127 ? 8 : 0);
  if (long.length === 2) long.writeUInt16BE(said);
  if (long.length === 8) long.writeBigUInt64BE(BigInt(said));
  if (!masked) return Buffer.concat([head, long, body]);
  const key = randomBytes(4);
  const hidden = body.map((byte, i) => byte ^ (key[i & 3] ?? 0));
  return Buffer.concat([head, long, key, hidden]);
}

/** Frames that a server has sent so far; it masks none. */
export class FrameLog {
  readonly frames: { readonly opcode: number; readonly payload: Buffer }[] = [];
  #rest: Buffer = Buffer.alloc(0);
  readonly ended: Promise<void>;

  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#cut();
    });
    this.ended = new Promise((resolve) => {
      socket.once("close", () => resolve());
    });
  }

  /** The code of the close frame; undefined: none came. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === 8);
    return close === undefined || close.payload.length < 2 ? undefined : close.payload.readUInt16BE();
  }

  get closeText(): string {
    return (
      this.frames
        .find(({ opcode }) => opcode === 8)
        ?.payload.subarray(2)
        .toString() ?? ""
    );
  }

  #cut(): void {
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return;
      const short = (rest[1] ?? 0) & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (rest.length < head) return;
      const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
      if (rest.length < head + length) return;
      this.frames.push({ opcode: (rest[0] ?? 0) & 15, payload: rest.subarray(head, head + length) });
      this.#rest = rest.subarray(head + length);
    }
  }
}

/** A WebSocket in the hands of the test, right after its upgrade. */
export async function rawWebSocket(
  endpoint: string,
  options?: UpgradeOptions,
): Promise<{ socket: Socket; log: FrameLog }> {
  const { socket, status, answer } = await upgrade(endpoint, options);
  if (status !== 101) throw new Error(`no upgrade: ${answer}`);
  return { socket, log: new FrameLog(socket) };
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
