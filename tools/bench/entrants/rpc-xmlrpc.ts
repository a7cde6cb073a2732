/** Ours over XML-RPC: a contract without schemas, since none of the others over HTTP checks what it gets. Both ends with their defaults. */
import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createDocumentCodec, createXmlRpcTransport, serveXmlRpc, type XmlRpcProtocol } from "@rpc/xmlrpc";
import type { CodecEntrant, EchoMessage, Entrant } from "../harness/entrant.ts";
import { workInProcess } from "../harness/patterns/codec-work.ts";

const EchoService = defineContract("bench.EchoService", { echo: unary() });

/** The listener answers both protocols; the transport says which one is spoken. */
export function rpcOverHttp(protocol: XmlRpcProtocol): Entrant {
  return {
    serve: async () => {
      const router = createRouter(EchoService, {
        echo: (input) => {
          const { id, text } = input as EchoMessage;
          return { id, text };
        },
      });
      const listener = await serveXmlRpc(router, { endpoint: "http://127.0.0.1:0/RPC2" });
      return { endpoint: listener.endpoint, close: () => listener.close() };
    },
    connect: async (endpoint) => {
      const transport = createXmlRpcTransport(endpoint, { protocol });
      const client = createClient(EchoService, transport);
      return {
        echo: async (message) => (await client.echo(message)) as EchoMessage,
        close: () => transport.close(),
      };
    },
  };
}

export const entrant: Entrant = rpcOverHttp("xml-rpc");

// 20 MB of such rows are 1.1 million elements; by default a document may have a million.
const documents = createDocumentCodec({ limits: { maxElements: 2_000_000 } });

export const codec: CodecEntrant = {
  open: (document) =>
    workInProcess(document, {
      decode: (bytes) => {
        const reply = documents.decodeReply(bytes, "text/xml");
        if ("fault" in reply) throw new Error(reply.fault.message);
        return reply.value;
      },
      encode: (value) => documents.encodeReply(value),
    }),
};
