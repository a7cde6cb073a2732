// What a page of the README's size brings along: its size is measured.
import { createClient, defineContract, unary } from "@rpc/core";
import { createWsTransport } from "@rpc/ws";

const { document: page } = globalThis as unknown as { document: { title: string } };
const Greeter = defineContract("demo.Greeter", { hello: unary() });
const greeter = createClient(Greeter, createWsTransport("/rpc"));
page.title = String(await greeter.hello("Ada"));
