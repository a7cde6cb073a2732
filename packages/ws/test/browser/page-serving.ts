// A page that the server calls: its size is measured.
import { createClient, createRouter, defineContract, unary } from "@rpc/core";
import { createWsTransport } from "@rpc/ws";

const { document: page } = globalThis as unknown as { document: { title: string } };
const Greeter = defineContract("demo.Greeter", { hello: unary() });
const Page = defineContract("demo.Page", { title: unary() });
const serve = createRouter(Page, { title: () => page.title });
const greeter = createClient(Greeter, createWsTransport("/rpc", { serve }));
page.title = String(await greeter.hello("Ada"));
