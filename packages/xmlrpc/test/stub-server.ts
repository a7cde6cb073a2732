import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { XmlRpcMethod } from "../src/index.ts";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";

/** One request as it came. */
export interface Seen {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Counted from 1 over all connections. */
  readonly connection: number;
  readonly socket: Socket;
}

export interface Stub {
  readonly url: string;
  readonly port: number;
  readonly seen: readonly Seen[];
  readonly connections: number;
}

/** An HTTP server that does what the test says, for as long as the test runs. */
export async function stub(answer: (seen: Seen, response: ServerResponse) => void): Promise<Stub> {
  const seen: Seen[] = [];
  const numbers = new Map<Socket, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => undefined);
    request.on("end", () => {
      const { url = "", headers, socket } = request;
      const each = { url, headers, body: Buffer.concat(chunks), connection: numbers.get(socket) ?? 0, socket };
      seen.push(each);
      answer(each, response);
    });
  });
  server.on("connection", (socket) => numbers.set(socket, numbers.size + 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/RPC2`,
    port,
    seen,
    get connections() {
      return numbers.size;
    },
  };
}

const codec = createDocumentCodec();

/** The names that tests call, for a compiler that takes others for undefined. */
export interface Names extends XmlRpcMethod {
  readonly res: Names;
  readonly partner: Names;
  readonly search: Names;
  readonly read: Names;
  readonly wrong: Names;
  readonly version: Names;
  readonly shop: Names;
  readonly add: Names;
  readonly fail: Names;
  readonly test: Names;
  readonly Values: Names;
  readonly order: Names;
  readonly a: Names;
  readonly b: Names;
  readonly x: Names;
}

/** Answers with an XML-RPC value. */
export function answerValue(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { "content-type": "text/xml; charset=utf-8", ...headers }).end(codec.encodeReply(value));
}

/** Answers with a fault. */
export function answerFault(response: ServerResponse, code: number, message: string): void {
  response.writeHead(200, { "content-type": "text/xml" }).end(codec.encodeFault({ code, message }));
}

/** Answers every call of a multicall or a single call by a function. */
export function answerCalls(
  run: (method: string, params: readonly unknown[]) => unknown,
): (seen: Seen, response: ServerResponse) => void {
  return ({ body, headers }, response) => {
    const { method, params } = codec.decodeCall(body, headers["content-type"]);
    try {
      answerValue(response, run(method, params));
    } catch (thrown) {
      answerFault(response, 1, String(thrown));
    }
  };
}
