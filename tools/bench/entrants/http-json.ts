/** What many people write by hand: POST with JSON over kept-alive HTTP/1.1 connections, `node:http` and undici. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { Pool } from "undici";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

const CONNECTIONS_PER_CLIENT = 64;
const KEEP_ALIVE_MS = 600_000;
const JSON_HEADERS = { "content-type": "application/json" };

export const entrant: Entrant = {
  serve: async () => {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, (request, response) => {
      answer(request, response).catch((error: unknown) =>
        response.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    });
    server.listen(0, "127.0.0.1", 511);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("http listens on TCP");
    return {
      endpoint: `http://127.0.0.1:${address.port}`,
      close: async () => {
        server.close();
      },
    };
  },
  connect: async (endpoint) => {
    const pool = new Pool(endpoint, {
      connections: CONNECTIONS_PER_CLIENT,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
    });
    return {
      echo: async (message) => {
        const { body } = await pool.request({
          path: "/echo",
          method: "POST",
          headers: JSON_HEADERS,
          body: JSON.stringify(message),
        });
        return (await body.json()) as EchoMessage;
      },
      countItems: async (itemCount) =>
        countLines((await pool.request({ path: `/items?count=${itemCount}`, method: "GET" })).body),
      echoBytes: async (payload) => {
        const { body } = await pool.request({ path: "/bytes", method: "POST", body: payload });
        return body.bytes();
      },
      close: () => pool.destroy(),
    };
  },
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "";
  if (path.startsWith("/items?count=")) {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    Readable.from(jsonLines(Number(path.slice("/items?count=".length)))).pipe(response);
    return;
  }
  const body = await bodyOf(request);
  if (path === "/bytes") {
    response.end(body);
    return;
  }
  const { id, text } = JSON.parse(body.toString()) as EchoMessage;
  const reply = JSON.stringify({ id, text });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(reply) });
  response.end(reply);
}

function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.on("error", reject);
  });
}

function* jsonLines(itemCount: number): Generator<string> {
  for (const item of itemsFor(itemCount)) yield `${JSON.stringify(item)}\n`;
}

async function countLines(body: AsyncIterable<Buffer>): Promise<number> {
  let received = 0;
  let partialLine = "";
  for await (const chunk of body) {
    const lines = (partialLine + chunk.toString()).split("\n");
    partialLine = lines.pop() ?? "";
    for (const line of lines) if (JSON.parse(line) !== null) received++;
  }
  return received;
}
