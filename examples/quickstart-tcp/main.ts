import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";

const Greeter = defineContract("demo.Greeter", {
  hello: unary({ input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) }),
});
const router = createRouter(Greeter, { hello: ({ name }) => ({ text: `Hello ${name}` }) });
const listener = await serveTcp(router);
const transport = createTcpTransport(listener.endpoint);
const greeter = createClient(Greeter, transport);
console.log((await greeter.hello({ name: "Ada" })).text);
await transport.close();
await listener.close();
