import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";

const Greeter = defineContract("demo.Greeter", {
  hello: unary({ input: z.object({ name: z.string() }), output: z.object({ text: z.string() }) }),
});
const router = createRouter(Greeter, { hello: async ({ name }) => ({ text: `Hello ${name}` }) });
const listener = await serveTcp(router, { endpoint: "tcp://127.0.0.1:0" });
const transport = createTcpTransport(listener.endpoint);
const greeter = createClient(Greeter, transport);
const { text }: { text: string } = await greeter.hello({ name: "Ada" });
console.log(text);
// @ts-expect-error the contract knows that a name is a string
await greeter.hello({ name: 7 }).catch((error: { code: string }) => console.log(error.code));
await transport.close();
await listener.close();
