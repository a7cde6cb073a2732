/**
 * npm's `xmlrpc`, client and server. It hands its options to `node:http`, so it gets an agent that keeps as many connections as calls are in
 * flight; the server keeps them as long as the one of http-json.
 */
import { once } from "node:events";
import { Agent } from "node:http";
import { PassThrough } from "node:stream";
import xmlrpc from "xmlrpc";
import Deserializer from "xmlrpc/lib/deserializer.js";
import Serializer from "xmlrpc/lib/serializer.js";
import type { CodecEntrant, EchoMessage, Entrant } from "../harness/entrant.ts";
import { workInProcess } from "../harness/patterns/codec-work.ts";

const CONNECTIONS_PER_CLIENT = 64;
const KEEP_ALIVE_MS = 600_000;

export const entrant: Entrant = {
  serve: async () => {
    const server = xmlrpc.createServer({ host: "127.0.0.1", port: 0 });
    const { httpServer } = server;
    httpServer.keepAliveTimeout = KEEP_ALIVE_MS;
    server.on("echo", (_error: unknown, params: readonly EchoMessage[], reply) => {
      const [message] = params;
      if (message === undefined) throw new Error("echo takes one parameter");
      const { id, text } = message;
      reply(null, { id, text });
    });
    await once(httpServer, "listening");
    const address = httpServer.address();
    if (address === null || typeof address === "string") throw new Error("http listens on TCP");
    return {
      endpoint: `http://127.0.0.1:${address.port}/`,
      close: async () => {
        httpServer.close();
      },
    };
  },
  connect: async (endpoint) => {
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_PER_CLIENT });
    const { hostname, port, pathname } = new URL(endpoint);
    const options = { host: hostname, port: Number(port), path: pathname, agent };
    const client = xmlrpc.createClient(options);
    return {
      echo: (message) =>
        new Promise((resolve, reject) => {
          client.methodCall("echo", [message], (error: unknown, value: EchoMessage) => {
            if (error === null || error === undefined) resolve(value);
            else reject(error instanceof Error ? error : new Error("the call failed", { cause: error }));
          });
        }),
      close: async () => agent.destroy(),
    };
  },
};

export const codec: CodecEntrant = {
  open: (document) =>
    workInProcess(document, {
      // It reads streams only; one that has everything at once is the fastest.
      decode: (bytes) =>
        new Promise((resolve, reject) => {
          const stream = new PassThrough();
          new Deserializer().deserializeMethodResponse(stream, (error, value) => {
            if (error === null || error === undefined) resolve(value);
            else reject(error);
          });
          stream.end(bytes);
        }),
      encode: (value) => Serializer.serializeMethodResponse(value),
    }),
};
