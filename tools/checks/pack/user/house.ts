import { createClient, createRouter, defineContract, type Transport, unary } from "@rpc/core";
import { createDbQueue, createDbQueueTransport, createSqliteStore, serveDbQueue } from "@rpc/db-queue";
import { createWsTransport, serveWs } from "@rpc/ws";
import { createXmlRpcTransport, serveXmlRpc } from "@rpc/xmlrpc";
import { createMdpTransport, runMdpBroker, serveMdp } from "@rpc/zmq-mdp";
import { z } from "zod";

const Greeter = defineContract("demo.Greeter", {
  hello: unary({ input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) }),
});
const router = createRouter(Greeter, { hello: ({ name }) => ({ text: `Hello ${name}` }) });

const ws = await serveWs(router, { endpoint: "ws://127.0.0.1:0" });
const xmlrpc = await serveXmlRpc(router, { endpoint: "http://127.0.0.1:0/RPC2" });
const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*" });
const worker = await serveMdp(router, { broker: broker.endpoint });
const store = createSqliteStore({ file: "calls.db" });
await store.migrate();
const queue = createDbQueue(store);
await queue.ensureAddress("house");
const agent = await serveDbQueue(router, { store, address: "house", name: "one" });

const transports: Record<string, Transport> = {
  ws: createWsTransport(ws.endpoint),
  xmlrpc: createXmlRpcTransport(xmlrpc.endpoint),
  mdp: createMdpTransport(broker.endpoint),
  queue: createDbQueueTransport(queue, "house"),
};
for (const [name, transport] of Object.entries(transports)) {
  const { text }: { text: string } = await createClient(Greeter, transport).hello({ name });
  console.log(text);
  await transport.close();
}
for (const part of [ws, xmlrpc, worker, broker, agent, queue, store]) await part.close();
