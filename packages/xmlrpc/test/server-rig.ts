import { createServer, request as httpRequest } from "node:http";
import { createConnection, type Socket } from "node:net";
import { createRouter, defineContract, notification, RpcError, unary } from "@rpc/core";
import type { Handler, HandlerContext } from "@rpc/core";
import { z } from "zod";
import { createDocumentCodec, createXmlRpcHandler, type Served, type XmlRpcHandlerOptions } from "../src/index.ts";
import type { DecodedReply } from "../src/index.ts";

export interface SentRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
}

/** What stands behind an adapter, asked over HTTP. */
interface Rig extends AsyncDisposable {
  readonly send: (request: SentRequest) => Promise<Got>;
  /** An XML-RPC call: its value, or its fault. */
  readonly call: (
    method: string,
    params: readonly unknown[],
    headers?: Readonly<Record<string, string>>,
  ) => Promise<DecodedReply>;
  json(document: unknown, headers?: Readonly<Record<string, string>>): Promise<unknown>;
  close(drainMs?: number): Promise<void>;
}

const codec = createDocumentCodec({ dates: "date" });

function rigOver(send: Rig["send"], close: Rig["close"]): Rig {
  return {
    send,
    close,
    async call(method, params, headers = {}) {
      const { body } = await send({
        headers: { "content-type": "text/xml", ...headers },
        body: codec.encodeCall(method, params),
      });
      return codec.decodeReply(body, "text/xml; charset=utf-8");
    },
    async json(document, headers = {}) {
      const { text } = await send({
        headers: { "content-type": "application/json", ...headers },
        body: typeof document === "string" ? document : JSON.stringify(document),
      });
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    },
    [Symbol.asyncDispose]: () => close(),
  };
}

export type OpenRig = (served: Served, options?: XmlRpcHandlerOptions) => Promise<Rig>;

export const openNodeRig: OpenRig = async (served, options) => {
  const handler = createXmlRpcHandler(served, options);
  const server = createServer(handler.node);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return rigOver(
    (sent) => sendTo(port, sent),
    async (drainMs) => {
      await handler.close({ drainMs });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  );
};

const openFetchRig: OpenRig = async (served, options) => {
  const handler = createXmlRpcHandler(served, options);
  return rigOver(
    async ({ method = "POST", path = "/RPC2", headers = {}, body, signal }) => {
      const response = await handler.fetch(
        new Request(`http://localhost${path}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
          ...(signal === undefined ? {} : { signal }),
        }),
        { endpoint: "http://192.0.2.1:5000" },
      );
      const bytes = Buffer.from(await response.arrayBuffer());
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: bytes,
        text: bytes.toString(),
      };
    },
    (drainMs) => handler.close({ drainMs }),
  );
};

export const ADAPTERS: readonly (readonly [string, OpenRig])[] = [
  ["node:http", openNodeRig],
  ["fetch", openFetchRig],
];

/** One request on a connection of its own. */
export function sendTo(
  port: number,
  { method = "POST", path = "/RPC2", headers = {}, body, signal }: SentRequest,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port,
        host: "127.0.0.1",
        method,
        path,
        headers: {
          ...(body === undefined || headers["transfer-encoding"] !== undefined
            ? {}
            : { "content-length": String(Buffer.byteLength(body)) }),
          ...headers,
        },
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
            body: bytes,
            text: bytes.toString(),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** A bare connection, and all that came over it until it was closed. */
export async function connectTo(
  port: number,
): Promise<{ socket: Socket; closed: Promise<string>; until: (text: string) => Promise<string> }> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  let received = "";
  const waiting: { text: string; resolve: (all: string) => void }[] = [];
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
    for (const { text, resolve } of waiting) if (received.includes(text)) resolve(received);
  });
  socket.on("error", () => undefined);
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  await new Promise((resolve) => socket.once("connect", resolve));
  return {
    socket,
    closed,
    until: (text) =>
      received.includes(text) ? Promise.resolve(received) : new Promise((resolve) => waiting.push({ text, resolve })),
  };
}

const Demo = defineContract("demo.Greeter", {
  hello: unary({
    input: z.object({ name: z.string(), times: z.number().default(1) }),
    output: z.object({ text: z.string() }),
    doc: "Greets somebody.",
  }),
  echo: unary({}),
  add: unary({ input: z.object({ a: z.number(), b: z.number() }), output: z.number() }),
  dates: unary({
    input: z.object({ on: z.date(), big: z.bigint().optional(), note: z.string().optional() }),
    output: z.object({ on: z.date(), big: z.bigint().optional(), kinds: z.string() }),
  }),
  fail: unary({ input: z.object({ how: z.string() }), errors: { Broken: z.object({ part: z.string() }) } }),
  wait: unary({}),
  slow: unary({ timeoutMs: 500 }),
  nothing: unary({}),
  told: notification({ input: z.object({ text: z.string() }) }),
});

export interface DemoState {
  readonly router: Handler;
  /** Contexts of `wait` and `slow`, which settle when they are ended. */
  readonly waiting: HandlerContext[];
  readonly told: string[];
  runs: number;
  /** Resolves when `wait` or `slow` runs. */
  readonly entered: () => Promise<HandlerContext>;
}

export function createDemo(): DemoState {
  const waiting: HandlerContext[] = [];
  const told: string[] = [];
  let wake: ((context: HandlerContext) => void)[] = [];
  const wait = (_: unknown, context: HandlerContext): Promise<string> => {
    waiting.push(context);
    for (const each of wake) each(context);
    wake = [];
    return new Promise((resolve) => context.signal.addEventListener("abort", () => resolve("ended")));
  };
  const state: DemoState = {
    waiting,
    told,
    runs: 0,
    entered: () => new Promise((resolve) => wake.push(resolve)),
    router: createRouter(Demo, {
      hello: ({ name, times }, { responseMetadata, metadata }) => {
        state.runs++;
        const echoed = metadata.get("echo");
        if (echoed !== undefined) responseMetadata.set("echo", echoed);
        return { text: `hello ${name}`.repeat(times) };
      },
      echo: (value) => value,
      add: ({ a, b }) => a + b,
      dates: ({ on, big, note }) => ({
        on,
        ...(big === undefined ? {} : { big }),
        kinds: `${on instanceof Date} ${typeof big} ${typeof note}`,
      }),
      fail: ({ how }) => {
        if (how === "declared") throw Demo.fail.error("Broken", { part: "wheel" });
        if (how === "status") throw new RpcError("NOT_FOUND", "no such thing", { reason: "Missing" });
        throw new TypeError("bad luck");
      },
      wait,
      slow: wait,
      nothing: () => undefined,
      told: ({ text }) => {
        told.push(text);
      },
    }),
  };
  return state;
}

/** The value of a reply; fails the test for a fault. */
export function valueOf(reply: DecodedReply): unknown {
  if ("fault" in reply) throw new Error(`fault ${reply.fault.code}: ${reply.fault.message}`);
  return reply.value;
}

export function faultIn(reply: DecodedReply): { code: number; message: string } {
  if ("fault" in reply) return reply.fault;
  throw new Error(`no fault but ${JSON.stringify(reply.value)}`);
}

export const callXml = (method: string, params: readonly unknown[] = []): string => codec.encodeCall(method, params);
